import { describe, expect, it } from "vitest";
import type { PathQuality, QualityNeed } from "../../../src/model/quality.js";
import { type Millis, millis } from "../../../src/model/units.js";
import { describeQuality, judgeQuality, worseOf } from "../../../src/pdp/negotiation/judge-quality.js";
import type { ClassBudget } from "../../../src/pdp/negotiation/session-class.js";

const path = (latency: number, jitter = 2, loss = 0): PathQuality => ({
  latency: millis(latency),
  jitter: millis(jitter),
  loss,
});
const NEVER = Number.POSITIVE_INFINITY as Millis;
const DEAD: PathQuality = { latency: NEVER, jitter: NEVER, loss: 1 };
const latency = (wanted: number, worst = wanted): QualityNeed => ({
  latency: { wanted: millis(wanted), worst: millis(worst) },
});
const judge = (
  need: QualityNeed | undefined,
  measured: PathQuality | undefined,
  promise?: ClassBudget,
  unmeasured: "allow" | "refuse" = "refuse",
) => judgeQuality({ of: () => measured }, unmeasured, { pool: "p", direction: "up", need, promise });

describe("a need held against the path", () => {
  it.each([
    ["better than wanted", latency(40, 80), path(39), "granted"],
    ["as wanted", latency(40, 80), path(40), "granted"],
    ["between wanted and worst", latency(40, 80), path(41), "reduced"],
    ["as the worst", latency(40, 80), path(80), "reduced"],
    [
      "one of two quantities between",
      { ...latency(40), jitter: { wanted: millis(1), worst: millis(9) } },
      path(20),
      "reduced",
    ],
    ["a loss within", { loss: { wanted: 0.001, worst: 0.01 } }, path(500, 500, 0.01), "reduced"],
    ["nothing needed", undefined, path(5000), "granted"],
    ["a rate alone, which is not of the path", { rate: { wanted: 1, worst: 1 } } as QualityNeed, path(5000), "granted"],
  ] as const)("is kept where it is %s", (_, need, measured, result) => {
    expect(judge(need, measured)).toEqual({ admitted: true, result, measured });
  });

  it.each([
    [latency(40, 80), path(80.5), "latency of at most 80 ms is needed; measured in pool p from this network: 80.5 ms"],
    [
      { jitter: { wanted: millis(1), worst: millis(1) } },
      path(1, 1.25),
      "jitter of at most 1 ms is needed; measured in pool p from this network: 1.25 ms",
    ],
    [
      { loss: { wanted: 0, worst: 0.005 } },
      path(1, 1, 0.02),
      "loss of at most 0.5 % is needed; measured in pool p from this network: 2 %",
    ],
  ])("is refused beyond, and the sentence has both figures and the pool", (need, measured, text) => {
    expect(judge(need, measured)).toEqual({ admitted: false, reason: "qualityUnavailable", pool: "p", text });
  });

  it("is refused where no packet comes back, in words", () => {
    expect(judge(latency(40, 80), DEAD)).toEqual({
      admitted: false,
      reason: "qualityUnavailable",
      pool: "p",
      text: "latency of at most 80 ms is needed; measured in pool p from this network: no packet comes back",
    });
    expect(judge({ loss: { wanted: 0, worst: 0.01 } }, DEAD)).toMatchObject({
      text: "loss of at most 1 % is needed; measured in pool p from this network: 100 %",
    });
  });

  it("tells no figures of a path that gives nothing back", () => {
    expect(judge(undefined, DEAD)).toEqual({ admitted: true, result: "granted", measured: undefined });
  });

  it("asks for the path of the flow's own direction", () => {
    const source = { of: (pool: string, way: string) => (pool === "p" && way === "down" ? path(10) : path(90)) };
    const question = { pool: "p", need: latency(20), promise: undefined };
    expect(judgeQuality(source, "refuse", { ...question, direction: "down" }).admitted).toBe(true);
    expect(judgeQuality(source, "refuse", { ...question, direction: "up" }).admitted).toBe(false);
  });
});

describe("a need where nobody measures", () => {
  const promise = { latency: millis(40) };
  it.each([
    ["looser than the promise", latency(50), "granted"],
    ["as the promise", latency(40), "granted"],
    ["wanted stricter, acceptable looser", latency(20, 60), "reduced"],
  ])("is granted by the class's budget where it is %s", (_, need, result) => {
    expect(judge(need, undefined, promise)).toEqual({ admitted: true, result, measured: undefined });
  });

  it("is refused where it is stricter, or nothing is promised", () => {
    expect(judge(latency(20, 30), undefined, promise)).toMatchObject({
      reason: "qualityUnavailable",
      text: "latency of at most 30 ms is needed; nobody measures pool p, and the class promises 40 ms",
    });
    expect(judge({ loss: { wanted: 0, worst: 0.01 } }, undefined, promise)).toMatchObject({
      text: "loss of at most 1 % is needed; nobody measures pool p, and no class promises it",
    });
  });

  it("is granted unseen where the configuration says so, and still held against a path that is measured", () => {
    expect(judge(latency(1), undefined, promise, "allow")).toMatchObject({ result: "granted" });
    expect(judge(latency(1), path(2), promise, "allow")).toMatchObject({ reason: "qualityUnavailable" });
  });
});

it("takes in every quantity the worse of two paths, and writes them", () => {
  expect(worseOf(path(10, 5, 0.01), path(20, 1, 0))).toEqual(path(20, 5, 0.01));
  expect(describeQuality(path(12.3456, 2, 0.001))).toBe("latency 12.35 ms, jitter 2 ms, loss 0.1 %");
});

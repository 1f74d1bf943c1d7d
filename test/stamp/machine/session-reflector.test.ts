import { describe, expect, it } from "vitest";
import { millis } from "../../../src/model/units.js";
import { SessionReflector } from "../../../src/stamp/machine/session-reflector.js";

const rules = { maxSessions: 3, rate: 10, idle: millis(60_000) };
const from = (address: string, session = 1, port = 40_000) => ({ address, port, session });
const answer = (sequence: number) => ({ answer: true, sequence });

describe("a stateful reflector", () => {
  it("counts each session by itself, from 0", () => {
    const reflector = new SessionReflector(rules);
    expect(reflector.reflect(from("10.0.0.1"), 0)).toEqual(answer(0));
    expect(reflector.reflect(from("10.0.0.1"), 1)).toEqual(answer(1));
    expect(reflector.reflect(from("10.0.0.1", 2), 2)).toEqual(answer(0));
    expect(reflector.reflect(from("10.0.0.1", 1, 40_001), 3)).toEqual(answer(0));
    expect(reflector.reflect(from("10.0.0.1"), 4)).toEqual(answer(2));
  });

  it("answers a source so often in a second, and others all the same", () => {
    const reflector = new SessionReflector(rules);
    for (let count = 0; count < 10; count++) reflector.reflect(from("10.0.0.1"), 0);
    expect(reflector.reflect(from("10.0.0.1"), 50)).toEqual({ answer: false, why: "rate" });
    expect(reflector.reflect(from("10.0.0.1", 2), 50)).toEqual({ answer: false, why: "rate" });
    expect(reflector.reflect(from("10.0.0.2"), 50)).toEqual(answer(0));
    expect(reflector.reflect(from("10.0.0.1"), 150)).toEqual(answer(10));
  });

  it("keeps to the sessions that it has when there are too many, and takes new ones when they have been silent", () => {
    const reflector = new SessionReflector(rules);
    for (const last of [1, 2, 3]) reflector.reflect(from(`10.0.0.${last}`), 0);
    expect(reflector.reflect(from("10.0.0.4"), 1)).toEqual({ answer: false, why: "full" });
    expect(reflector.reflect(from("10.0.0.1", 2), 1)).toEqual({ answer: false, why: "full" });
    expect(reflector.reflect(from("10.0.0.1"), 50_000)).toEqual(answer(1));
    reflector.sweep(70_000);
    expect(reflector.sessions).toBe(1);
    expect(reflector.reflect(from("10.0.0.4"), 70_000)).toEqual(answer(0));
    expect(reflector.reflect(from("10.0.0.1"), 70_000)).toEqual(answer(2));
  });
});

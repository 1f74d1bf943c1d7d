import { describe, expect, it } from "vitest";
import { checkQuality, type MeasuredConfig, measureKey, qualityKeys } from "../../src/config/pdp-quality.js";
import { checkStamp, stampKeys } from "../../src/config/stamp.js";

describe("a router's stamp", () => {
  const read = (keys: object) => stampKeys().parse({ addresses: ["10.2.0.1"], ...keys });
  const told = (keys: object) => checkStamp(read(keys)).map(({ path, remedy }) => [path.join("."), remedy]);

  it("needs its addresses, and has the rest by itself", () => {
    expect(read({})).toEqual({
      addresses: ["10.2.0.1"],
      port: 862,
      rate: 2000,
      maxSessions: 4096,
      timeout: 1000,
      report: 5000,
      clock: "auto",
    });
    expect(stampKeys().safeParse({}).success).toBe(false);
    expect(stampKeys().safeParse({ addresses: ["10.2.0.1"], ports: 1 }).success).toBe(false);
    expect(told({ addresses: ["10.2.0.1", "fd02::1"], allow: ["10.0.0.0/8"] })).toEqual([]);
  });

  it("says what does not fit together", () => {
    expect(told({ addresses: ["10.2.0.1", "10.2.0.2"] })).toEqual([["stamp.addresses.1", "choose another"]]);
    expect(told({ timeout: "50 ms" })).toEqual([["stamp.timeout", "choose one from 100 ms to 10 s"]]);
    expect(told({ report: "500 ms" })).toEqual([["stamp.report", "choose one from the timeout to 1 min"]]);
    expect(told({ report: "2 min" })).toEqual([["stamp.report", "choose one from the timeout to 1 min"]]);
  });
});

describe("a policy server's quality", () => {
  const config = (change: Partial<MeasuredConfig> = {}): MeasuredConfig => ({
    quality: qualityKeys().parse(undefined),
    access: { router: "r1" },
    communities: [
      { name: "hq", router: "r1" },
      { name: "branch", router: "r2", edge: "10.3.0.1" },
      { name: "depot", router: "r3" },
    ],
    pools: [{ name: "p", from: "hq", to: "branch", measure: true }],
    ...change,
  });
  const told = (change: Partial<MeasuredConfig>) => checkQuality(config(change)).map(({ path }) => path.join("."));

  it("has its times by itself, and pools are not measured if they do not say so", () => {
    expect(config().quality).toEqual({ port: 862, every: 100, window: 30_000, staleAfter: 15_000 });
    expect(measureKey().parse(undefined)).toBe(false);
    expect(told({})).toEqual([]);
  });

  it("says what does not fit together", () => {
    const quality = (keys: object) => ({ quality: qualityKeys().parse(keys) });
    expect(told(quality({ every: "5 ms" }))).toEqual(["quality.every"]);
    expect(told(quality({ window: "10 s" }))).toEqual(["quality.staleAfter"]);
    expect(told({ pools: [{ name: "p", measure: true }] })).toEqual(["pools.0.measure"]);
    expect(told({ pools: [{ name: "p", from: "branch", to: "depot", measure: true }] })).toEqual(["pools.0.measure"]);
    const [noEdge] = checkQuality(config({ pools: [{ name: "p", from: "hq", to: "depot", measure: true }] }));
    expect(noEdge?.remedy).toBe('add "edge:" to community "depot"');
  });
});

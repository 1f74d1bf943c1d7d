import { describe, expect, it } from "vitest";
import { checkLiveness, DEFAULT_LIVENESS, livenessKeys } from "../../src/config/pdp-liveness.js";

const read = (value: unknown) => livenessKeys().safeParse(value);
const problems = (value: unknown) => checkLiveness(livenessKeys().parse(value)).map(({ path }) => path.join("."));

describe("a policy server's `liveness`", () => {
  it("is what it is without the key, where nothing is said", () => {
    expect(read({}).data).toEqual(DEFAULT_LIVENESS);
    expect(checkLiveness(DEFAULT_LIVENESS)).toEqual([]);
  });

  it("reads times and `off`, and nothing else", () => {
    expect(read({ accounting: "5 s", idleTimeout: "30 s", maxDuration: "off" }).data).toEqual({
      accounting: 5000,
      idleTimeout: 30_000,
      maxDuration: "off",
    });
    for (const bad of [{ idleTimeout: 60 }, { idleTimeout: "never" }, { accounting: "0 s" }, { idle: "60 s" }]) {
      expect(read(bad).success).toBe(false);
    }
  });

  it("wants what a router can be told, and reports often enough to go by (RFC 2748 §2.2.15)", () => {
    expect(problems({ accounting: "1500 ms" })).toEqual(["liveness.accounting"]);
    expect(problems({ accounting: "20 h", idleTimeout: "2 d" })).toEqual(["liveness.accounting"]);
    expect(problems({ accounting: "31 s" })).toEqual(["liveness.idleTimeout"]);
    expect(problems({ accounting: "30 s" })).toEqual([]);
    expect(problems({ accounting: "off" })).toEqual(["liveness.accounting"]);
    expect(problems({ accounting: "off", idleTimeout: "off" })).toEqual([]);
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bitsPerSecond, millis, seconds } from "../../../src/model/units.js";
import { planOf, targetOf, underCeiling } from "../../../src/pdp/pools/sizing-plan.js";

const sizing = {
  floor: bitsPerSecond(200),
  ceiling: bitsPerSecond(1000),
  step: bitsPerSecond(100),
  headRoom: bitsPerSecond(50),
  hold: seconds(60),
  growTimeout: millis(500),
  retry: seconds(5),
};
const following = planOf({ rate: bitsPerSecond(200), overhead: bitsPerSecond(20), sizing });
const fixed = planOf({ rate: bitsPerSecond(500), overhead: bitsPerSecond(0), sizing: "fixed" });

describe("the size that is wanted", () => {
  it.each([
    [0, 0, 200, "the floor without sessions"],
    [130, 0, 200, "the floor as long as it is enough, overhead and head-room included"],
    [131, 0, 300, "the next step"],
    [131, 200, 500, "what others wait for as well"],
    [930, 0, 1000, "the ceiling"],
    [980, 500, 1000, "no more than the ceiling for those who wait"],
    [1100, 0, 1120, "what is held, though the ceiling be lower"],
  ])("held %i, waited for %i: %i (%s)", (held, waiting, size) => {
    expect(targetOf(following, held, waiting)).toBe(size);
  });

  it("is always the same for a fixed pool, but for sessions that a schedule does not turn away", () => {
    expect([targetOf(fixed, 0, 0), targetOf(fixed, 499, 300), targetOf(fixed, 700, 0)]).toEqual([500, 500, 700]);
  });

  it("begins at the schedule's rate in its time", () => {
    const evening = planOf(
      { rate: bitsPerSecond(500), overhead: bitsPerSecond(0), sizing: "fixed" },
      bitsPerSecond(90),
    );
    expect([evening.floor, evening.ceiling]).toEqual([90, 90]);
    const office = planOf({ rate: bitsPerSecond(200), overhead: bitsPerSecond(20), sizing }, bitsPerSecond(600));
    expect([office.floor, office.ceiling, targetOf(office, 0, 0)]).toEqual([600, 1000, 600]);
  });

  it("covers what is held, stays in its bounds and grows with what is wanted", () => {
    const rate = fc.integer({ min: 0, max: 1500 });
    fc.assert(
      fc.property(rate, rate, rate, (held, waiting, more) => {
        const target = targetOf(following, held, waiting);
        expect(target).toBeGreaterThanOrEqual(Math.max(following.floor, held === 0 ? 0 : held + following.overhead));
        expect(target).toBeLessThanOrEqual(Math.max(following.ceiling, held + following.overhead));
        expect(targetOf(following, held, waiting + more)).toBeGreaterThanOrEqual(target);
        const none = { up: bitsPerSecond(0), down: bitsPerSecond(0) };
        const one = { up: bitsPerSecond(held), down: bitsPerSecond(0) };
        // Who is let wait can be served.
        if (underCeiling(following, none, one) && held > 0) {
          expect(targetOf(following, 0, held) - following.overhead).toBeGreaterThanOrEqual(held);
        }
      }),
    );
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { millis, type Timestamp } from "../../../src/model/units.js";
import { type Attempts, stepAttempts, waitAfter } from "../../../src/portal/login/attempts.js";
import { LoginGuard } from "../../../src/portal/login/login-guard.js";
import { FakeClock } from "../../support/fake-clock.js";

const LIMITS = { free: 5, firstWait: millis(1000), longestWait: millis(60_000), forget: millis(3_600_000) };

describe("stepAttempts", () => {
  it("doubles the wait after the free ones, up to the longest", () => {
    const waits = Array.from({ length: 14 }, (_, index) => waitAfter(index, LIMITS));
    expect(waits).toEqual([0, 0, 0, 0, 0, 0, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
    expect(waitAfter(1e9, LIMITS)).toBe(60_000);
  });

  it("lets a guesser make no more tries in any time than the waits allow, and an owner always in at last", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 5000 }), { maxLength: 400 }), (gaps) => {
        let state: Attempts | undefined;
        let now = 0;
        let taken = 0;
        for (const gap of gaps) {
          now += gap;
          const step = stepAttempts(state, { kind: "tried", at: now as Timestamp }, LIMITS);
          state = step.state;
          if (step.wait === 0) taken += 1;
          // Nobody ever waits longer than the longest wait from now.
          expect(step.wait).toBeLessThanOrEqual(LIMITS.longestWait);
        }
        let [allowed, time] = [0, 0];
        while (time <= now) {
          allowed += 1;
          time += waitAfter(allowed, LIMITS);
          if (allowed > gaps.length) break;
        }
        expect(taken).toBeLessThanOrEqual(Math.min(allowed, gaps.length));
      }),
    );
  });

  it("forgets after a quiet time", () => {
    const state: Attempts = { failures: 20, last: 0 as Timestamp, until: 60_000 as Timestamp };
    const step = stepAttempts(state, { kind: "tried", at: LIMITS.forget as number as Timestamp }, LIMITS);
    expect(step).toMatchObject({ wait: 0, state: { failures: 1 } });
  });
});

describe("LoginGuard", () => {
  it("is not cleared for a source by an account of its own", () => {
    const guard = new LoginGuard(new FakeClock());
    let refused = 0;
    for (let round = 0; round < 30; round++) {
      if (guard.begin("s", `victim${round}`) > 0) refused += 1;
      if (guard.begin("s", "own") === 0) guard.succeeded("s", "own");
    }
    expect(refused).toBeGreaterThanOrEqual(19);
  });

  it("counts nothing that was not looked at", () => {
    const guard = new LoginGuard(new FakeClock());
    for (let round = 0; round < 100; round++) {
      expect(guard.begin("s", "alice")).toBe(0);
      guard.dropped("s", "alice");
    }
  });

  it("refuses what is begun while others are still on their way", () => {
    const guard = new LoginGuard(new FakeClock());
    const waits = Array.from({ length: 20 }, () => guard.begin("s", "alice"));
    expect(waits.filter((wait) => wait === 0)).toHaveLength(6);
  });

  it("keeps a bounded number of names", () => {
    const guard = new LoginGuard(new FakeClock());
    for (let index = 0; index < 70_000; index++) guard.begin(`s${index}`, `n${index}`);
    expect(guard.begin("s69999", "n1")).toBe(0);
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ProcessClock } from "../../../src/stamp/endpoint/process-clock.js";

/** A true time, of which the wall clock shows whole milliseconds, and a counter that began somewhere. */
class Times {
  now = 1_000_000.3;
  readonly clock = new ProcessClock(
    () => Math.floor(this.now),
    () => this.now - 999_000.7,
  );
}

describe("the process's clock", () => {
  it("is never ahead, and right to a part of a millisecond once it has been read some times", () => {
    const step = fc.double({ min: 0.05, max: 30, noNaN: true });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 30 }), (steps) => {
        const times = new Times();
        const errors: number[] = [];
        for (let count = 0; count < 600; count++) {
          // So that readings are spread over the millisecond, whatever the steps are.
          times.now += (steps[count % steps.length] ?? 1) + count * 0.0137;
          errors.push(times.clock.now() - times.now);
        }
        expect(Math.max(...errors)).toBeLessThanOrEqual(1e-6);
        expect(Math.min(...errors)).toBeGreaterThan(-1.01);
        expect(Math.min(...errors.slice(300))).toBeGreaterThan(-0.3);
      }),
    );
  });

  it.each([-5000, -3, 7, 60_000])("follows a clock that is set by %i ms", (step) => {
    let ahead = 0;
    let now = 5000;
    const clock = new ProcessClock(
      () => Math.floor(now + ahead),
      () => now,
    );
    for (let count = 0; count < 1000; count++) {
      now += 9.7;
      clock.now();
    }
    ahead = step;
    for (let count = 0; count < 1000; count++) {
      now += 9.7;
      clock.now();
    }
    expect(Math.abs(clock.now() - now - ahead)).toBeLessThan(0.2);
  });
});

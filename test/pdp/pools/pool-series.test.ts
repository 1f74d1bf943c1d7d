import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bitsPerSecond, millis, timestamp } from "../../../src/model/units.js";
import { PoolSeries, SERIES_RESOLUTIONS } from "../../../src/pdp/pools/pool-series.js";

/** On the hour. */
const START = 1_699_999_200_000;
const STEPS = SERIES_RESOLUTIONS.map(({ step }) => step);

const reading = (used: number, reserved = 100, refused = 0) => ({
  used: bitsPerSecond(used),
  reserved: bitsPerSecond(reserved),
  refused,
});

const rows = (series: PoolSeries, step: number, since = 0) =>
  series
    .read("p", millis(step), timestamp(since))
    ?.map(({ at, used, reserved, refused, samples }) => [
      (at - START) / 1000,
      used.min,
      used.mean,
      used.max,
      reserved,
      refused,
      samples,
    ]);

describe("the past of a pool", () => {
  it("has every second, and what they come to in coarser steps", () => {
    const series = new PoolSeries();
    for (let second = 0; second <= 20; second += 1) {
      series.put("p", reading(second, 100 + second, second % 2), timestamp(START + 1000 * second));
    }
    expect(rows(series, 1000)?.slice(0, 2)).toEqual([
      [0, 0, 0, 0, 100, 0, 1],
      [1, 1, 1, 1, 101, 1, 1],
    ]);
    expect(rows(series, 1000)).toHaveLength(20);
    expect(rows(series, 10_000)).toEqual([
      [0, 0, 4.5, 9, 109, 5, 10],
      [10, 10, 14.5, 19, 119, 5, 10],
    ]);
    expect(rows(series, 60_000)).toEqual([]);
    expect(rows(series, 10_000, START + 1)).toEqual([[10, 10, 14.5, 19, 119, 5, 10]]);
    expect(series.read("q", millis(1000), timestamp(0))).toBeUndefined();
    expect(series.read("p", millis(2000), timestamp(0))).toBeUndefined();
  });

  it("leaves out times without a reading, and forgets what is older than it keeps", () => {
    const series = new PoolSeries();
    series.put("p", reading(1), timestamp(START));
    series.put("p", reading(2), timestamp(START + 599_000));
    series.put("p", reading(3), timestamp(START + 600_000));
    expect(rows(series, 1000)?.map(([at]) => at)).toEqual([0, 599]);
    series.put("p", reading(4), timestamp(START + 601_000));
    expect(rows(series, 1000)?.map(([at]) => at)).toEqual([599, 600]);
    expect(rows(series, 10_000)?.map(([at]) => at)).toEqual([0, 590]);
  });

  it("counts what a clock that went back brings in the step that goes on", () => {
    const series = new PoolSeries();
    for (const second of [10, 11, 5, 6, 12]) series.put("p", reading(second, 100, 1), timestamp(START + 1000 * second));
    expect(rows(series, 1000)).toEqual([
      [10, 10, 10, 10, 100, 1, 1],
      [11, 5, 22 / 3, 11, 100, 3, 3],
    ]);
  });

  it("agrees with what was put in at every step", () => {
    const readings = fc.array(
      fc.record({
        // Now and then the clock stands still, or goes back.
        after: fc.oneof(
          { arbitrary: fc.integer({ min: 900, max: 1100 }), weight: 9 },
          fc.integer({ min: -3000, max: 40_000 }),
        ),
        used: fc.integer({ min: 0, max: 1e12 }),
        reserved: fc.integer({ min: 0, max: 1e12 }),
        refused: fc.nat({ max: 1000 }),
      }),
      { minLength: 1, maxLength: 120 },
    );
    fc.assert(
      fc.property(readings, (taken) => {
        const series = new PoolSeries();
        let at = START;
        let latest = at;
        for (const { after, used, reserved, refused } of taken) {
          at += after;
          latest = Math.max(latest, at);
          series.put("p", reading(used, reserved, refused), timestamp(at));
        }
        // Ends every step that goes on.
        series.put("p", reading(0), timestamp(latest + 60_000));
        const window = 600_000;
        for (const step of latest - START < window ? STEPS : STEPS.slice(1)) {
          const points = series.read("p", step, timestamp(0)) ?? [];
          const sum = (of: (point: (typeof points)[number]) => number) =>
            points.reduce((total, each) => total + of(each), 0);
          expect(sum(({ samples }) => samples)).toBe(taken.length);
          expect(sum(({ refused }) => refused)).toBe(taken.reduce((total, { refused }) => total + refused, 0));
          const used = taken.map((each) => each.used);
          expect(sum(({ used: { mean }, samples }) => Math.round(mean * samples))).toBeCloseTo(
            used.reduce((total, each) => total + each, 0),
            -3,
          );
          expect(Math.min(...points.map(({ used: { min } }) => min))).toBe(Math.min(...used));
          expect(Math.max(...points.map(({ used: { max } }) => max))).toBe(Math.max(...used));
          expect(points.at(-1)?.reserved).toBe(taken.at(-1)?.reserved);
          expect(points.every((point, index) => index === 0 || point.at > (points[index - 1]?.at ?? 0))).toBe(true);
        }
      }),
    );
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { layoutLadder } from "../../../../src/portal/web/plot/ladder.js";
import { axisFor, niceAbove, pathOf, placed, ticksOf } from "../../../../src/portal/web/plot/scale.js";
import { Series } from "../../../../src/portal/web/plot/series.js";

describe("scales", () => {
  it("end at round numbers that nothing exceeds", () => {
    expect([0.7, 1, 1.1, 3, 20, 21, 0].map(niceAbove)).toEqual([1, 1, 2, 5, 20, 50, 1]);
    fc.assert(
      fc.property(fc.double({ min: 1e-9, max: 1e12, noNaN: true }), (value) => {
        const above = niceAbove(value);
        expect(above).toBeGreaterThanOrEqual(value * (1 - 1e-9));
        expect(above).toBeLessThanOrEqual(value * 2.5 * (1 + 1e-9));
      }),
    );
    expect(axisFor([3, Number.NaN, 17], 10)).toEqual({ low: 0, high: 20 });
    expect(axisFor([], 0.02)).toEqual({ low: 0, high: 0.02 });
    expect(ticksOf({ low: 0, high: 20 }, 2)).toEqual([0, 10, 20]);
  });

  it("place values between their ends, and keep those beyond at the end", () => {
    const axis = { low: 0, high: 10 };
    expect([-5, 0, 5, 10, 50].map((value) => placed(value, axis, 100, 0))).toEqual([100, 100, 50, 0, 0]);
    expect(placed(1, { low: 1, high: 1 }, 3, 4)).toBe(3);
  });
});

describe("a line", () => {
  it("has a gap where nothing was measured", () => {
    const readings = [0, 1, undefined, 3, 4].map((value, at) => ({ at, value }));
    const box = { left: 0, top: 0, width: 4, height: 10 };
    const path = pathOf(readings, { low: 0, high: 4 }, { low: 0, high: 10 }, box);
    expect(path).toBe("M0.0 10.0L1.0 9.0M3.0 7.0L4.0 6.0");
    expect(pathOf([], { low: 0, high: 1 }, { low: 0, high: 1 }, box)).toBe("");
  });

  it("stays in its box", () => {
    const readings = fc.array(
      fc.record({ at: fc.nat(100), value: fc.option(fc.double({ noNaN: true }), { nil: undefined }) }),
    );
    fc.assert(
      fc.property(readings, (given) => {
        const path = pathOf(
          given,
          { low: 0, high: 100 },
          { low: 0, high: 1 },
          { left: 10, top: 5, width: 80, height: 40 },
        );
        for (const [, x, y] of path.matchAll(/[ML]([\d.-]+) ([\d.-]+)/g)) {
          expect(Number(x)).toBeGreaterThanOrEqual(10);
          expect(Number(x)).toBeLessThanOrEqual(90);
          expect(Number(y)).toBeGreaterThanOrEqual(5);
          expect(Number(y)).toBeLessThanOrEqual(45);
        }
      }),
    );
  });
});

describe("a series", () => {
  it("keeps what is young enough", () => {
    const series = new Series(100);
    for (let at = 0; at <= 1000; at += 10) series.add(at, at);
    expect(series.readings[0]?.at).toBe(900);
    expect(series.readings).toHaveLength(11);
    expect(series.latest).toBe(1000);
    expect(new Series(1).latest).toBeUndefined();
  });
});

describe("a ladder", () => {
  it("has its hosts in the order in which they take part, and messages below each other", () => {
    const message = (at: number, from: string, to: string) => ({ at, from, to, message: "M" });
    const { hosts, arrows, width, height } = layoutLadder([
      message(5, "b", "a"),
      message(6, "a", "c"),
      message(9, "c", "c"),
    ]);
    expect(hosts.map(({ name }) => name)).toEqual(["b", "a", "c"]);
    expect(arrows.map(({ after }) => after)).toEqual([0, 1, 4]);
    const [first, second] = arrows;
    expect(first!.from).toBeLessThan(first!.to);
    expect(second!.y).toBeGreaterThan(first!.y);
    for (const { x } of hosts) expect(x).toBeLessThan(width);
    for (const { y } of arrows) expect(y).toBeLessThan(height);
    expect(layoutLadder([]).hosts).toEqual([]);
  });
});

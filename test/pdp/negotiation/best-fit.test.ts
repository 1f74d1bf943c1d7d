import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TrafficSpec } from "../../../src/model/flow.js";
import { bitsPerSecond, octets } from "../../../src/model/units.js";
import { bestFit, type TrafficRange, trafficAt } from "../../../src/pdp/negotiation/best-fit.js";

const traffic = (rate: number, packetsPerSecond = 50): TrafficSpec => ({
  rate: bitsPerSecond(rate),
  burst: octets(Math.ceil(rate / 16)),
  packetsPerSecond,
});
const range = (least: number, most: number): TrafficRange => ({ least: traffic(least), most: traffic(most) });
const sumOf = (one: TrafficSpec = traffic(0), other: TrafficSpec = traffic(0)): TrafficSpec => ({
  rate: bitsPerSecond(one.rate + other.rate),
  burst: octets(one.burst + other.burst),
  packetsPerSecond: one.packetsPerSecond + other.packetsPerSecond,
});
const rates = (specs: readonly TrafficSpec[] | undefined) => specs?.map(({ rate }) => rate);
const within = (room: number) => (specs: readonly TrafficSpec[]) =>
  specs.reduce((sum, { rate }) => sum + rate, 0) <= room;

describe("the best that fits", () => {
  it.each([
    ["what is wanted", [range(32_000, 64_000)], 64_000, [64_000]],
    ["the largest whole kbit/s below it", [range(32_000, 64_000)], 50_999, [50_000]],
    ["the least", [range(32_000, 64_000)], 32_000, [32_000]],
    ["the least although it is no whole kbit/s", [range(32_500, 64_000)], 32_900, [32_500]],
    ["the next whole kbit/s after it", [range(32_500, 64_000)], 33_000, [33_000]],
    ["the wanted rate although it is no whole kbit/s", [range(32_000, 64_700)], 64_700, [64_700]],
    ["nothing below the least", [range(32_000, 64_000)], 31_999, undefined],
    ["nothing where there is no range", [range(64_000, 64_000)], 63_999, undefined],
    [
      "the same part of each range, and the rest in order",
      [range(0, 10_000), range(0, 20_000)],
      17_000,
      [6000, 11_000],
    ],
    ["what is fixed before what is not", [range(50_000, 50_000), range(10_000, 40_000)], 75_000, [50_000, 25_000]],
    ["nothing for nobody", [], 0, []],
  ])("is %s", (_, ranges, room, expected) => {
    expect(rates(bestFit(ranges, within(room)))).toEqual(expected);
  });

  /** Pools with room, and which of the flows go through each. */
  const problem = fc.integer({ min: 1, max: 5 }).chain((flows) =>
    fc.record({
      ranges: fc.array(
        fc.tuple(fc.integer({ min: 1, max: 300_000 }), fc.integer({ min: 0, max: 300_000 })).map(([least, more]) => ({
          least: traffic(least, more === 0 ? 50 : 20),
          most: traffic(least + more, 50),
        })),
        { minLength: flows, maxLength: flows },
      ),
      pools: fc.array(
        fc.record({
          room: fc.integer({ min: 0, max: 1_500_000 }),
          through: fc.array(fc.boolean(), { minLength: flows, maxLength: flows }),
        }),
        { minLength: 1, maxLength: 4 },
      ),
    }),
  );

  it("is never more than the room, never less than the least, and could be no step larger anywhere", () => {
    fc.assert(
      fc.property(problem, ({ ranges, pools }) => {
        const fits = (specs: readonly TrafficSpec[]): boolean =>
          pools.every(({ room, through }) => {
            const layer2 = specs.map(({ rate, packetsPerSecond }) => rate + packetsPerSecond * 14 * 8);
            return layer2.reduce((sum, rate, index) => sum + (through[index] ? rate : 0), 0) <= room;
          });
        const found = bestFit(ranges, fits);
        // Twice each, so that there are some that are alike.
        const twice = [...ranges, ...ranges];
        const half = (specs: readonly TrafficSpec[]) =>
          fits(ranges.map((_, index) => sumOf(specs[index], specs[index + ranges.length])));
        const kindOf = (index: number) => `like ${index % ranges.length}`;
        expect(bestFit(twice, half, kindOf)).toEqual(bestFit(twice, half));
        expect(found === undefined).toBe(!fits(ranges.map(({ least }) => least)));
        if (found === undefined) return;
        expect(fits(found)).toBe(true);
        for (const [index, each] of ranges.entries()) {
          const { rate = 0 } = found[index] ?? {};
          expect(rate).toBeGreaterThanOrEqual(each.least.rate);
          expect(rate).toBeLessThanOrEqual(each.most.rate);
          const isStep = rate % 1000 === 0 || rate === each.least.rate || rate === each.most.rate;
          expect(isStep).toBe(true);
          const larger = trafficAt(each, Math.min(each.most.rate, (Math.floor(rate / 1000) + 1) * 1000));
          if (larger.rate > rate) expect(fits(found.with(index, larger))).toBe(false);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("asks some twenty times for each flow, whatever the rates", () => {
    let asked = 0;
    bestFit([range(1000, 900_000_000), range(1000, 900_000_000)], (specs) => {
      asked += 1;
      return within(100_000_000)(specs);
    });
    expect(asked).toBeLessThan(70);
  });

  it("asks once for all that are alike, where there is no room for another step", () => {
    let asked = 0;
    const alike = Array.from({ length: 30 }, () => range(0, 100_000));
    const fits = (specs: readonly TrafficSpec[]): boolean => {
      asked += 1;
      return within(30 * 50_000)(specs);
    };
    bestFit(alike, fits, () => "alike");
    expect(asked).toBeLessThan(15);
  });
});

describe("traffic within a range", () => {
  it("has bucket and packets in proportion, and a packet size only where both ends have the same", () => {
    const least = { rate: bitsPerSecond(40_000), burst: octets(1000), packetsPerSecond: 25, packetSize: octets(200) };
    const most = { rate: bitsPerSecond(80_000), burst: octets(2000), packetsPerSecond: 50, packetSize: octets(200) };
    expect(trafficAt({ least, most }, 60_000)).toEqual({
      ...{ rate: 60_000, burst: 1500, packetsPerSecond: 38, packetSize: 200 },
    });
    expect(trafficAt({ least, most: { ...most, packetSize: octets(300) } }, 60_000)).not.toHaveProperty("packetSize");
    expect([trafficAt({ least, most }, 10_000), trafficAt({ least, most }, 90_000)]).toEqual([least, most]);
  });
});

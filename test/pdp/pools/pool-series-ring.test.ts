import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RowBudget, type SeriesBucket, SeriesRing } from "../../../src/pdp/pools/pool-series-ring.js";

const bucket = (slot: number, used: number): SeriesBucket => ({
  slot,
  samples: 1,
  min: used,
  max: used,
  sum: used,
  reserved: 9,
  refused: 0,
});

describe("a ring of the past", () => {
  it("gives back what was put in, gaps left out, as far back as it goes", () => {
    const steps = fc.array(fc.record({ skip: fc.nat({ max: 12 }), used: fc.nat({ max: 2 }) }), { maxLength: 200 });
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 20 }), fc.nat({ max: 400 }), (taken, slots, from) => {
        const ring = new SeriesRing(slots, new RowBudget(1000));
        const all: SeriesBucket[] = [];
        let slot = 100;
        for (const { skip, used } of taken) {
          slot += 1 + Math.max(0, skip - 8);
          all.push(bucket(slot, used));
          ring.push(bucket(slot, used));
        }
        const oldest = Math.max(from, slot + 1 - slots);
        expect(ring.read(from)).toEqual(all.filter((each) => each.slot >= oldest));
      }),
    );
  });

  it("takes no rows for what stays the same, and a shorter past when the rows are used up", () => {
    const budget = new RowBudget(10);
    const [resting, busy] = [new SeriesRing(600, budget), new SeriesRing(600, budget)];
    for (let slot = 1; slot <= 600; slot += 1) resting.push(bucket(slot, 5));
    expect(budget.left).toBe(10);
    expect(resting.read(0)).toHaveLength(600);
    for (let slot = 1; slot <= 600; slot += 1) busy.push(bucket(slot, slot));
    expect(budget.left).toBe(0);
    expect(busy.read(0).map(({ slot }) => slot)).toEqual(Array.from({ length: 14 }, (_none, index) => 587 + index));
  });
});

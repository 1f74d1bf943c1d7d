import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Dscp } from "../../../src/model/units.js";
import { aggregateSession } from "../../../src/rsvp/machine/aggregate.js";
import { bandwidthOf } from "../../../src/rsvp/machine/flowspec-algebra.js";
import { chooseTakings, type Holder } from "../../../src/rsvp/machine/preemption.js";
import { B, load } from "./network.js";

const holder = (index: number, rate: number, priority: number, since: number): Holder => ({
  ref: { session: aggregateSession(B, index as Dscp), interface: "c", flow: "*" },
  flowspec: load(rate),
  priority,
  since,
});

describe("whom room is taken from (RFC 4495 §5)", () => {
  it("the least important, of equals the youngest, one after the other", () => {
    const holders = [holder(1, 1000, 9, 5), holder(2, 1000, 1, 1), holder(3, 1000, 1, 2)];
    const dscps = (excess: number) =>
      chooseTakings(holders, excess).map(({ ref, granted }) => [
        ref.session.kind === "aggregate" ? ref.session.dscp : 0,
        granted === undefined ? 0 : bandwidthOf(granted),
      ]);
    expect(dscps(0)).toEqual([]);
    expect(dscps(400)).toEqual([[3, 600]]);
    expect(dscps(1000)).toEqual([[3, 0]]);
    expect(dscps(1500)).toEqual([
      [3, 0],
      [2, 500],
    ]);
  });

  it("gives back what is missing whenever there is that much, and leaves the more important alone", () => {
    const any = fc.array(fc.tuple(fc.integer({ min: 1, max: 9999 }), fc.nat(3)), { maxLength: 12 });
    fc.assert(
      fc.property(any, fc.nat(60_000), (entries, excess) => {
        const holders = entries.map(([rate, priority], index) => holder(index, rate, priority, index));
        const takings = chooseTakings(holders, excess);
        const total = holders.reduce((sum, { flowspec }) => sum + bandwidthOf(flowspec), 0);
        const taken = new Map(
          takings.map(({ ref, granted }) => [ref, granted === undefined ? 0 : bandwidthOf(granted)]),
        );
        const left = holders.reduce((sum, { ref, flowspec }) => sum + (taken.get(ref) ?? bandwidthOf(flowspec)), 0);
        expect(left).toBeLessThanOrEqual(Math.max(0, total - excess));
        expect(takings.filter(({ granted }) => granted !== undefined).length).toBeLessThanOrEqual(1);
        const highest = Math.max(-1, ...holders.filter(({ ref }) => taken.has(ref)).map(({ priority }) => priority));
        const lower = holders.filter(({ priority }) => priority < highest);
        expect(lower.every(({ ref }) => taken.get(ref) === 0)).toBe(true);
      }),
    );
  });
});

/** Shares of one aggregate (RFC 3175 §2.5, §2.9, §2.10). */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { BytesPerSecond } from "../../../src/model/units.js";
import { AggregateShares, aggregateTspec } from "../../../src/rsvp/machine/aggregate-shares.js";
import { load, tspec } from "./network.js";

const rate = (value: number): BytesPerSecond => value as BytesPerSecond;

describe("shares of an aggregate", () => {
  it("wait until there is room, and do not hold up smaller ones", () => {
    const shares = new AggregateShares();
    shares.ask("a", { id: 1, flowspec: load(6000) });
    shares.ask("b", { id: 2, flowspec: load(3000) });
    expect(shares.needed).toBe(9000);
    expect(shares.settle(rate(4000))).toEqual([{ key: "b", id: 2, admit: true }]);
    expect(shares.isWaiting).toBe(true);
    expect(shares.settle(rate(9000))).toEqual([{ key: "a", id: 1, admit: true }]);
    expect(shares.admitted).toBe(9000);
    expect(shares.isWaiting).toBe(false);
  });

  it("keep what they had where more is refused, and give back what they ask no more", () => {
    const shares = new AggregateShares();
    shares.ask("a", { id: 1, flowspec: load(4000) });
    shares.settle(rate(5000));
    shares.ask("a", { id: 2, flowspec: load(6000) });
    shares.ask("b", { id: 1, flowspec: load(2000) });
    expect(shares.settle(rate(5000))).toEqual([]);
    expect(shares.refuse("b")).toEqual([{ key: "b", id: 1, admit: false }]);
    expect(shares.refuse()).toEqual([{ key: "a", id: 2, admit: false }]);
    expect(shares.admitted).toBe(4000);
    shares.ask("a", { id: 3, flowspec: load(1000) });
    expect(shares.settle(rate(0))).toEqual([{ key: "a", id: 3, admit: true }]);
    expect(shares.remove("a")).toBe(true);
    expect([shares.isEmpty, shares.remove("a")]).toEqual([true, false]);
  });

  it("lose the youngest where the aggregate becomes too small", () => {
    const shares = new AggregateShares();
    for (const key of ["a", "b", "c"]) shares.ask(key, { id: 1, flowspec: load(2000) });
    shares.settle(rate(6000));
    expect(shares.shrink(rate(3000))).toEqual(["c", "b"]);
    expect(shares.shrink(rate(3000))).toEqual([]);
  });

  it("are together never more than the room", () => {
    const act = fc.record({
      key: fc.constantFrom("a", "b", "c", "d"),
      what: fc.constantFrom("ask", "remove", "refuse", "room"),
      size: fc.integer({ min: 1, max: 10_000 }),
    });
    fc.assert(
      fc.property(fc.array(act), (acts) => {
        const shares = new AggregateShares();
        let room = rate(8000);
        for (const [id, { key, what, size }] of acts.entries()) {
          if (what === "ask") shares.ask(key, { id, flowspec: load(size) });
          else if (what === "remove") shares.remove(key);
          else if (what === "refuse") shares.refuse();
          else room = rate(size);
          shares.shrink(room);
          shares.settle(room);
          expect(shares.admitted).toBeLessThanOrEqual(room);
          expect(shares.needed).toBeGreaterThanOrEqual(shares.admitted);
        }
      }),
    );
  });
});

describe("the traffic specification of an aggregate", () => {
  const bounds = { block: rate(1000), ceiling: rate(5000) };

  it("is a multiple of the block up to the ceiling, with the bursts of all flows", () => {
    const flows = [tspec(20_000), { ...tspec(20_000), minPoliced: 40, maxPacket: 9000 } as ReturnType<typeof tspec>];
    const sum = { bucket: 4000, minPoliced: 40, maxPacket: 9000, peak: Number.POSITIVE_INFINITY };
    expect(aggregateTspec(flows, rate(3001), bounds)).toEqual({ rate: 4000, ...sum });
    expect(aggregateTspec(flows, rate(4001), bounds).rate).toBe(5000);
    expect(aggregateTspec(flows, rate(9000), bounds).rate).toBe(5000);
  });

  it("can be said whatever flows say", () => {
    const huge = { ...tspec(1), bucket: Math.fround(250e9), peak: Number.POSITIVE_INFINITY } as ReturnType<
      typeof tspec
    >;
    expect(aggregateTspec([huge, huge, huge], rate(0), bounds)).toMatchObject({ rate: 1, bucket: Math.fround(250e9) });
  });
});

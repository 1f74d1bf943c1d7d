import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ZERO_OID } from "../../../src/cops/pr/oid.js";
import { pib } from "../../../src/cops/pr/pib/index.js";
import { encodeRow, pridOf } from "../../../src/cops/pr/prc.js";
import { bitsPerSecond, dscp, kilobitsPerSecond, octets } from "../../../src/model/units.js";
import { aggregateReports, aggregateRow, reservedFor, roomIn } from "../../../src/pdp/router/aggregate-rows.js";

const shapes = fc.record({
  packetSize: fc.integer({ min: 20, max: 65_535 }).map(octets),
  linkOverhead: fc.integer({ min: 0, max: 256 }).map(octets),
});
const rates = fc.integer({ min: 1, max: 1e11 }).map(bitsPerSecond);

describe("rates of pools and of reservations", () => {
  it("differ by the link's part of the largest packets", () => {
    const voice = { packetSize: octets(200), linkOverhead: octets(14) };
    expect(reservedFor(kilobitsPerSecond(500), voice)).toBe(468_000);
    expect(roomIn(kilobitsPerSecond(468), voice)).toBe(500_760);
    expect(reservedFor(bitsPerSecond(0), voice)).toBe(1000);
  });

  it("keep the promise of layer 2: what is asked for comes back, and no room is made", () => {
    fc.assert(
      fc.property(rates, shapes, (rate, shape) => {
        const reserved = reservedFor(rate, shape);
        expect(roomIn(reserved, shape)).toBeGreaterThanOrEqual(rate);
        // One kbit/s less would not have been enough.
        if (reserved > 1000) expect(roomIn(bitsPerSecond(reserved - 1000), shape)).toBeLessThan(rate);
      }),
    );
  });

  it("hold for any packets up to the largest: what fits the pool fits its reservation", () => {
    const flows = fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 1, max: 1000 })), {
      minLength: 1,
    });
    fc.assert(
      fc.property(shapes, flows, (shape, list) => {
        const sized = list.map(([part, perSecond]) => [Math.ceil(part * shape.packetSize), perSecond] as const);
        const sum = (overhead: number): number =>
          sized.reduce((total, [size, perSecond]) => total + (size + overhead) * perSecond * 8, 0);
        const reserved = reservedFor(bitsPerSecond(sum(shape.linkOverhead)), shape);
        expect(reserved).toBeGreaterThanOrEqual(sum(0));
        expect(reservedFor(roomIn(reserved, shape), shape)).toBe(reserved);
      }),
    );
  });
});

describe("rows", () => {
  it("say what is to be reserved", () => {
    const common = { pool: 3, dscp: dscp(46), burst: octets(5850), packetSize: octets(200), request: 7 };
    const rate = kilobitsPerSecond(468);
    const four = aggregateRow({ ...common, rate, remote: "10.3.0.1" });
    expect(four).toEqual(
      encodeRow(pib.sluiceAggregate, 3, {
        pool: pridOf(pib.sluicePool, 3),
        addrType: "ipv4",
        remoteAddr: Buffer.from([10, 3, 0, 1]),
        dscp: 46,
        rate: 468,
        burstSize: 5850,
        packetSize: 200,
        request: 7,
        ceiling: 0,
        tunnel: ZERO_OID,
      }),
    );
    const more = aggregateRow({ ...common, rate, remote: "10.3.0.1", ceiling: bitsPerSecond(934_001), tunnel: 5 });
    expect(more.values.slice(0, -2)).toEqual(four.values.slice(0, -2));
    expect(more.values.slice(-2)).toEqual([
      { type: "unsigned32", value: 935 },
      { type: "oid", value: pridOf(pib.sluiceTunnel, 5) },
    ]);
    expect(aggregateRow({ ...common, rate, remote: "fd03::1" }).values[2]).toEqual({ type: "integer", value: 2 });
  });

  it("of a report are read, and those that cannot be are left out", () => {
    const row = { pool: pridOf(pib.sluicePool, 3), answers: 468, request: 7, reason: "" } as const;
    const good = encodeRow(pib.sluiceAggregateState, 3, { ...row, outgoing: 300, incoming: null, state: "lost" });
    const bad = { ...good, values: good.values.slice(0, 3) };
    const usage = encodeRow(pib.sluicePool, 3, { name: "a", queue: row.pool });
    expect(aggregateReports([bad, usage, good])).toEqual([
      { pool: 3, outgoing: 300_000, incoming: undefined, state: "lost", request: 7, reason: "" },
    ]);
  });
});

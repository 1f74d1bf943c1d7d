import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { BytesPerSecond, Octets } from "../../../src/model/units.js";
import type { Flowspec, TokenBucket } from "../../../src/rsvp/codec/objects.js";
import { tokenBucketFault, UNLIMITED_PEAK } from "../../../src/rsvp/codec/token-bucket.js";
import {
  bandwidthOf,
  blockades,
  covers,
  flowspecEqual,
  glbFlowspecs,
  glbTspecs,
  limitFlowspec,
  mergeFlowspecs,
  mergeTspecs,
  minTspec,
  shrinkTo,
  sumTspecs,
  tspecCovers,
} from "../../../src/rsvp/machine/flowspec-algebra.js";
import { load } from "./network.js";

const anyTspec: fc.Arbitrary<TokenBucket> = fc
  .record({
    rate: fc.integer({ min: 1, max: 1_000_000 }),
    bucket: fc.integer({ min: 1500, max: 100_000 }),
    above: fc.oneof(fc.integer({ min: 0, max: 1_000_000 }), fc.constant(UNLIMITED_PEAK)),
    minPoliced: fc.integer({ min: 1, max: 600 }),
    over: fc.integer({ min: 0, max: 900 }),
  })
  .map(({ rate, bucket, above, minPoliced, over }) => ({
    rate: rate as BytesPerSecond,
    bucket: bucket as Octets,
    peak: (rate + above) as BytesPerSecond,
    minPoliced: minPoliced as Octets,
    maxPacket: (minPoliced + over) as Octets,
  }));

const controlled = anyTspec.map((tspec): Flowspec => ({ kind: "controlledLoad", tspec }));
const guaranteed = fc.tuple(anyTspec, fc.nat(1_000_000), fc.nat(10_000)).map(
  ([tspec, above, slackMicros]): Flowspec => ({
    kind: "guaranteed",
    tspec,
    rate: (tspec.rate + above) as BytesPerSecond,
    slackMicros,
  }),
);
const pairs = fc.oneof(fc.tuple(controlled, controlled, controlled), fc.tuple(guaranteed, guaranteed, guaranteed));

describe.each([
  ["merge", (a: Flowspec, b: Flowspec) => mergeFlowspecs([a, b])],
  ["GLB", (a: Flowspec, b: Flowspec) => glbFlowspecs([a, b])],
])("%s of flowspecs", (_name, join) => {
  it("is commutative, associative and idempotent", () => {
    fc.assert(
      fc.property(pairs, ([a, b, c]) => {
        expect(join(a, b)).toEqual(join(b, a));
        expect(join(join(a, b), c)).toEqual(join(a, join(b, c)));
        expect(join(a, a)).toEqual(a);
      }),
    );
  });

  it("is monotone", () => {
    fc.assert(
      fc.property(pairs, ([a, b, c]) => {
        const larger: Flowspec = { ...a, tspec: mergeTspecs(a.tspec, b.tspec) };
        const sameSizes = (flowspec: Flowspec): Flowspec => ({
          ...flowspec,
          tspec: { ...flowspec.tspec, minPoliced: 60 as Octets, maxPacket: 1500 as Octets },
        });
        expect(covers(join(sameSizes(larger), sameSizes(c)), join(sameSizes(a), sameSizes(c)))).toBe(true);
      }),
    );
  });

  it("makes what the wire can say", () => {
    fc.assert(
      fc.property(pairs, ([a, b]) => {
        expect(tokenBucketFault(join(a, b).tspec)).toBeUndefined();
      }),
    );
  });
});

describe("order (RFC 2211 §8, RFC 2212)", () => {
  it("is a partial order", () => {
    fc.assert(
      fc.property(pairs, ([a, b, c]) => {
        expect(covers(a, a)).toBe(true);
        if (covers(a, b) && covers(b, c)) expect(covers(a, c)).toBe(true);
        if (covers(a, b) && covers(b, a)) expect(a).toEqual(b);
      }),
    );
  });

  it("puts the merger above both, but for the packet size, and the GLB below both", () => {
    fc.assert(
      fc.property(pairs, ([a, b]) => {
        const { maxPacket } = a.tspec;
        const alike: Flowspec = { ...b, tspec: { ...b.tspec, maxPacket, minPoliced: a.tspec.minPoliced } };
        const merged = mergeFlowspecs([a, alike]);
        expect([covers(merged, a), covers(merged, alike)]).toEqual([true, true]);
        const lower = glbFlowspecs([a, alike]);
        expect([covers(a, lower), covers(alike, lower)]).toEqual([true, true]);
      }),
    );
  });

  it("merges to the smallest packet size on purpose, and to the smallest policed unit", () => {
    const a = { ...load(1).tspec, minPoliced: 40 as Octets, maxPacket: 1500 as Octets };
    const b = { ...load(2).tspec, minPoliced: 60 as Octets, maxPacket: 576 as Octets };
    expect(mergeTspecs(a, b)).toMatchObject({ rate: 2, minPoliced: 40, maxPacket: 576 });
    expect(glbTspecs(a, b)).toMatchObject({ rate: 1, minPoliced: 60, maxPacket: 576 });
  });

  it("knows no order between services", () => {
    const other: Flowspec = { ...load(1), kind: "guaranteed", rate: 5 as BytesPerSecond, slackMicros: 0 };
    expect([covers(load(9), other), covers(other, load(0.5))]).toEqual([false, false]);
    expect(() => mergeFlowspecs([load(1), other])).toThrow("different services");
  });
});

describe("sum and minimum", () => {
  it("sum is commutative, associative and covers what it was made of", () => {
    fc.assert(
      fc.property(anyTspec, anyTspec, anyTspec, (a, b, c) => {
        expect(sumTspecs(a, b)).toEqual(sumTspecs(b, a));
        expect(sumTspecs(sumTspecs(a, b), c)).toEqual(sumTspecs(a, sumTspecs(b, c)));
        expect([tspecCovers(sumTspecs(a, b), a), tspecCovers(sumTspecs(a, b), b)]).toEqual([true, true]);
      }),
    );
  });

  it("minimum of ordered TSpecs is the smaller one, of others takes the larger bucket", () => {
    fc.assert(
      fc.property(anyTspec, anyTspec, (a, b) => {
        const least = minTspec(a, b);
        expect(least).toEqual(minTspec(b, a));
        if (tspecCovers(a, b)) expect(least).toEqual(b);
        else if (!tspecCovers(b, a)) expect(least.bucket).toBe(Math.max(a.bucket, b.bucket));
        expect(least.rate).toBe(Math.min(a.rate, b.rate));
      }),
    );
  });

  it("limits a flowspec to what the senders send", () => {
    expect(limitFlowspec(load(500), load(100).tspec)).toEqual(load(100));
    expect(limitFlowspec(load(100), load(500).tspec)).toEqual(load(100));
  });
});

describe("shrinking (RFC 4495 §5.2)", () => {
  it("leaves at most the bandwidth, less than before, and what the wire can say", () => {
    fc.assert(
      fc.property(
        fc.oneof(controlled, guaranteed),
        fc.double({ min: 0.001, max: 0.999, noNaN: true }),
        (before, part) => {
          const bandwidth = (bandwidthOf(before) * part) as BytesPerSecond;
          const after = shrinkTo(before, bandwidth);
          if (after === undefined) {
            expect(bandwidth).toBeLessThan(1);
            return;
          }
          expect(bandwidthOf(after)).toBeLessThanOrEqual(bandwidth);
          expect(covers(before, after)).toBe(true);
          expect(tokenBucketFault(after.tspec)).toBeUndefined();
          for (const value of [after.tspec.rate, after.tspec.peak]) expect(Math.fround(value)).toBe(value);
        },
      ),
    );
  });
});

describe("blockade (RFC 2205 §3.5)", () => {
  it("holds back what is as large or larger, and lets through what is strictly smaller", () => {
    expect(blockades(load(100), load(100))).toBe(true);
    expect(blockades(load(100), load(200))).toBe(true);
    expect(blockades(load(100), load(50))).toBe(false);
  });

  it("never lets through what it equals", () => {
    fc.assert(
      fc.property(fc.oneof(controlled, guaranteed), (flowspec) => {
        expect(flowspecEqual(flowspec, flowspec)).toBe(true);
        expect(blockades(flowspec, flowspec)).toBe(true);
      }),
    );
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytesPerSecond, dscp, octets } from "../../../src/model/units.js";
import { filterKey, phbIdOf, sessionKey } from "../../../src/rsvp/codec/keys.js";
import { floatUp, tokenBucket, tokenBucketFault, UNLIMITED_PEAK } from "../../../src/rsvp/codec/token-bucket.js";

describe("a float of the wire", () => {
  it("is never below what it stands for, and at most one step above", () => {
    fc.assert(
      fc.property(fc.double({ min: 1, max: 4e13, noNaN: true }), (value) => {
        const up = floatUp(value);
        expect(Math.fround(up)).toBe(up);
        expect(up).toBeGreaterThanOrEqual(value);
        expect(up - value).toBeLessThan(value * 2 ** -22);
      }),
    );
  });

  it.each([1, 10_000, 80_000.5, Number.POSITIVE_INFINITY])("%d is one already", (value) => {
    expect(floatUp(value)).toBe(value);
  });

  it("is the next one above where the nearest is below", () => {
    expect(floatUp(16_777_217)).toBe(16_777_218);
  });
});

describe("a token bucket", () => {
  const values = {
    rate: bytesPerSecond(16_777_217),
    bucket: octets(400),
    peak: bytesPerSecond(16_777_217),
    minPoliced: octets(200),
    maxPacket: octets(200),
  };

  it("is rounded up, and its peak stays at or above its rate", () => {
    expect(tokenBucket(values)).toMatchObject({ rate: 16_777_218, peak: 16_777_218 });
    expect(tokenBucket({ ...values, peak: UNLIMITED_PEAK }).peak).toBe(Number.POSITIVE_INFINITY);
  });

  it("is refused as a defect if RFC 2211 does not allow it", () => {
    expect(() => tokenBucket({ ...values, rate: bytesPerSecond(0) })).toThrow(/rate 0/);
    expect(tokenBucketFault({ ...values, peak: bytesPerSecond(100) })).toMatch(/below the token bucket rate/);
    expect(tokenBucketFault(values)).toBeUndefined();
  });
});

describe("keys", () => {
  it("leave out flags, and tell kinds of sessions apart", () => {
    const aggregate = { kind: "aggregate", destination: "10.0.0.1", dscp: dscp(46), ePolice: false } as const;
    expect(sessionKey({ ...aggregate, ePolice: true })).toBe(sessionKey(aggregate));
    const flow = { kind: "ip", destination: "10.0.0.1", protocol: 46, port: 0, ePolice: false } as const;
    expect(sessionKey(flow)).not.toBe(sessionKey(aggregate));
    expect(filterKey({ address: "10.0.0.1" })).not.toBe(filterKey({ address: "10.0.0.1", port: 0 }));
  });

  it("give EF the PHB identification code of RFC 3140", () => {
    expect(phbIdOf(dscp(46))).toBe(0xb800);
  });
});

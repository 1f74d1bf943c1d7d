import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { millis, seconds, timestamp } from "../../../src/model/units.js";
import { NonceMaker } from "../../../src/sip/auth/nonce.js";
import { NonceCounts } from "../../../src/sip/auth/nonce-counts.js";

const T0 = 1_700_000_000_000;
const at = (offset: number) => timestamp(T0 + offset);
const HOME = "198.51.100.1";
const use = (offset: number, source = HOME) => ({ source, now: at(offset) });
const maker = () => new NonceMaker({ random: randomBytes, life: seconds(300) });

describe("a nonce", () => {
  it("is known to its maker for its life, and to nobody else", () => {
    const one = maker();
    const nonce = one.make(use(0));
    expect(one.read(nonce, use(299_000))).toBe(at(0));
    expect(one.read(nonce, use(301_000))).toBeUndefined();
    expect(one.read(nonce, use(-1))).toBeUndefined();
    expect(maker().read(nonce, use(0))).toBeUndefined();
  });

  it("is for the source that it was sent to: an address of IPv4, a /64 of IPv6", () => {
    const one = maker();
    expect(one.read(one.make(use(0)), use(1, "198.51.100.2"))).toBeUndefined();
    expect(one.read(one.make(use(0)), use(1, "::ffff:198.51.100.1"))).toBe(at(0));
    const six = one.make(use(0, "2001:db8::1"));
    expect(one.read(six, use(1, "2001:db8::ffff:2"))).toBe(at(0));
    expect(one.read(six, use(1, "2001:db8:0:1::1"))).toBeUndefined();
  });

  it("differs from any other of the same moment", () => {
    const one = maker();
    const many = new Set(Array.from({ length: 1000 }, () => one.make(use(0))));
    expect(many.size).toBe(1000);
  });

  it("does not survive a change of any character", () => {
    const one = maker();
    const nonce = one.make(use(0));
    fc.assert(
      fc.property(fc.nat(nonce.length - 1), fc.constantFrom(..."ABCabc012-_"), (index, char) => {
        fc.pre(nonce[index] !== char);
        const forged = nonce.slice(0, index) + char + nonce.slice(index + 1);
        expect(one.read(forged, use(1))).toBeUndefined();
      }),
    );
  });

  it("is no other text", () => {
    const one = maker();
    fc.assert(fc.property(fc.string({ maxLength: 60 }), (text) => one.read(text, use(0)) === undefined));
  });
});

describe("nonce counts", () => {
  const times = { made: at(0), now: at(10) };

  it("are taken once each, in whatever order they come", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 80 }), { maxLength: 120 }), (counts) => {
        const used = new NonceCounts(10, millis(300_000));
        const taken = new Set<number>();
        let highest = 0;
        for (const nc of counts) {
          const got = used.take("n", nc, times);
          if (got) {
            expect(taken.has(nc)).toBe(false);
            taken.add(nc);
          } else {
            // Not 0, not yet taken, and not so old that nobody can tell.
            expect(nc === 0 || taken.has(nc) || nc <= highest - 32).toBe(true);
          }
          if (got) highest = Math.max(highest, nc);
        }
      }),
    );
  });

  it("of a nonce that was forgotten are never taken again", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(40), { minLength: 1, maxLength: 200 }), (order) => {
        const used = new NonceCounts(5, millis(300_000));
        const taken = new Set<number>();
        for (const nonce of order) {
          const got = used.take(String(nonce), 1, { made: at(nonce), now: at(100) });
          expect(got && taken.has(nonce)).toBe(false);
          if (got) taken.add(nonce);
          expect(used.size).toBeLessThanOrEqual(5);
        }
      }),
    );
  });

  it("of nonces that have run out make room without harm to others", () => {
    const used = new NonceCounts(2, millis(1000));
    expect(used.take("a", 1, { made: at(0), now: at(0) })).toBe(true);
    expect(used.take("b", 1, { made: at(900), now: at(900) })).toBe(true);
    expect(used.take("c", 1, { made: at(1500), now: at(1500) })).toBe(true);
    expect(used.take("d", 1, { made: at(950), now: at(1500) })).toBe(true);
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limiterMatch, limiterOf, limiterText } from "../../../src/kernel/iptables/limiter.js";
import { bitsPerSecond, kilobitsPerSecond, octets, toBytesPerSecond } from "../../../src/model/units.js";
import { flow } from "../fixtures.js";

/** As xt_hashlimit and iptables compute them. */
const chunksPerSecond = (argument: number): number => Math.floor(argument / 16) + 1;
const chunksOf = (length: number): number => Math.floor(length / 16) + 1;

const rates = fc.integer({ min: 1, max: 16_000_000_000 });
const bursts = fc.integer({ min: 0, max: 0xffffffff });

describe("limiter", () => {
  it("counts packets where their size is known", () => {
    const rule = flow(1, { rate: kilobitsPerSecond(80), burst: octets(2000), packetSize: octets(200) });
    expect(limiterOf(rule)).toEqual({ unit: "packets", perDay: 50 * 86_400, burst: 10 });
    expect(limiterOf({ ...rule, burst: octets(0) })).toMatchObject({ burst: 1 });
  });

  it("counts octets where it is not, or where packets come too fast to be counted", () => {
    expect(limiterOf(flow(1))).toEqual({ unit: "octets", perSecond: 664 * 16, extra: 0 });
    expect(limiterOf(flow(1, { burst: octets(25_000) }))).toMatchObject({ extra: 2 });
    const fast = flow(1, { rate: kilobitsPerSecond(80_000), packetSize: octets(200) });
    expect(limiterOf(fast)?.unit).toBe("octets");
  });

  it("never lets through less than the rate, and at most a sixteenth more", () => {
    const size = fc.integer({ min: 256, max: 1500 });
    fc.assert(
      fc.property(rates, bursts, size, (rate, burst, length) => {
        const rule = flow(1, { rate: bitsPerSecond(rate), burst: octets(burst) });
        const limiter = limiterOf(rule);
        if (limiter?.unit !== "octets") return expect.unreachable();
        const wanted = toBytesPerSecond(rule.rate);
        const chunks = chunksPerSecond(limiter.perSecond);
        expect((chunks / chunksOf(length)) * length).toBeGreaterThanOrEqual(wanted * (1 - 1e-9));
        expect(chunks * 16).toBeLessThanOrEqual(wanted * (17 / 16) + 32);
        const depth = (limiter.extra + 1) * chunks * 16;
        expect(depth).toBeGreaterThanOrEqual(Math.min((burst * 17) / 16, 0xe0000000));
      }),
    );
  });

  it("is exact for packets of a known size, in either unit", () => {
    fc.assert(
      fc.property(rates, fc.integer({ min: 20, max: 0xffff }), (rate, packetSize) => {
        const rule = flow(1, { rate: bitsPerSecond(rate), packetSize: octets(packetSize) });
        const limiter = limiterOf(rule);
        const packets = toBytesPerSecond(rule.rate) / packetSize;
        if (limiter === undefined) return;
        if (limiter.unit === "packets") {
          expect(limiter.perDay / 86_400).toBeGreaterThanOrEqual(packets * (1 - 1e-12));
          expect(limiter.perDay / 86_400 - packets).toBeLessThanOrEqual(1 / 86_400 + 1e-9);
        } else {
          const most = chunksPerSecond(limiter.perSecond) / chunksOf(packetSize);
          expect(most).toBeGreaterThanOrEqual(packets * (1 - 1e-12));
          expect(most - packets).toBeLessThanOrEqual(2);
        }
      }),
    );
  });

  it("refuses what hashlimit cannot count", () => {
    expect(limiterOf(flow(1, { rate: bitsPerSecond(40e9) }))).toBeUndefined();
  });

  it("gives one text to limiters that are the same, and keeps a bucket until it is full again", () => {
    const slow = limiterOf(flow(1, { rate: bitsPerSecond(8000), burst: octets(50_000), packetSize: octets(1000) }));
    expect(limiterText(slow!)).toBe("p86400x50");
    const match = limiterMatch(slow!, "sluice-udp-p86400x50", 4096);
    expect(match).toContain("--hashlimit-above 86400/day --hashlimit-burst 50 ");
    expect(match).toContain("--hashlimit-htable-expire 50000");
    expect(match).toContain("--hashlimit-mode srcip,dstip,dstport ");
    const deep = limiterOf(flow(1, { burst: octets(25_000) }))!;
    expect(limiterMatch(deep, "x", 4096)).toMatch(/--hashlimit-above 10624b\/s --hashlimit-burst 21248b /);
  });
});

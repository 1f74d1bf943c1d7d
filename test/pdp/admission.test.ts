import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bitsPerSecond, octets } from "../../src/model/units.js";
import { coverBoth, needsOf, rateOf } from "../../src/pdp/admission.js";

const traffic = { rate: bitsPerSecond(80_000), burst: octets(2000), packetsPerSecond: 50 };
const flow = (direction: "up" | "down", rate = 80_000) => ({
  direction,
  traffic: { ...traffic, rate: bitsPerSecond(rate) },
});
const need = (pool: string, up: number, down: number) => ({ pool, up: bitsPerSecond(up), down: bitsPerSecond(down) });

describe("what a session needs", () => {
  it("is counted at layer 2, of each pool once, in the direction that its packets have there", () => {
    const up = {
      pool: "a-b",
      takes: [
        { pool: "access", direction: "up" },
        { pool: "a-b", direction: "down" },
      ],
    } as const;
    const down = {
      pool: "b-a",
      takes: [
        { pool: "b-a", direction: "up" },
        { pool: "access", direction: "down" },
      ],
    } as const;
    expect(needsOf([flow("up"), flow("up", 1000), flow("down")], [up, up, down], octets(14))).toEqual([
      need("access", 92_200, 85_600),
      need("a-b", 0, 92_200),
      need("b-a", 85_600, 0),
    ]);
    expect([rateOf([flow("up"), flow("down", 9)], "up"), rateOf([flow("up")], "down")]).toEqual([80_000, 0]);
  });

  it("counts a tunnel's octets in each packet, in the pool and on the links on its way", () => {
    const inTunnel = {
      pool: "a-b",
      takes: [
        { pool: "a-b", direction: "up" },
        { pool: "access", direction: "up" },
      ],
      tunnelOverhead: octets(50),
    } as const;
    const plain = { pool: "a-c", takes: [{ pool: "access", direction: "up" }] } as const;
    // 50 packets/s of 64 octets more, and of 14.
    expect(needsOf([flow("up"), flow("up")], [inTunnel, plain], octets(14))).toEqual([
      need("a-b", 105_600, 0),
      need("access", 105_600 + 85_600, 0),
    ]);
  });

  it("is the larger of both while a session changes", () => {
    expect(coverBoth([need("p", 10, 50), need("old", 5, 5)], [need("new", 1, 2), need("p", 30, 20)])).toEqual([
      need("new", 1, 2),
      need("p", 30, 50),
      need("old", 5, 5),
    ]);
  });

  it("covers what was and what will be, and no more", () => {
    const rate = fc.integer({ min: 0, max: 99 });
    const one = fc.record({ pool: fc.constantFrom("p", "q", "r"), up: rate, down: rate });
    const list = fc
      .uniqueArray(one, { selector: ({ pool }) => pool })
      .map((needs) => needs.map(({ pool, up, down }) => need(pool, up, down)));
    fc.assert(
      fc.property(list, list, (now, next) => {
        const both = coverBoth(now, next);
        for (const pool of ["p", "q", "r"]) {
          const of = (needs: typeof now) => needs.filter((item) => item.pool === pool);
          const most = (way: "up" | "down") =>
            Math.max(0, ...[...of([...now]), ...of([...next])].map((item) => item[way]));
          const sum = (way: "up" | "down") => of([...both]).reduce((total, item) => total + item[way], 0);
          expect([sum("up"), sum("down")]).toEqual([most("up"), most("down")]);
        }
      }),
    );
  });
});

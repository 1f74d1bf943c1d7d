import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SessionId } from "../../../src/model/session.js";
import { bitsPerSecond, timestamp } from "../../../src/model/units.js";
import { chooseVictims, type Holder } from "../../../src/pdp/pools/shedding.js";

const rates = (up: number, down = up) => ({ up: bitsPerSecond(up), down: bitsPerSecond(down) });
const holder = (session: string, priority: number, since: number, held = rates(80)): Holder => ({
  session: session as SessionId,
  held,
  priority,
  since: timestamp(since),
});

describe("shedding", () => {
  it("takes the least important first, and of equals the youngest", () => {
    const holders = [holder("old", 1, 10), holder("young", 1, 30), holder("low", 0, 5), holder("high", 7, 40)];
    expect(chooseVictims(holders, rates(80))).toEqual(["low"]);
    expect(chooseVictims(holders, rates(81))).toEqual(["low", "young"]);
    expect(chooseVictims(holders, rates(240))).toEqual(["low", "young", "old"]);
    expect(chooseVictims(holders, rates(1000))).toEqual(["low", "young", "old", "high"]);
    expect(chooseVictims(holders, rates(0))).toEqual([]);
  });

  it("spares who holds nothing in the direction that is short", () => {
    const holders = [holder("sends", 0, 1, rates(80, 0)), holder("receives", 3, 1, rates(0, 80))];
    expect(chooseVictims(holders, rates(0, 10))).toEqual(["receives"]);
  });

  it("spares the small ones that a larger one makes needless", () => {
    const holders = [holder("small", 0, 2, rates(10)), holder("large", 1, 1, rates(100))];
    expect(chooseVictims(holders, rates(50))).toEqual(["large"]);
  });

  it("frees enough, with nobody in vain, and never a more important one instead of a lesser that would do", () => {
    const rate = fc.integer({ min: 0, max: 200 });
    const part = fc.double({ min: 0, max: 1, noNaN: true });
    const one = fc.record({ up: rate, down: rate, priority: fc.nat(3), since: fc.nat(5) });
    fc.assert(
      fc.property(fc.array(one, { maxLength: 12 }), part, part, (list, partUp, partDown) => {
        const holders = list.map((item, n) => holder(`${n}`, item.priority, item.since, rates(item.up, item.down)));
        const sum = (who: readonly Holder[], way: "up" | "down"): number =>
          who.reduce((total, { held }) => total + held[way], 0);
        const [up, down] = [Math.floor(partUp * sum(holders, "up")), Math.floor(partDown * sum(holders, "down"))];
        const enough = (who: readonly Holder[]): boolean => sum(who, "up") >= up && sum(who, "down") >= down;
        const victims = new Set(chooseVictims(holders, rates(up, down)));
        const chosen = holders.filter(({ session }) => victims.has(session));
        expect(enough(chosen)).toBe(true);
        for (const victim of chosen) expect(enough(chosen.filter((other) => other !== victim))).toBe(false);
        const most = Math.max(-1, ...chosen.map(({ priority }) => priority));
        expect(most >= 0 && enough(holders.filter(({ priority }) => priority < most))).toBe(false);
      }),
      { numRuns: 1000 },
    );
  });
});

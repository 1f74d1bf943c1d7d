import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Deadlines } from "../../../src/rsvp/machine/deadlines.js";

describe("deadlines", () => {
  it("give the keys that are due in order, whatever was set before", () => {
    const change = fc.tuple(fc.nat(8), fc.oneof(fc.nat(100), fc.constant(Number.POSITIVE_INFINITY)));
    fc.assert(
      fc.property(fc.array(change, { maxLength: 200 }), fc.nat(120), (changes, now) => {
        const deadlines = new Deadlines<number>();
        const model = new Map<number, number>();
        for (const [key, at] of changes) {
          deadlines.set(key, at);
          model.set(key, at);
        }
        const expected = [...model].filter(([, at]) => at <= now).sort((a, b) => a[1] - b[1]);
        expect(deadlines.next()).toBe(Math.min(Number.POSITIVE_INFINITY, ...model.values()));
        const taken: number[] = [];
        for (let key = deadlines.takeDue(now); key !== undefined; key = deadlines.takeDue(now)) taken.push(key);
        expect(taken.map((key) => model.get(key))).toEqual(expected.map(([, at]) => at));
        expect(new Set(taken)).toEqual(new Set(expected.map(([key]) => key)));
      }),
    );
  });

  it("forget a key", () => {
    const deadlines = new Deadlines<string>();
    deadlines.set("a", 5);
    deadlines.delete("a");
    expect([deadlines.next(), deadlines.takeDue(10)]).toEqual([Number.POSITIVE_INFINITY, undefined]);
  });
});

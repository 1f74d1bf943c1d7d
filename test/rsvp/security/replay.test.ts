import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { accept, type ReplayWindow, replayWindow } from "../../../src/rsvp/security/replay-window.js";
import { isLater, SequenceSource, sequenceAt } from "../../../src/rsvp/security/sequence.js";

const MAX = 2n ** 64n - 1n;

/** Which of the numbers are accepted. */
function acceptedOf(size: number, numbers: readonly bigint[]): bigint[] {
  const [first, ...rest] = numbers;
  if (first === undefined) return [];
  let window: ReplayWindow = replayWindow(size, first);
  const accepted = [first];
  for (const number of rest) {
    const next = accept(window, number);
    if (next === undefined) continue;
    window = next;
    accepted.push(number);
  }
  return accepted;
}

describe("the replay window", () => {
  it("of one takes nothing that is not later than all before", () => {
    expect(acceptedOf(1, [5n, 6n, 6n, 5n, 9n, 8n, 10n])).toEqual([5n, 6n, 9n, 10n]);
  });

  it("RFC 2747 §4.2: takes what was overtaken within the window, once", () => {
    expect(acceptedOf(4, [1n, 2n, 5n, 4n, 4n, 3n, 1n, 6n, 2n])).toEqual([1n, 2n, 5n, 4n, 3n, 6n]);
  });

  it("goes on past 2^64", () => {
    expect(acceptedOf(3, [MAX - 1n, MAX, 1n, 0n, MAX, 2n])).toEqual([MAX - 1n, MAX, 1n, 0n, 2n]);
  });

  it("property: never accepts a number twice, and with a window of n loses none that n - 1 or fewer overtook", () => {
    const sizes = fc.integer({ min: 1, max: 16 });
    fc.assert(
      fc.property(sizes, fc.array(fc.bigInt({ min: 0n, max: 40n }), { maxLength: 80 }), (size, numbers) => {
        const accepted = acceptedOf(size, numbers);
        expect(new Set(accepted).size).toBe(accepted.length);
      }),
    );
    fc.assert(
      fc.property(sizes, fc.array(fc.nat(), { minLength: 1, maxLength: 60 }), (size, jitter) => {
        // Shuffled so that none comes before or after more than size - 1 others; the first stays.
        const order = jitter.map((noise, index) => ({ index, at: index + (index < size ? 0 : noise % size) }));
        order.sort((one, other) => one.at - other.at);
        const numbers = order.map(({ index }) => BigInt(index));
        expect(acceptedOf(size, numbers)).toEqual(numbers);
      }),
    );
  });
});

describe("sequence numbers", () => {
  it("follow the clock, and go on after a restart", () => {
    expect(sequenceAt(1500)).toBe((1n << 32n) | (1n << 31n));
    const before = new SequenceSource();
    let last = 0n;
    for (let count = 0; count < 1000; count += 1) last = before.next(1_000_000);
    expect(isLater(new SequenceSource().next(1_000_001), last)).toBe(true);
  });

  it("property: are unique and increasing, whatever the clock does", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 4e12, noNaN: true }), { minLength: 2 }), (times) => {
        const source = new SequenceSource();
        const numbers = times.map((time) => source.next(time));
        numbers.slice(1).forEach((number, index) => {
          expect(isLater(number, numbers[index]!)).toBe(true);
        });
      }),
    );
  });
});

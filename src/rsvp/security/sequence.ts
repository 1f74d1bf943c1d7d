/** Sequence numbers of RFC 2747 §3.2: seeded from the clock, so that they go on after a restart. Compared modulo 2^64. */

const SECOND_BITS = 32n;

/** Whether `one` is later than `other`. */
export const isLater = (one: bigint, other: bigint): boolean => BigInt.asIntN(64, one - other) > 0n;

/** Seconds since 1970 and their fraction, 32 bits each. @param now - epoch ms */
export function sequenceAt(now: number): bigint {
  const seconds = Math.floor(now / 1000);
  const fraction = Math.floor(((now - seconds * 1000) / 1000) * 2 ** 32);
  return BigInt.asUintN(64, (BigInt(seconds) << SECOND_BITS) | BigInt(fraction));
}

/** Unique and increasing, also if the clock stands still or goes back while the process lives. */
export class SequenceSource {
  #last: bigint | undefined;

  next(now: number): bigint {
    const byClock = sequenceAt(now);
    const last = this.#last;
    const next = last === undefined || isLater(byClock, last) ? byClock : BigInt.asUintN(64, last + 1n);
    this.#last = next;
    return next;
  }
}

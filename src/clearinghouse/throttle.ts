/** Token buckets by name: request rates of peers, and how often a complaint about one is logged. */
import type { Clock } from "../model/clock.js";
import type { Timestamp } from "../model/units.js";

interface Bucket {
  tokens: number;
  at: Timestamp;
}

/** Names beyond this are forgotten oldest first; strangers' addresses are names too. */
const NAMES_MAX = 4096;

export class Throttle {
  readonly #clock: Clock;
  readonly #buckets = new Map<string, Bucket>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes one of `burst` tokens of `name`, which come back at `perSecond`; false if there is none. */
  take(name: string, perSecond: number, burst: number): boolean {
    const now = this.#clock.now();
    const bucket = this.#buckets.get(name) ?? { tokens: burst, at: now };
    const tokens = Math.min(burst, bucket.tokens + (Math.max(0, now - bucket.at) / 1000) * perSecond);
    const enough = tokens >= 1;
    if (!this.#buckets.has(name) && this.#buckets.size >= NAMES_MAX) this.#forgetOldest();
    this.#buckets.set(name, { tokens: enough ? tokens - 1 : tokens, at: now });
    return enough;
  }

  #forgetOldest(): void {
    for (const name of this.#buckets.keys()) {
      this.#buckets.delete(name);
      return;
    }
  }
}

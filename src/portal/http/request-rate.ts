/** Token buckets by log-in: how often a page may ask. */
import type { Clock } from "../../model/clock.js";
import type { Timestamp } from "../../model/units.js";

interface Bucket {
  readonly tokens: number;
  readonly at: Timestamp;
}

const PER_SECOND = 20;
const BURST = 60;
const KEYS_MAX = 16_384;

export class RequestRate {
  readonly #clock: Clock;
  readonly #buckets = new Map<string, Bucket>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** False where the key has asked more than 20 times a second, beyond a burst of 60. */
  take(key: string): boolean {
    const at = this.#clock.now();
    const bucket = this.#buckets.get(key) ?? { tokens: BURST, at };
    const tokens = Math.min(BURST, bucket.tokens + (Math.max(0, at - bucket.at) / 1000) * PER_SECOND);
    // The one that was not asked for longest is the first: it is full again, and need not be kept.
    this.#buckets.delete(key);
    if (this.#buckets.size >= KEYS_MAX) {
      const [oldest] = this.#buckets.keys();
      if (oldest !== undefined) this.#buckets.delete(oldest);
    }
    this.#buckets.set(key, { tokens: tokens >= 1 ? tokens - 1 : tokens, at });
    return tokens >= 1;
  }
}

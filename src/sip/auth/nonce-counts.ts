/**
 * Which nonce counts were used (RFC 7616 §3.4: each request with a nonce has a higher `nc`, so that a repeated request can be
 * told). Over UDP requests may overtake each other: the last 32 counts of a nonce are known one by one, older ones are gone.
 */
import type { Millis, Timestamp } from "../../model/units.js";

const WINDOW = 32;

interface Used {
  readonly made: Timestamp;
  highest: number;
  /** Bit n: `highest` - n was used. */
  window: number;
}

export class NonceCounts {
  private readonly used = new Map<string, Used>();
  private readonly limit: number;
  private readonly life: Millis;
  /** Nonces from then or before may have been forgotten, and so are not taken. */
  private floor = Number.NEGATIVE_INFINITY;

  /** @param limit - nonces in use at once; past it the ones used first are forgotten, and count as stale */
  constructor(limit: number, life: Millis) {
    this.limit = limit;
    this.life = life;
  }

  get size(): number {
    return this.used.size;
  }

  /** Takes `nc` of a nonce that is fresh and whose response was right. False if it was used, or may have been. */
  take(nonce: string, nc: number, times: { readonly made: Timestamp; readonly now: Timestamp }): boolean {
    if (nc < 1) return false;
    const before = this.used.get(nonce);
    if (before !== undefined) return advance(before, nc);
    if (times.made <= this.floor) return false;
    this.makeRoom(times.now);
    this.used.set(nonce, { made: times.made, highest: nc, window: 1 });
    return true;
  }

  private makeRoom(now: Timestamp): void {
    for (const [nonce, { made }] of this.used) {
      const isOld = now - made > this.life;
      if (!isOld && this.used.size < this.limit) return;
      this.used.delete(nonce);
      if (!isOld) this.floor = Math.max(this.floor, made);
    }
  }
}

function advance(used: Used, nc: number): boolean {
  const step = nc - used.highest;
  if (step > 0) {
    used.window = step >= WINDOW ? 1 : ((used.window << step) | 1) >>> 0;
    used.highest = nc;
    return true;
  }
  if (-step >= WINDOW) return false;
  const bit = (1 << -step) >>> 0;
  if ((used.window & bit) !== 0) return false;
  used.window = (used.window | bit) >>> 0;
  return true;
}

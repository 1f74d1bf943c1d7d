/** Hops that took no connection lately: what is large goes to them by UDP without another try (RFC 3261 §18.1.1). */
import type { Clock } from "../../model/clock.js";
import type { Millis } from "../../model/units.js";

const MOST = 1024;

export class RefusalMemory {
  /** Until when, epoch ms; the oldest first. */
  private readonly until = new Map<string, number>();
  private readonly clock: Clock;
  private readonly span: Millis;

  constructor(clock: Clock, span: Millis) {
    this.clock = clock;
    this.span = span;
  }

  add(peer: string): void {
    this.until.delete(peer);
    this.until.set(peer, this.clock.now() + this.span);
    const [oldest] = this.until.keys();
    if (this.until.size > MOST && oldest !== undefined) this.until.delete(oldest);
  }

  forget(peer: string): void {
    this.until.delete(peer);
  }

  has(peer: string): boolean {
    const until = this.until.get(peer);
    if (until === undefined || until > this.clock.now()) return until !== undefined;
    this.until.delete(peer);
    return false;
  }
}

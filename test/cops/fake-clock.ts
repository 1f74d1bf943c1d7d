/** A clock that stands still until it is told to move; fires in order of due time. */
import type { Clock, Timer } from "../../src/model/clock.js";
import type { Millis, Timestamp } from "../../src/model/units.js";

export class FakeClock implements Clock {
  /** Timers set so far: shows that something has arrived that sets one. */
  scheduled = 0;
  #time = 1_000_000;
  readonly #timers = new Set<{ readonly due: number; readonly callback: () => void }>();

  now(): Timestamp {
    return this.#time as Timestamp;
  }

  after(delay: Millis, callback: () => void): Timer {
    const timer = { due: this.#time + delay, callback };
    this.#timers.add(timer);
    this.scheduled += 1;
    return { cancel: () => void this.#timers.delete(timer) };
  }

  /** @param by - milliseconds */
  advance(by: number): void {
    const end = this.#time + by;
    for (;;) {
      const next = [...this.#timers].filter(({ due }) => due <= end).sort((a, b) => a.due - b.due)[0];
      if (next === undefined) break;
      this.#time = next.due;
      this.#timers.delete(next);
      next.callback();
    }
    this.#time = end;
  }

  get pending(): number {
    return this.#timers.size;
  }
}

/** A clock that stands still until it is told to move; what falls due together fires in the order in which it was set. */
import type { Clock, Timer } from "../../src/model/clock.js";
import type { Millis, Timestamp } from "../../src/model/units.js";

interface Due {
  readonly at: number;
  readonly callback: () => void;
}

export class FakeClock implements Clock {
  /** Epoch ms; may be set, which fires nothing. */
  time: number;
  /** Timers set so far: shows that something has arrived that sets one. */
  scheduled = 0;
  readonly #due = new Set<Due>();

  constructor(time = 1_000_000) {
    this.time = time;
  }

  now(): Timestamp {
    return this.time as Timestamp;
  }

  after(delay: Millis, callback: () => void): Timer {
    const due = { at: this.time + delay, callback };
    this.#due.add(due);
    this.scheduled += 1;
    return { cancel: () => void this.#due.delete(due) };
  }

  get pending(): number {
    return this.#due.size;
  }

  /** Delays of the timers that are armed. */
  get armed(): readonly number[] {
    return [...this.#due].map(({ at }) => at - this.time);
  }

  /** Moves on at once: no promise settles between two timers. */
  advance(by: number): void {
    const end = this.time + by;
    while (this.#fireNext(end)) {
      // One after the other, as each may set or cancel others.
    }
    this.time = end;
  }

  /** Moves on, and lets promises settle before and after each timer. */
  async pass(by: number): Promise<void> {
    const end = this.time + by;
    await settle();
    while (this.#fireNext(end)) await settle();
    this.time = end;
  }

  #fireNext(end: number): boolean {
    const [next] = [...this.#due].filter(({ at }) => at <= end).sort((one, other) => one.at - other.at);
    if (next === undefined) return false;
    this.#due.delete(next);
    this.time = Math.max(this.time, next.at);
    next.callback();
    return true;
  }
}

/** Lets everything run that waits for no timer. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

import type { Clock } from "../../src/model/clock.js";
import type { Millis, Timestamp } from "../../src/model/units.js";

interface Due {
  readonly at: number;
  readonly callback: () => void;
}

/** A clock that stands still until it is moved. */
export class FakeClock implements Clock {
  #now = 1_000_000;
  #due: Due[] = [];

  now(): Timestamp {
    return this.#now as Timestamp;
  }

  after(delay: Millis, callback: () => void): { cancel(): void } {
    const due = { at: this.#now + delay, callback };
    this.#due.push(due);
    return {
      cancel: () => {
        this.#due = this.#due.filter((other) => other !== due);
      },
    };
  }

  /** Delays of the timers that are armed. */
  get armed(): number[] {
    return this.#due.map(({ at }) => at - this.#now);
  }

  /** Moves on, fires what is due, and lets promises settle after each. */
  async advance(by: number): Promise<void> {
    const end = this.#now + by;
    for (;;) {
      await settle();
      const next = this.#due.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#due = this.#due.filter((other) => other !== next);
      this.#now = Math.max(this.#now, next.at);
      next.callback();
    }
    this.#now = end;
  }
}

/** Lets everything run that waits for no timer. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

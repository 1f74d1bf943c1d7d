/** A clock that goes as fast as the work allows, for minutes of soft state in seconds. */
import type { Clock, Timer } from "../src/model/clock.js";
import type { Millis, Timestamp } from "../src/model/units.js";
import { Deadlines } from "../src/rsvp/machine/deadlines.js";

/** Turns of the event loop in which a message that has come is taken in, answered and sent on. */
const TURNS = 3;

export class VirtualClock implements Clock {
  readonly #timers = new Deadlines<() => void>();
  #now = 1_000_000;

  now(): Timestamp {
    return this.#now as Timestamp;
  }

  after(delay: Millis, callback: () => void): Timer {
    const once = (): void => callback();
    this.#timers.set(once, this.#now + Math.max(0, delay));
    return { cancel: () => this.#timers.delete(once) };
  }

  /** Lets so many milliseconds pass, and everything happen that falls due in them. */
  async pass(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds;
    await settle();
    for (let at = this.#timers.next(); at <= end; at = this.#timers.next()) {
      this.#now = Math.max(this.#now, at);
      for (let due = this.#take(); due !== undefined; due = this.#take()) due();
      await settle();
    }
    this.#now = end;
  }

  #take(): (() => void) | undefined {
    return this.#timers.takeDue(this.#now);
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
}

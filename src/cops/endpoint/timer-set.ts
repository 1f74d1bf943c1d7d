/** Named timers of one machine: arming one replaces the one of that name. */
import type { Clock, Timer } from "../../model/clock.js";
import { millis } from "../../model/units.js";

export class TimerSet<Name extends string> {
  readonly #clock: Clock;
  readonly #fired: (name: Name) => void;
  readonly #timers = new Map<Name, Timer>();

  constructor(clock: Clock, fired: (name: Name) => void) {
    this.#clock = clock;
    this.#fired = fired;
  }

  /** @param delay - milliseconds */
  arm(name: Name, delay: number): void {
    this.cancel(name);
    const timer = this.#clock.after(millis(delay), () => {
      this.#timers.delete(name);
      this.#fired(name);
    });
    this.#timers.set(name, timer);
  }

  cancel(name: Name): void {
    this.#timers.get(name)?.cancel();
    this.#timers.delete(name);
  }

  cancelAll(): void {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }
}

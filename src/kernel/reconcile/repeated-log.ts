/** A log that says the same thing once a minute at most, and then how often it happened. */
import type { Clock, Timer } from "../../model/clock.js";
import type { LogFields, Logger } from "../../model/log.js";
import { seconds } from "../../model/units.js";

const WINDOW = seconds(60);
/** Different things remembered at a time; beyond that everything is written. */
const MAX_KEYS = 64;

interface Said {
  repeats: number;
  readonly timer: Timer;
  /** The last repeat, not written yet. */
  write: (() => void) | undefined;
}

export class RepeatedLog {
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #said = new Map<string, Said>();

  constructor(log: Logger, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /** @param sameness - lines of one event with equal sameness are repeats of each other. */
  write(level: "info" | "warn" | "error", event: string, sameness: string, fields: () => LogFields): void {
    const key = `${event} ${sameness}`;
    const said = this.#said.get(key);
    if (said === undefined) {
      this.#log[level](event, fields());
      this.#remember(key);
      return;
    }
    said.repeats += 1;
    said.write = () => this.#log[level](event, { ...fields(), repeated: said.repeats });
  }

  /** What was held back is written now. */
  close(): void {
    for (const { timer, write } of this.#said.values()) {
      timer.cancel();
      write?.();
    }
    this.#said.clear();
  }

  #remember(key: string): void {
    if (this.#said.size >= MAX_KEYS) return;
    const timer = this.#clock.after(WINDOW, () => {
      const said = this.#said.get(key);
      this.#said.delete(key);
      if (said?.write === undefined) return;
      said.write();
      this.#remember(key);
    });
    this.#said.set(key, { repeats: 0, timer, write: undefined });
  }
}

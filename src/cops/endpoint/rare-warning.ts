/** A warning that the other side can cause at will: counted each time, written once in a while. */
import type { Clock } from "../../model/clock.js";
import type { LogFields, Logger } from "../../model/log.js";

const INTERVAL_MS = 10_000;

export class RareWarning {
  readonly #event: string;
  readonly #clock: Clock;
  readonly #log: Logger;
  /** Since the last line. */
  #count = 0;
  #next = 0;

  constructor(event: string, clock: Clock, log: Logger) {
    this.#event = event;
    this.#clock = clock;
    this.#log = log;
  }

  /** Writes the first of ten seconds, with the number of those that it stands for. */
  warn(fields: LogFields): void {
    this.#count += 1;
    const now: number = this.#clock.now();
    if (now < this.#next) return;
    this.#next = now + INTERVAL_MS;
    this.#log.warn(this.#event, { ...fields, times: this.#count });
    this.#count = 0;
  }
}

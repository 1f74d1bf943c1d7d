/**
 * Events of one machine, one after the other: what comes up while the actions of a step are being done (a role
 * that closes its client from inside a handler) waits until they all are.
 */
export class StepQueue<Event> {
  readonly #step: (event: Event) => void;
  readonly #events: Event[] = [];
  #running = false;

  constructor(step: (event: Event) => void) {
    this.#step = step;
  }

  push(event: Event): void {
    this.#events.push(event);
    if (this.#running) return;
    this.#running = true;
    try {
      for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) this.#step(next);
    } finally {
      this.#running = false;
    }
  }
}

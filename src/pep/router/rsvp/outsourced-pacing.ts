/**
 * Requests on their way to the policy server: as many at once as it may be asked, the others in their order; while it is
 * away, for as long as somebody may wait for it.
 */
import type { Clock, Timer } from "../../../model/clock.js";
import { ProtocolError } from "../../../model/errors.js";
import type { Millis } from "../../../model/units.js";

export interface PacedRequestsOptions {
  readonly clock: Clock;
  /** Requests that wait for a decision at the same time. */
  readonly maxUnderWay: number;
  /** How long a request waits for a connection that was lost, or has not been made yet. */
  readonly patience: Millis;
}

interface Waiting {
  readonly start: () => Promise<void>;
  readonly fail: (error: Error) => void;
}

export class PacedRequests {
  readonly #options: PacedRequestsOptions;
  #waiting: Waiting[] = [];
  #underWay = 0;
  #connected = false;
  #patience: Timer | undefined;
  /** The server has been away for longer than anybody waits. */
  #impatient = false;

  constructor(options: PacedRequestsOptions) {
    this.#options = options;
    this.down();
  }

  get underWay(): number {
    return this.#underWay;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Nobody waits for the server any more. */
  get gaveUp(): boolean {
    return this.#impatient;
  }

  /** @throws ProtocolError COPS_DOWN when there is no connection in time; else what `ask` throws */
  run<Value>(ask: () => Promise<Value>): Promise<Value> {
    return new Promise<Value>((resolve, reject) => {
      this.#waiting.push({ start: () => ask().then(resolve, reject), fail: reject });
      if (this.#impatient) this.#fail();
      else this.#pump();
    });
  }

  up(): void {
    this.#connected = true;
    this.#impatient = false;
    this.#patience?.cancel();
    this.#pump();
  }

  down(): void {
    this.#connected = false;
    this.#patience?.cancel();
    this.#patience = this.#options.clock.after(this.#options.patience, () => {
      this.#impatient = true;
      this.#fail();
    });
  }

  close(): void {
    this.#patience?.cancel();
    this.#impatient = true;
    this.#fail();
  }

  #pump(): void {
    while (this.#connected && this.#underWay < this.#options.maxUnderWay) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#underWay += 1;
      void next.start().finally(() => {
        this.#underWay -= 1;
        this.#pump();
      });
    }
  }

  #fail(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { fail } of waiting) fail(new ProtocolError("COPS_DOWN", "no policy server is connected"));
  }
}

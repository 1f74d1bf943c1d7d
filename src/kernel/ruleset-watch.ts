/**
 * Tells when somebody else changed nf_tables, without listening to it: every commit raises the generation by one, and ours
 * are counted, so a number that is higher than it should be is another's doing. A multicast group would hand us each of our
 * own transactions again, and overrun under load.
 */
import type { Clock, Timer } from "../model/clock.js";
import type { Logger } from "../model/log.js";
import { millis } from "../model/units.js";
import type { Generation } from "./netlink/nf-tables.js";

const INTERVAL = millis(250);

export interface RulesetWatchOptions {
  readonly generation: () => Promise<Generation>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly changed: () => void;
}

/** Commits between two readings that were not our transactions. The id is 32 bits and comes round. */
export const foreignCommits = (before: Generation, now: Generation): number =>
  (now.id - before.id - (now.commits - before.commits)) >>> 0;

export class RulesetWatch {
  readonly #options: RulesetWatchOptions;
  #last: Generation | undefined;
  #timer: Timer | undefined;
  #suspended = 0;
  #closed = false;

  constructor(options: RulesetWatchOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#last = await this.#options.generation();
    this.#schedule();
  }

  /** False if it cannot be told whether others changed it until now. */
  async lookNow(): Promise<boolean> {
    // What our tools commit meanwhile is not another's.
    return this.#suspended === 0 && (await this.#look(0)) && this.#suspended === 0;
  }

  /** Looks a last time before our own tools change the ruleset. */
  async suspend(): Promise<void> {
    await this.#look(0);
    this.#suspended++;
  }

  /** Our tools committed `own` times at most since `suspend`. */
  async resume(own: number): Promise<void> {
    await this.#look(own);
    this.#suspended--;
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #schedule(): void {
    if (this.#closed) return;
    this.#timer = this.#options.clock.after(INTERVAL, () => {
      if (this.#suspended > 0) this.#schedule();
      else void this.#look(0).then(() => this.#schedule());
    });
  }

  /** Never rejects: what cannot be read now is seen by the next look, for the last number stays. True if it was read. */
  async #look(own: number): Promise<boolean> {
    try {
      const now = await this.#options.generation();
      const last = this.#last ?? now;
      this.#last = now;
      if (!this.#closed && foreignCommits(last, now) > own) this.#options.changed();
      return true;
    } catch (error) {
      if (!this.#closed) this.#options.log.debug("kernel.watch.generation", { error });
      return false;
    }
  }
}

/** Steps of 1/60 s by a clock that is only read: as many as are due, and a little fewer for the side that runs ahead. Pure. */
import { STEPS_PER_SECOND } from "./simulation.js";

/** After a pause (the page was hidden) steps are not all made up for. */
const CATCH_UP_MAX = 10;

export class Ticker {
  #due: number | undefined;

  /** How many steps to play now. @param now - ms */
  steps(now: number): number {
    const period = 1000 / STEPS_PER_SECOND;
    if (this.#due === undefined || now - this.#due > CATCH_UP_MAX * period) this.#due = now;
    const count = Math.floor((now - this.#due) / period) + 1;
    const steps = Math.max(0, Math.min(CATCH_UP_MAX, count));
    this.#due += steps * period;
    return steps;
  }

  /** Puts the next step off by a share of one. */
  delay(share: number): void {
    if (this.#due !== undefined) this.#due += (share * 1000) / STEPS_PER_SECOND;
  }
}

/**
 * Steps that this side is ahead of the other: from its newest input that came, as old as half a round trip.
 * @param roundTrip - ms
 */
export const stepsAhead = (ownFrame: number, otherFrame: number, roundTrip: number): number =>
  ownFrame - otherFrame - (roundTrip / 2) * (STEPS_PER_SECOND / 1000);

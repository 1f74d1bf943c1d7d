/**
 * The time of day as far as the process can tell it: the system's, which it reads in whole milliseconds, refined by a counter
 * that nobody sets. What they are apart is at most a millisecond too small at each reading; the largest of late is true.
 */
import type { Timestamp } from "../../model/units.js";

const HALF = 2000;

export class ProcessClock {
  readonly #wall: () => number;
  readonly #counter: () => number;
  #since = Number.NEGATIVE_INFINITY;
  /** Largest distance of this half of the time that is remembered, and of the half before. */
  #now = Number.NEGATIVE_INFINITY;
  #before = Number.NEGATIVE_INFINITY;

  constructor(wall: () => number = Date.now, counter: () => number = () => performance.now()) {
    this.#wall = wall;
    this.#counter = counter;
  }

  now(): Timestamp {
    const counter = this.#counter();
    const distance = this.#wall() - counter;
    if (counter - this.#since > HALF) this.#turn(counter);
    // Further below than a whole millisecond explains: the clock was set back.
    if (distance < Math.max(this.#now, this.#before) - 1.5) {
      this.#before = Number.NEGATIVE_INFINITY;
      this.#now = distance;
    }
    this.#now = Math.max(this.#now, distance);
    return (counter + Math.max(this.#now, this.#before)) as Timestamp;
  }

  #turn(counter: number): void {
    this.#before = this.#now;
    this.#now = Number.NEGATIVE_INFINITY;
    this.#since = counter;
  }
}

/** Calls for benchmarks, the same ones in every run. */
import type { Clock } from "../src/model/clock.js";
import { millis } from "../src/model/units.js";

export interface CallHandlers {
  begin(call: number): void;
  end(call: number): void;
}

/** Mulberry32: numbers in [0, 1). */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Calls that come and go at random, `calls` of them at a time on average; each lasts `holding` seconds on average. */
export class Callers {
  /** Under way, and begun so far. */
  active = 0;
  begun = 0;
  arriving = true;
  readonly #clock: Clock;
  readonly #each: CallHandlers;
  readonly #calls: number;
  readonly #holding: number;
  readonly #random = randomFrom(3);

  constructor(
    clock: Clock,
    each: CallHandlers,
    { calls, holding }: { readonly calls: number; readonly holding: number },
  ) {
    this.#clock = clock;
    this.#each = each;
    this.#calls = calls;
    this.#holding = holding;
  }

  begin(): void {
    const call = this.begun++;
    this.active += 1;
    this.#each.begin(call);
    this.#after(this.#holding, () => {
      this.active -= 1;
      this.#each.end(call);
    });
  }

  /** As many as end. */
  arrive(): void {
    this.#after(this.#holding / this.#calls, () => {
      if (!this.arriving) return;
      this.begin();
      this.arrive();
    });
  }

  #after(meanSeconds: number, callback: () => void): void {
    const delay = -Math.log(1 - this.#random()) * meanSeconds * 1000;
    // Whole milliseconds: what happens in the same one is one turn of the clock.
    this.#clock.after(millis(Math.ceil(delay)), callback);
  }
}

/** Readers of a list that wait until it is another one, each for as long as it wants. */
import type { Clock, Timer } from "../../model/clock.js";
import { type Millis, seconds } from "../../model/units.js";

interface Waiting {
  readonly known: number;
  readonly wake: () => void;
}

/** What goes by itself, as nobody speaks of it any more, is noticed this late. */
const LOOK_EVERY: Millis = seconds(1);
/** Of one source: others find their places. */
const PER_SOURCE = 16;

export class WaitingReaders {
  readonly #clock: Clock;
  readonly #version: () => number;
  readonly #waiting = new Set<Waiting>();
  readonly #bySource = new Map<string, number>();
  #timer: Timer | undefined;

  /** @param version - of the list as it is now */
  constructor(clock: Clock, version: () => number) {
    this.#clock = clock;
    this.#version = version;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /**
   * Resolves as soon as the version is another than `known`, and no later than after `most`; at once for a source that waits too
   * often already.
   * @param gone - calls what it is given when the reader has gone away
   */
  async wait(source: string, known: number, most: Millis, gone: (listener: () => void) => void): Promise<void> {
    const own = this.#bySource.get(source) ?? 0;
    if (own >= PER_SOURCE || most <= 0 || this.#version() !== known) return;
    this.#bySource.set(source, own + 1);
    await new Promise<void>((resolve) => {
      const end = this.#clock.after(most, () => waiting.wake());
      const waiting: Waiting = {
        known,
        wake: () => {
          end.cancel();
          this.#waiting.delete(waiting);
          resolve();
        },
      };
      this.#waiting.add(waiting);
      gone(waiting.wake);
      this.#timer ??= this.#arm();
    });
    const left = (this.#bySource.get(source) ?? 1) - 1;
    if (left === 0) this.#bySource.delete(source);
    else this.#bySource.set(source, left);
  }

  /** To be called when the list may be another one. */
  look(): void {
    const version = this.#version();
    for (const waiting of this.#waiting) if (waiting.known !== version) waiting.wake();
  }

  /** Lets all of them go. */
  close(): void {
    this.#timer?.cancel();
    for (const waiting of this.#waiting) waiting.wake();
  }

  #arm(): Timer {
    return this.#clock.after(LOOK_EVERY, () => {
      this.look();
      this.#timer = this.#waiting.size === 0 ? undefined : this.#arm();
    });
  }
}

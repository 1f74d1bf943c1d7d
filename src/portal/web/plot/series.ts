/** Readings over the last while, and the figures that go with them. */

export interface Reading {
  /** ms, any clock. */
  readonly at: number;
  /** Undefined: nothing was measured, the line has a gap. */
  readonly value: number | undefined;
}

export class Series {
  readonly #kept: number;
  #readings: Reading[] = [];

  /** @param kept - ms that a reading stays */
  constructor(kept: number) {
    this.#kept = kept;
  }

  add(at: number, value: number | undefined): void {
    this.#readings.push({ at, value });
    const oldest = at - this.#kept;
    const cut = this.#readings.findIndex((reading) => reading.at >= oldest);
    if (cut > 0) this.#readings = this.#readings.slice(cut);
  }

  get readings(): readonly Reading[] {
    return this.#readings;
  }

  get latest(): number | undefined {
    return this.#readings.at(-1)?.value;
  }
}

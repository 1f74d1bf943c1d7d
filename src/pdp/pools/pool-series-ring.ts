/**
 * One resolution of one pool's past. What stays the same takes one row however long it lasts, so that thousands of pools that
 * rest cost next to nothing; a pool that changes in every slot takes a row for each. Pure.
 */

/** What was seen in one slot, a whole number of steps since 1970. Rates in bit/s. */
export interface SeriesBucket {
  readonly slot: number;
  /** Readings in it; none is a gap. */
  readonly samples: number;
  readonly min: number;
  readonly max: number;
  /** Of all readings: with `samples` the mean, without loss. */
  readonly sum: number;
  /** The last one. */
  readonly reserved: number;
  /** Sessions. */
  readonly refused: number;
}

/** Rows that all rings together may take: past it a ring keeps a shorter past. */
export class RowBudget {
  #left: number;

  constructor(rows: number) {
    this.#left = rows;
  }

  /** As many of the wanted rows as there are. */
  take(rows: number): number {
    const taken = Math.min(rows, this.#left);
    this.#left -= taken;
    return taken;
  }

  get left(): number {
    return this.#left;
  }
}

/** Slot, samples, min, max, sum, reserved, refused. */
const WIDTH = 7;
/** Rows that every ring has, whatever the budget. */
const LEAST_ROWS = 4;

export class SeriesRing {
  readonly #slots: number;
  readonly #budget: RowBudget;
  #rows = new Float64Array(LEAST_ROWS * WIDTH);
  /** Where the oldest row is, and how many there are. */
  #first = 0;
  #count = 0;
  /** The slot after the last one. */
  #end = 0;

  /** @param slots - how far back it goes */
  constructor(slots: number, budget: RowBudget) {
    this.#slots = slots;
    this.#budget = budget;
  }

  /** Slots have to rise; those left out are gaps. */
  push(bucket: SeriesBucket): void {
    const { slot } = bucket;
    if (this.#count > 0 && slot > this.#end) this.#append({ ...GAP, slot: this.#end });
    if (this.#count === 0 || slot > this.#end || !this.#isLikeLast(bucket)) this.#append(bucket);
    this.#end = slot + 1;
  }

  /** Those from slot `from` on that are still known, the oldest first; gaps are left out. */
  read(from: number): readonly SeriesBucket[] {
    const found: SeriesBucket[] = [];
    const start = Math.max(from, this.#end - this.#slots);
    for (let index = 0; index < this.#count; index += 1) {
      const bucket = this.#bucketAt(index);
      const end = index + 1 < this.#count ? (this.#rows[this.#place(index + 1)] ?? 0) : this.#end;
      if (bucket.samples === 0) continue;
      for (let slot = Math.max(start, bucket.slot); slot < end; slot += 1) found.push({ ...bucket, slot });
    }
    return found;
  }

  #isLikeLast({ samples, min, max, sum, reserved, refused }: SeriesBucket): boolean {
    const place = this.#place(this.#count - 1);
    const rows = this.#rows;
    return (
      rows[place + 1] === samples &&
      rows[place + 2] === min &&
      rows[place + 3] === max &&
      rows[place + 4] === sum &&
      rows[place + 5] === reserved &&
      rows[place + 6] === refused
    );
  }

  #append({ slot, samples, min, max, sum, reserved, refused }: SeriesBucket): void {
    this.#forgetOld(slot);
    if (this.#count === this.#capacity) this.#grow();
    if (this.#count === this.#capacity) this.#forgetFirst();
    this.#rows.set([slot, samples, min, max, sum, reserved, refused], this.#place(this.#count));
    this.#count += 1;
  }

  /** Rows whose last slot is older than the past that is kept. */
  #forgetOld(slot: number): void {
    while (this.#count > 1 && (this.#rows[this.#place(1)] ?? 0) <= slot - this.#slots) this.#forgetFirst();
  }

  #forgetFirst(): void {
    this.#first = (this.#first + 1) % this.#capacity;
    this.#count -= 1;
  }

  /** One row for each slot, and one that began before, are always enough. */
  #grow(): void {
    const before = this.#capacity;
    const capacity = before + this.#budget.take(Math.min(before, this.#slots + 1 - before));
    if (capacity <= before) return;
    const rows = new Float64Array(capacity * WIDTH);
    const split = this.#first * WIDTH;
    rows.set(this.#rows.subarray(split));
    rows.set(this.#rows.subarray(0, split), this.#rows.length - split);
    this.#rows = rows;
    this.#first = 0;
  }

  get #capacity(): number {
    return this.#rows.length / WIDTH;
  }

  #place(index: number): number {
    return ((this.#first + index) % this.#capacity) * WIDTH;
  }

  #bucketAt(index: number): SeriesBucket {
    const place = this.#place(index);
    const [slot = 0, samples = 0, min = 0, max = 0, sum = 0, reserved = 0, refused = 0] = this.#rows.subarray(
      place,
      place + WIDTH,
    );
    return { slot, samples, min, max, sum, reserved, refused };
  }
}

const GAP: Omit<SeriesBucket, "slot"> = { samples: 0, min: 0, max: 0, sum: 0, reserved: 0, refused: 0 };

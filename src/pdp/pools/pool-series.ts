/** The past of every pool, in steps that become coarser: for graphs. Pure: the time is handed in. */
import { type BitsPerSecond, bitsPerSecond, type Millis, seconds, type Timestamp } from "../../model/units.js";
import { RowBudget, type SeriesBucket, SeriesRing } from "./pool-series-ring.js";

/** What a pool is like at one moment. Layer 2. */
export interface PoolReading {
  /** By sessions, in the direction with more. */
  readonly used: BitsPerSecond;
  /** Of a link its rate. */
  readonly reserved: BitsPerSecond;
  /** Sessions refused for want of room in it since the reading before. */
  readonly refused: number;
}

/** One step of the past. Layer 2. */
export interface PoolSeriesPoint {
  /** When it began. */
  readonly at: Timestamp;
  readonly used: { readonly min: BitsPerSecond; readonly mean: BitsPerSecond; readonly max: BitsPerSecond };
  /** At its end. */
  readonly reserved: BitsPerSecond;
  readonly refused: number;
  /** Readings that it was made of. */
  readonly samples: number;
}

export interface SeriesResolution {
  readonly step: Millis;
  /** How many of them are kept. */
  readonly slots: number;
}

/** 10 minutes, 3 hours, 24 hours. Each step is a whole number of those before. */
export const SERIES_RESOLUTIONS: readonly [SeriesResolution, ...SeriesResolution[]] = [
  { step: seconds(1), slots: 600 },
  { step: seconds(10), slots: 1080 },
  { step: seconds(60), slots: 1440 },
];

/** Of 56 octets each, beyond those of pools that rest: the whole past of 670 pools that change every second. */
export const SERIES_ROWS_MAX = 2 ** 21;

interface Level {
  readonly step: Millis;
  readonly ring: SeriesRing;
  /** The step that goes on. */
  open: SeriesBucket | undefined;
  /** The slot after the last that is over. */
  next: number;
}

export class PoolSeries {
  readonly #pools = new Map<string, readonly Level[]>();
  readonly #budget: RowBudget;

  constructor(rowsMax = SERIES_ROWS_MAX) {
    this.#budget = new RowBudget(rowsMax);
  }

  put(pool: string, { used, reserved, refused }: PoolReading, at: Timestamp): void {
    let closed: SeriesBucket | undefined;
    const levels = this.#levels(pool);
    for (const [index, level] of levels.entries()) {
      // What the finer step was made of belongs to the slot in which that began.
      const finer = levels[index - 1];
      if (closed !== undefined && finer !== undefined) join(level, closed, closed.slot * finer.step);
      closed = close(level, at);
      if (index === 0) join(level, { slot: 0, samples: 1, min: used, max: used, sum: used, reserved, refused }, at);
    }
  }

  /**
   * The steps that are over and began at `since` or later, the oldest first; undefined for a pool that was never seen.
   * @param step - of one of the resolutions
   */
  read(pool: string, step: Millis, since: Timestamp): readonly PoolSeriesPoint[] | undefined {
    const level = this.#pools.get(pool)?.find((each) => each.step === step);
    return level?.ring.read(Math.ceil(since / step)).map((bucket) => pointOf(bucket, step));
  }

  #levels(pool: string): readonly Level[] {
    const known = this.#pools.get(pool);
    if (known !== undefined) return known;
    const made = SERIES_RESOLUTIONS.map(({ step, slots }): Level => {
      return { step, ring: new SeriesRing(slots, this.#budget), open: undefined, next: 0 };
    });
    this.#pools.set(pool, made);
    return made;
  }
}

/** Ends the open step, if it is over. */
function close(level: Level, at: number): SeriesBucket | undefined {
  const { open, step, ring } = level;
  if (open === undefined || open.slot >= Math.floor(at / step)) return undefined;
  ring.push(open);
  level.open = undefined;
  level.next = open.slot + 1;
  return open;
}

/** What comes too late, as a clock went back, counts in the step that is open, or in the next. */
function join(level: Level, bucket: SeriesBucket, at: number): void {
  const { open, step, next } = level;
  level.open =
    open === undefined
      ? { ...bucket, slot: Math.max(next, Math.floor(at / step)) }
      : {
          slot: open.slot,
          samples: open.samples + bucket.samples,
          min: Math.min(open.min, bucket.min),
          max: Math.max(open.max, bucket.max),
          sum: open.sum + bucket.sum,
          reserved: bucket.reserved,
          refused: open.refused + bucket.refused,
        };
}

const pointOf = ({ slot, samples, min, max, sum, reserved, refused }: SeriesBucket, step: Millis): PoolSeriesPoint => ({
  at: (slot * step) as Timestamp,
  used: { min: bitsPerSecond(min), mean: bitsPerSecond(sum / samples), max: bitsPerSecond(max) },
  reserved: bitsPerSecond(reserved),
  refused,
  samples,
});

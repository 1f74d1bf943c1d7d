/** The past of pools, as the control API answers it: made for graphs. */
import type { BitsPerSecond, Millis, Timestamp } from "../model/units.js";

/** `/v1/series?pool=&since=&step=`, with `since` in ms since 1970 and `step` in ms: 1000, 10000 or 60000. Layer 2. */
export interface PoolSeriesView {
  readonly pool: string;
  readonly step: Millis;
  /** How far back this step is kept, as long as there is room for it. */
  readonly kept: Millis;
  /** The oldest first; times without a reading are left out, as is the step that goes on. */
  readonly points: readonly PoolPointView[];
}

/** One step. Rates of the direction with more. */
export interface PoolPointView {
  /** When it began. */
  readonly at: Timestamp;
  readonly used: { readonly min: BitsPerSecond; readonly mean: BitsPerSecond; readonly max: BitsPerSecond };
  /** At its end; of a link its rate. */
  readonly reserved: BitsPerSecond;
  /** Sessions refused for want of room in this pool. */
  readonly refused: number;
  /** Readings that it was made of. */
  readonly samples: number;
}

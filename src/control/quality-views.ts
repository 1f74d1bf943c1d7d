/** Measured paths, as the control API answers: `/v1/show/quality`. */
import type { FlowDirection } from "../model/flow.js";
import type { Millis } from "../model/units.js";

/** A direction of a pool's path. Times and loss are absent where nothing is known: not measured yet, or not any more. */
export interface QualityView {
  readonly pool: string;
  /** `up`: from the access network to the other edge. */
  readonly direction: FlowDirection;
  /** One-way, 95th percentile of the worst report in the window; absent as well where no packet came back. */
  readonly latency?: Millis;
  readonly jitter?: Millis;
  /** 0 to 1. */
  readonly loss?: number;
  /** Packets in the window that set out in this direction. */
  readonly samples: number;
  /** Of the last report; absent where none ever came. */
  readonly age?: Millis;
  /**
   * How the latency was found: `oneWay` by clocks that agree, `roundTrip` as half of the round trip. `stale`: the reports have
   * stopped. `waiting`: none ever came.
   */
  readonly method: "oneWay" | "roundTrip" | "stale" | "waiting";
}

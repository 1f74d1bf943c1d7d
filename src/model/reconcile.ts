/** How the kernel is kept as it is wanted: what the keeper tells, and what `show reconcile` prints. */
import type { Millis, Timestamp } from "./units.js";

export interface ReconcileStatus {
  /** Comparisons of the kernel with what is wanted, since the start. */
  readonly passes: number;
  readonly lastPass?: {
    readonly at: Timestamp;
    readonly duration: Millis;
    /** False when the kernel could not be read, or something could not be repaired. */
    readonly ok: boolean;
    /** Objects that were not as wanted. */
    readonly differences: number;
  };
  /** Passes that found something to repair. */
  readonly repairs: number;
  /** Transactions that the kernel did not carry out. */
  readonly failures: number;
  /** Objects that the kernel is not believed to hold as they are wanted. */
  readonly pending: number;
}

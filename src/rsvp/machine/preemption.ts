/** Whom an interface takes room from when it has less than it gave away, RFC 4495 §5. */
import type { BytesPerSecond } from "../../model/units.js";
import type { Flowspec } from "../codec/objects.js";
import { bandwidthOf, shrinkTo } from "./flowspec-algebra.js";
import type { ReservationRef } from "./keys.js";

/** A reservation on the interface. */
export interface Holder {
  readonly ref: ReservationRef;
  readonly flowspec: Flowspec;
  /** Larger is more important (RFC 3181's defending priority). */
  readonly priority: number;
  /** When it was first admitted. */
  readonly since: number;
}

export interface Taking {
  readonly ref: ReservationRef;
  /** What is left; absent if nothing is. */
  readonly granted?: Flowspec;
}

/**
 * The least important goes first, of equals the youngest. §5.6: one is emptied before the next is touched, so that
 * as few as possible suffer from one event.
 * @param excess - octets per second to take away, at the IP layer
 */
export function chooseTakings(holders: readonly Holder[], excess: number): readonly Taking[] {
  const order = [...holders].sort((a, b) => a.priority - b.priority || b.since - a.since);
  const takings: Taking[] = [];
  let missing = excess;
  for (const { ref, flowspec } of order) {
    if (missing <= 0) break;
    const has = bandwidthOf(flowspec);
    const granted = missing < has ? shrinkTo(flowspec, (has - missing) as BytesPerSecond) : undefined;
    missing -= has - (granted === undefined ? 0 : bandwidthOf(granted));
    takings.push({ ref, ...(granted === undefined ? {} : { granted }) });
  }
  return takings;
}

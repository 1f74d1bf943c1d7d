/** What is reserved for a medium in one direction: traffic at the wanted rate, and at the worst acceptable one. */
import type { TrafficSpec } from "../../../model/flow.js";
import type { QualityNeed } from "../../../model/quality.js";
import { mediaTraffic, type RateParts } from "../rates.js";

export interface MediaReservation {
  readonly traffic: TrafficSpec;
  /** Absent where there is no range of rates. */
  readonly least?: TrafficSpec;
  /** Its rate is no more than the receiver's b= allows. */
  readonly need?: QualityNeed;
}

/**
 * A rate that is needed is reserved instead of the codec's; b= stays the upper bound of it, so the smaller wins (docs/SDP.md).
 * @param need - as it was agreed for this direction
 */
export function mediaReservation(parts: RateParts, need: QualityNeed | undefined): MediaReservation {
  if (need?.rate === undefined) return { traffic: mediaTraffic(parts), ...(need === undefined ? {} : { need }) };
  const traffic = mediaTraffic(parts, need.rate.wanted);
  const least = mediaTraffic(parts, need.rate.worst);
  return {
    traffic,
    need: { ...need, rate: { wanted: traffic.rate, worst: least.rate } },
    ...(least.rate < traffic.rate ? { least } : {}),
  };
}

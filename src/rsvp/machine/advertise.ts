/** What this node adds to an ADSPEC on its way, RFC 2210 §3.3. */
import type { Octets } from "../../model/units.js";
import { LATENCY_INDETERMINATE } from "../codec/adspec.js";
import type { Adspec } from "../codec/objects.js";

const HOPS_MAX = 255;

/** AVAILABLE_PATH_BANDWIDTH, parameter 6 of RFC 2210 §3.3: the estimate of what the path has left. */
const PATH_BANDWIDTH = 6;

/**
 * @param mtu - of the outgoing interface
 * @param nonRsvpHop - the Path came through routers that have no RSVP (RFC 2205 §3.8)
 */
export function advertise(adspec: Adspec, mtu: Octets, nonRsvpHop: boolean): Adspec {
  const { general, guaranteed } = adspec;
  return {
    ...adspec,
    general: {
      ...general,
      broken: general.broken || nonRsvpHop,
      // Nobody estimates the bandwidth of the links here.
      invalid: [...new Set([...general.invalid, PATH_BANDWIDTH])],
      hops: Math.min(HOPS_MAX, general.hops + 1),
      // The latency of a link is not measured, and one unknown makes the sum unknown.
      minLatencyMicros: LATENCY_INDETERMINATE,
      pathMtu: Math.min(general.pathMtu, mtu) as Octets,
    },
    // No error terms are known for Linux queues: guaranteed service has a gap here (RFC 2212 "Exported Information").
    ...(guaranteed === undefined ? {} : { guaranteed: { ...guaranteed, broken: true } }),
    others: adspec.others.map((fragment) => ({ ...fragment, broken: true })),
  };
}

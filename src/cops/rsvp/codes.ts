/** COPS for RSVP (RFC 2749): numbers. */
import { R_TYPE } from "../codec/codes.js";
import type { CopsContext } from "../codec/message.js";

/** RFC 2749 §2.1. */
export const CLIENT_TYPE_RSVP = 1;

/** M-Type of the Context, RFC 2749 §2.2: the `msg type` of the RSVP header. Tears and ResvConf are not asked about. */
export const RSVP_M_TYPE = { path: 1, resv: 2, pathErr: 3, resvErr: 4 } as const;

export type RsvpMType = (typeof RSVP_M_TYPE)[keyof typeof RSVP_M_TYPE];

const M_TYPES = new Set<number>(Object.values(RSVP_M_TYPE));

export const isRsvpMType = (mType: number): mType is RsvpMType => M_TYPES.has(mType);

/** RFC 2749 §2.4: classes of RSVP objects that a PDP may replace. */
export const ERROR_SPEC_CLASS = 6;

/** Of which of the three steps a reservation is asked about at once. */
export type ReservationSteps = "unicastFixed" | "oneNextHop" | "merged";

/**
 * Context for a reservation that is to be committed, RFC 2749 §3.6: all three steps at once for unicast FF, the first two
 * where one Resv is all that there is on the interface; what several next hops asked for is merged, so that it is no message.
 */
export function reservationContext(steps: ReservationSteps): CopsContext {
  const { admission, resourceAllocation, outgoing } = R_TYPE;
  const mType = RSVP_M_TYPE.resv;
  switch (steps) {
    case "unicastFixed":
      return { rType: admission | resourceAllocation | outgoing, mType };
    case "oneNextHop":
      return { rType: admission | resourceAllocation, mType };
    case "merged":
      return { rType: resourceAllocation, mType };
  }
}

/** One handle per request state, four octets: analysers show those as a number. @param number - 1..2^32-1 */
export function requestHandle(number: number): Buffer {
  const handle = Buffer.alloc(4);
  handle.writeUInt32BE(number);
  return handle;
}

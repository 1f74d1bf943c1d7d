/** Strings that are equal for values that name the same thing, for maps of state; and the PHB in a session. */
import { unreachable } from "../../model/errors.js";
import { type Dscp, dscp } from "../../model/units.js";
import type { FilterSpec, Session } from "./objects.js";

/** Flags are no part of what identifies a session (RFC 2205 §A.1). */
export function sessionKey(session: Session): string {
  switch (session.kind) {
    case "ip":
      return `ip ${session.destination} ${session.protocol} ${session.port}`;
    case "aggregate":
      return `aggregate ${session.destination} ${session.dscp}`;
    case "genericAggregate": {
      const { destination, phbId, vDstPort, extendedVDstPort } = session;
      return `generic ${destination} ${phbId} ${vDstPort} ${extendedVDstPort}`;
    }
    default:
      return unreachable(session, "sessionKey");
  }
}

export function filterKey({ address, port }: FilterSpec): string {
  return port === undefined ? address : `${address} ${port}`;
}

/** RFC 3140 §2, case 1: the PHB with this recommended code point. */
export const phbIdOf = (codePoint: Dscp): number => codePoint << 10;

/** RFC 3140 §2, case 1, the other way round; undefined for any other identification code. */
export const dscpOfPhbId = (phbId: number): Dscp | undefined => ((phbId & 0x3ff) === 0 ? dscp(phbId >> 10) : undefined);

/** Which reservation of RSVP somebody speaks of. */
import { unreachable } from "../../../model/errors.js";
import type { Dscp } from "../../../model/units.js";
import { dscpOfPhbId, filterKey, sessionKey } from "../../../rsvp/codec/keys.js";
import type { Session } from "../../../rsvp/codec/objects.js";
import type { End } from "./ends.js";
import type { ReservationEnds } from "./happenings.js";

export function reservationEnds(direction: ReservationEnds["direction"], end: End): ReservationEnds {
  const { session, template } = end;
  const [sender, destination] = [template.address, session.destination];
  return { id: reservationId(end), direction, sender, destination, dscp: sessionDscp(session) };
}

/** Tells a sender from the others of its session, and of other sessions between the same ends. */
export const reservationId = ({ session, template }: End): string => `${sessionKey(session)} ${filterKey(template)}`;

/** Of an aggregate, where its PHB has a recommended one (RFC 3140 §2); undefined for a single flow. */
export function sessionDscp(session: Session): Dscp | undefined {
  switch (session.kind) {
    case "ip":
      return undefined;
    case "aggregate":
      return session.dscp;
    case "genericAggregate":
      return dscpOfPhbId(session.phbId);
    default:
      return unreachable(session, "sessionDscp");
  }
}

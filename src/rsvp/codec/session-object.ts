/** SESSION and SESSION_OF_INTEREST objects <-> sessions. */
import { unreachable } from "../../model/errors.js";
import { type Dscp, dscp } from "../../model/units.js";
import { badValue } from "./errors.js";
import type { ObjectBag } from "./object-bag.js";
import type { ObjectValue, RsvpObject } from "./object-table.js";
import type { GenericAggregateSession, Session } from "./objects.js";

/** RFC 2205 §A.1. */
const E_POLICE = 0x01;
const DSCP_MAX = 63;

/** @throws RsvpDecodeError for a code point above 63 */
export function sessionOf(bag: ObjectBag): Session | undefined {
  const ip = bag.maybe("session");
  if (ip !== undefined) {
    const { destination, protocol, flags, port } = ip;
    return { kind: "ip", destination, protocol, port, ePolice: hasEPolice(flags) };
  }
  const aggregate = bag.maybe("aggregateSession");
  if (aggregate !== undefined) {
    const { destination, flags } = aggregate;
    const codePoint = readDscp(aggregate.dscp, bag.place("aggregateSession"), "SESSION");
    return { kind: "aggregate", destination, dscp: codePoint, ePolice: hasEPolice(flags) };
  }
  const generic = bag.maybe("genericAggregateSession");
  return generic === undefined ? undefined : genericOf(generic);
}

export function sessionOfInterestOf(bag: ObjectBag): GenericAggregateSession | undefined {
  const value = bag.maybe("sessionOfInterest");
  return value === undefined ? undefined : genericOf(value);
}

function genericOf(value: ObjectValue<"genericAggregateSession">): GenericAggregateSession {
  const { destination, phbId, vDstPort, extendedVDstPort, flags } = value;
  return { kind: "genericAggregate", destination, phbId, vDstPort, extendedVDstPort, ePolice: hasEPolice(flags) };
}

/** @throws RsvpDecodeError */
export function readDscp(value: number, offset: number, object: string): Dscp {
  if (value > DSCP_MAX) throw badValue(`code point ${value} has more than six bits`, { offset, object });
  return dscp(value);
}

const hasEPolice = (flags: number): boolean => (flags & E_POLICE) !== 0;
const flagsOf = (session: Session): number => (session.ePolice ? E_POLICE : 0);

export function sessionObject(session: Session): RsvpObject {
  const flags = flagsOf(session);
  switch (session.kind) {
    case "ip": {
      const { destination, protocol, port } = session;
      return { name: "session", value: { destination, protocol, port, flags } };
    }
    case "aggregate":
      return { name: "aggregateSession", value: { destination: session.destination, dscp: session.dscp, flags } };
    case "genericAggregate":
      return { name: "genericAggregateSession", value: genericValue(session) };
    default:
      return unreachable(session, "sessionObject");
  }
}

/** RFC 4860 §2.2: holds the contents of a SESSION object, not its header. */
export function sessionOfInterestObject(session: GenericAggregateSession): RsvpObject {
  return { name: "sessionOfInterest", value: genericValue(session) };
}

function genericValue(session: GenericAggregateSession): ObjectValue<"genericAggregateSession"> {
  const { destination, phbId, vDstPort, extendedVDstPort } = session;
  return { destination, phbId, vDstPort, extendedVDstPort, flags: flagsOf(session) };
}

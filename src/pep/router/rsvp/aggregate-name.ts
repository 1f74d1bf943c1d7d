/** What tells the aggregates between two edges apart, and the RSVP session of each. */
import { unreachable } from "../../../model/errors.js";
import type { IpAddress } from "../../../model/ip.js";
import { describeDscp } from "../../../model/phb.js";
import type { Dscp } from "../../../model/units.js";
import { dscpOfPhbId, phbIdOf } from "../../../rsvp/codec/keys.js";
import type { SenderTemplate, Session } from "../../../rsvp/codec/objects.js";
import { aggregateSession, genericAggregateSession } from "../../../rsvp/machine/aggregate.js";

export type AggregateName =
  /** RFC 3175 §3.3: everything of a code point. */
  | { readonly by: "codePoint"; readonly dscp: Dscp }
  /** RFC 4860 §2.1: one of several of a code point. `index`: 0 to 65535. */
  | { readonly by: "index"; readonly dscp: Dscp; readonly index: number }
  /** The outer flow of a tunnel, RFC 2205 §A.1; ports are 0 where the protocol has none. */
  | {
      readonly by: "tunnel";
      readonly protocol: number;
      /** The end here. */
      readonly local: IpAddress;
      readonly sourcePort: number;
      readonly destinationPort: number;
    };

/** The same for both directions of an aggregate, seen from one edge. */
export function aggregateKey(remote: IpAddress, name: AggregateName): string {
  switch (name.by) {
    case "codePoint":
      return `${remote} ${name.dscp}`;
    case "index":
      return `${remote} ${name.dscp} ${name.index}`;
    case "tunnel":
      return `${remote} ${name.local} ${name.protocol}:${name.sourcePort}:${name.destinationPort}`;
    default:
      return unreachable(name, "aggregateKey");
  }
}

/** For a person, between "the aggregate of" and the other edge. */
export function describeName(name: AggregateName): string {
  switch (name.by) {
    case "codePoint":
      return describeDscp(name.dscp);
    case "index":
      return `${describeDscp(name.dscp)} number ${name.index}`;
    case "tunnel":
      return `the tunnel of protocol ${name.protocol}, ports ${name.sourcePort} and ${name.destinationPort},`;
    default:
      return unreachable(name, "describeName");
  }
}

/** Of the aggregate to `remote`. @param own - the address of this edge */
export function outgoingSession(own: IpAddress, remote: IpAddress, name: AggregateName): Session {
  switch (name.by) {
    case "codePoint":
      return aggregateSession(remote, name.dscp);
    case "index":
      return genericAggregateSession(remote, own, phbIdOf(name.dscp), name.index);
    case "tunnel": {
      const { protocol, destinationPort: port } = name;
      return { kind: "ip", destination: remote, protocol, port, ePolice: false };
    }
    default:
      return unreachable(name, "outgoingSession");
  }
}

/** The sender here: aggregates by code point have no port (RFC 3175 §3.4). */
export const outgoingTemplate = (own: IpAddress, name: AggregateName): SenderTemplate =>
  name.by === "tunnel" ? { address: name.local, port: name.sourcePort } : { address: own };

/** Of the way back in a tunnel: both ends name its ports alike. */
export function incomingTunnel(
  remote: IpAddress,
  { local, protocol, sourcePort, destinationPort }: Extract<AggregateName, { by: "tunnel" }>,
): { readonly session: Session; readonly template: SenderTemplate } {
  return {
    session: { kind: "ip", destination: local, protocol, port: destinationPort, ePolice: false },
    template: { address: remote, port: sourcePort },
  };
}

/** Which aggregate a sender makes towards here; undefined for a PHB without a recommended code point (RFC 3140 §2, case 2). */
export function incomingName(session: Session, { port = 0 }: SenderTemplate): AggregateName | undefined {
  switch (session.kind) {
    case "aggregate":
      return { by: "codePoint", dscp: session.dscp };
    case "genericAggregate": {
      const dscp = dscpOfPhbId(session.phbId);
      return dscp === undefined ? undefined : { by: "index", dscp, index: session.vDstPort };
    }
    case "ip": {
      const { destination: local, protocol, port: destinationPort } = session;
      return { by: "tunnel", local, protocol, sourcePort: port, destinationPort };
    }
    default:
      return unreachable(session, "incomingName");
  }
}

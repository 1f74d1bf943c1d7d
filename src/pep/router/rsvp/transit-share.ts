/** What a reservation that only passes takes of the classes of its outgoing interface. Pure. */
import { createHash } from "node:crypto";
import type { AggregateMatch } from "../../../kernel/port.js";
import { unreachable } from "../../../model/errors.js";
import { IP_PROTOCOL } from "../../../model/flow.js";
import { PHB_DSCP } from "../../../model/phb.js";
import { type Dscp, dscp } from "../../../model/units.js";
import { sessionKey } from "../../../rsvp/codec/keys.js";
import type { FilterSpec, IpSession } from "../../../rsvp/codec/objects.js";
import type { ReservationRef } from "../../../rsvp/machine/keys.js";
import type { Share } from "./class-sums.js";
import { RESERVED_PREFIX } from "./reserved-pools.js";

/** What a pool's name may take in the kernel. */
const MAX_NAME = 80;
/** Bit 14 of a PHB-ID, whose bit 0 is the most significant; and the bits that case 1 has as zero. */
const SET_OF_PHBS = 0x0002;
const BEYOND_CASE_1 = 0x03fd;
const { AF11, AF41, AF43 } = PHB_DSCP;

/** Of interface, session and sender, the same after a restart. */
export function nameOf({ session, interface: name, flow }: ReservationRef): string {
  const text = `${name}-${sessionKey(session)}-${flow}`.replaceAll(" ", "-");
  if (encodeURIComponent(RESERVED_PREFIX + text).length <= MAX_NAME) return RESERVED_PREFIX + text;
  return RESERVED_PREFIX + createHash("sha256").update(text).digest("hex").slice(0, 32);
}

/**
 * RFC 2597 §2: packets of one AF class must not overtake each other, whatever their drop precedence, so the three share a
 * queue, and have the name of the lowest. Every other code point is by itself.
 */
function schedulingClassOf(code: Dscp): Dscp {
  const precedence = (code & 0b111) >>> 1;
  const isAssured = (code & 1) === 0 && precedence > 0 && code >= AF11 && code <= AF43;
  return isAssured ? dscp(code - 2 * (precedence - 1)) : code;
}

/** Of the class that all aggregates of a code point share on an interface. */
export const sharedNameOf = (name: string, code: Dscp): string =>
  `${RESERVED_PREFIX}${name}-dscp-${schedulingClassOf(code)}`;

/**
 * Code points of a PHB-ID, RFC 3140 §2. Case 1 is a recommended code point in the upper six bits; with bit 14 it is the
 * lowest of a scheduling class, which of the standard PHBs only the classes of AF are.
 * Undefined for case 2, numbers that IANA gives, and for what is none.
 */
export function codePointsOf(phbId: number): readonly [Dscp, ...Dscp[]] | undefined {
  const code = phbId >>> 10;
  if ((phbId & BEYOND_CASE_1) !== 0) return undefined;
  if ((phbId & SET_OF_PHBS) === 0) return [dscp(code)];
  const isLowestAssured = code >= AF11 && code <= AF41 && (code & 0b111) === 0b010;
  return isLowestAssured ? [dscp(code), dscp(code + 2), dscp(code + 4)] : undefined;
}

/**
 * Routers inside an aggregation region tell aggregates apart by their code point alone, and need one queue for each
 * (RFC 3175 §1.4.1, RFC 4860 §3.1); single sessions by their five-tuple.
 * @returns undefined where its packets cannot be told from others
 */
export function shareOf(ref: ReservationRef, filters: readonly FilterSpec[]): Omit<Share, "rate"> | undefined {
  const { session, interface: link } = ref;
  switch (session.kind) {
    case "aggregate":
      return { name: sharedNameOf(link, session.dscp), interface: link, carries: byCodePoint([session.dscp]) };
    case "genericAggregate": {
      const codes = codePointsOf(session.phbId);
      return codes && { name: sharedNameOf(link, codes[0]), interface: link, carries: byCodePoint(codes) };
    }
    case "ip":
      return { name: nameOf(ref), interface: link, carries: byFlow(session, filters) };
    default:
      return unreachable(session, "shareOf");
  }
}

const byCodePoint = (codes: readonly Dscp[]): readonly AggregateMatch[] =>
  codes.map((code) => ({ by: "codePoint", dscp: code }));

const hasPorts = (protocol: number): boolean => protocol === IP_PROTOCOL.tcp || protocol === IP_PROTOCOL.udp;

/** Port 0 stands for none (RFC 2205 §3.2). A wildcard filter (WF) names no sender, so its class gets no packets. */
function byFlow(session: IpSession, filters: readonly FilterSpec[]): readonly AggregateMatch[] {
  const { destination, protocol, port } = session;
  const end = (address: string, number: number): { address: string; port?: number } =>
    number === 0 || !hasPorts(protocol) ? { address } : { address, port: number };
  return filters.flatMap(({ address, port: from = 0 }): readonly AggregateMatch[] => {
    // Ports of other protocols cannot be matched, and without them more than the session would be carried.
    if (!hasPorts(protocol) && port !== 0) return [];
    if (port === 0 && from !== 0) return [];
    return [{ by: "flow", protocol, source: end(address, from), destination: end(destination, port) }];
  });
}

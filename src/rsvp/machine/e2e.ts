/**
 * End-to-end sessions at the edge of an aggregation region, RFC 3175 §2. Between the edges their messages that need a Router
 * Alert go as RSVP-E2E-IGNORE, so that the region's routers forward them unread, and edges are each other's hops. Pure.
 *
 * ```
 *  sender ── 46 ──> exterior [aggregator] interior ── 134 ──> interior [deaggregator] exterior ── 46 ──> receiver
 * ```
 */
import { familyOf } from "../../model/ip.js";
import type { SessionMessage } from "../codec/message.js";
import type { Hop, Session } from "../codec/objects.js";
import type { Arrival, RsvpInterface } from "./events.js";
import type { PathState } from "./state.js";

/** What is needed of a node. */
interface Interfaces {
  readonly interfaces: ReadonlyMap<string, RsvpInterface>;
}

/** What is needed of a session. */
interface Crossing {
  readonly session: Session;
  readonly paths: ReadonlyMap<string, PathState>;
}

/**
 * Why a message that came as RSVP-E2E-IGNORE is none for this node, or undefined: §3.1 has it for three messages, and only
 * inside a region, whose edge takes it.
 */
export function endToEndFault(message: SessionMessage, iface: RsvpInterface): string | undefined {
  if (iface.region?.side !== "interior") return "RSVP-E2E-IGNORE from outside an aggregation region";
  if (message.session.kind !== "ip") return "RSVP-E2E-IGNORE about an aggregate";
  const { kind } = message;
  return kind === "Path" || kind === "PathTear" || kind === "ResvConf" ? undefined : `RSVP-E2E-IGNORE with a ${kind}`;
}

/** §2.1, §2.3: whether the sender of a Path is beyond the region, or outside it on this side. */
export function isEndToEnd(session: Session, arrival: Arrival, iface: RsvpInterface | undefined): boolean {
  return session.kind === "ip" && (arrival.endToEnd === true || iface?.region?.side === "exterior");
}

/**
 * Whether a Path is one that the aggregator would have hidden. While an aggregator is away its kernel forwards Paths as they
 * are, and routers of the region take them: were they believed, the session would leave its aggregate, and end with the state
 * of those routers. The other edge's Path is soft state like any: without it for its lifetime, the session goes without.
 */
export function isStray(before: PathState | undefined, arrival: Arrival, node: Interfaces): boolean {
  if (before?.endToEnd !== true || before.from.kind === "local" || arrival.endToEnd === true) return false;
  const isInside = (name: string): boolean => node.interfaces.get(name)?.region?.side === "interior";
  return isInside(before.from.interface) && isInside(arrival.interface);
}

/** Whether what a sender's session says by that interface crosses the region. */
function crosses(session: Session, { region }: RsvpInterface): boolean {
  // An edge without an address of the family is none for it: there RSVP goes from router to router.
  return region?.side === "interior" && familyOf(region.address) === familyOf(session.destination);
}

/** §2.1: a Path or PathTear of this sender goes as RSVP-E2E-IGNORE. */
export const pathCrosses = (session: Session, path: PathState, iface: RsvpInterface): boolean =>
  path.endToEnd === true && crosses(session, iface);

/** The same for what is about the whole session. */
export function sessionCrosses({ session, paths }: Crossing, iface: RsvpInterface | undefined): boolean {
  if (iface === undefined || !crosses(session, iface)) return false;
  for (const path of paths.values()) if (path.endToEnd === true) return true;
  return false;
}

/**
 * What goes into RSVP_HOP of messages out of `iface`; undefined if it has no address of the session's family. Across the
 * region it is the address of the edge: the one that aggregates have as their sender or destination (§3.3, §3.4), so the other
 * edge knows to which aggregate the session belongs (§1.4.2).
 */
export function hopOf(session: Session, iface: RsvpInterface, acrossRegion: boolean): Hop | undefined {
  if (acrossRegion && iface.region?.side === "interior") return { address: iface.region.address, lih: iface.lih };
  const family = familyOf(session.destination);
  const address = iface.addresses.find((candidate) => familyOf(candidate) === family);
  return address === undefined ? undefined : { address, lih: iface.lih };
}

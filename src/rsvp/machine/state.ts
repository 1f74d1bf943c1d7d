/**
 * The soft state of one session, RFC 2205 §2.3 and §3: values that are replaced, never changed. Times are the
 * milliseconds of the events.
 */
import type { IpAddress } from "../../model/ip.js";
import type { Millis } from "../../model/units.js";
import type { FlowDescriptors } from "../codec/message.js";
import type {
  Adspec,
  FilterSpec,
  Flowspec,
  OpaqueObject,
  PolicyData,
  SenderTemplate,
  Session,
  Style,
  TokenBucket,
} from "../codec/objects.js";
import type { Neighbour, RemoteNeighbour } from "./keys.js";

/** Where data of a session goes on. Unicast: one place. */
export type Route =
  | { readonly kind: "local" }
  | { readonly kind: "interface"; readonly name: string }
  /** Routing has been asked. */
  | { readonly kind: "pending" }
  | { readonly kind: "none" };

/** Path state block: what is known of a sender. The PHOP is no part of its key (§3.1.3, unicast). */
export interface PathState {
  readonly template: SenderTemplate;
  readonly tspec: TokenBucket;
  readonly adspec?: Adspec;
  readonly policy: readonly PolicyData[];
  readonly unknown: readonly OpaqueObject[];
  readonly from: Neighbour;
  /** IP TTL that the Path goes on with. */
  readonly ttl: number;
  /** It came through routers that have no RSVP (§3.8). */
  readonly nonRsvpHop: boolean;
  /** This node is the first that polices (§3.8). */
  readonly entryPolicing: boolean;
  /** Its sender is outside the aggregation region that this node is an edge of. */
  readonly endToEnd?: true;
  /** Infinity for a local sender. */
  readonly expires: number;
  readonly refreshAt: number;
  /** R that is advertised downstream. */
  readonly period: Millis;
}

/** Reservation state block: what one next hop asked for, for one FF sender or for a shared style. */
export interface ReservationState {
  readonly to: Neighbour;
  readonly style: Style;
  /** None with WF, one with FF. */
  readonly filters: readonly FilterSpec[];
  /** What was granted; absent until something was. */
  readonly flowspec?: Flowspec;
  /** What is asked beyond that and not yet decided. */
  readonly asked?: Flowspec;
  /** The most that a preemption left (RFC 4495), until the receiver asks for no more than that. */
  readonly cap?: Flowspec;
  /** RESV_CONFIRM that was neither forwarded nor answered yet. */
  readonly confirm?: IpAddress;
  readonly scope?: readonly IpAddress[];
  readonly policy: readonly PolicyData[];
  readonly unknown: readonly OpaqueObject[];
  /** Infinity for a local receiver. */
  readonly expires: number;
}

/** What was asked of traffic control and not answered yet. */
export interface PendingRequest {
  readonly id: number;
  readonly flowspec: Flowspec;
  readonly filters: readonly FilterSpec[];
  /** The reservation state that wants more, and what; without one it is for what is granted already. */
  readonly candidate?: { readonly key: string; readonly asked: Flowspec };
}

/** Traffic control state block: the reservation on one outgoing interface. */
export interface EffectiveState {
  readonly interface: string;
  readonly flow: string;
  /** Never more than what traffic control said yes to. */
  readonly admitted?: Flowspec;
  readonly filters: readonly FilterSpec[];
  readonly pending?: PendingRequest;
  /** Refused without anybody's fault: not asked again before somebody refreshes. */
  readonly refused?: Flowspec;
}

/** §3.5. The key is the sender's for explicit styles, the previous hop's for WF. */
export interface Blockade {
  readonly flowspec: Flowspec;
  readonly until: number;
}

/** What was told upstream last: to a previous hop by a Resv, or to a local sender. */
export interface SentState {
  readonly to: Neighbour;
  readonly flows: FlowDescriptors;
  /** All that it says, to see a change. */
  readonly content: string;
  /** Infinity for a local sender. */
  readonly refreshAt: number;
  readonly period: Millis;
}

export interface SessionState {
  readonly session: Session;
  readonly route: Route;
  /** By `filterKey` of the template. */
  readonly paths: ReadonlyMap<string, PathState>;
  /** By `reservationKey`. */
  readonly reservations: ReadonlyMap<string, ReservationState>;
  /** By `effectiveKey`. */
  readonly effective: ReadonlyMap<string, EffectiveState>;
  readonly blockades: ReadonlyMap<string, Blockade>;
  /** By `neighbourKey`. */
  readonly sent: ReadonlyMap<string, SentState>;
  /** Number of the last request to traffic control. */
  readonly lastRequest: number;
}

export function newSession(session: Session): SessionState {
  return {
    session: { ...session, ePolice: false },
    route: { kind: "pending" },
    paths: new Map(),
    reservations: new Map(),
    effective: new Map(),
    blockades: new Map(),
    sent: new Map(),
    lastRequest: 0,
  };
}

/** Whether nothing is left to remember. */
export const isEmpty = ({ paths, reservations, effective }: SessionState): boolean =>
  paths.size + reservations.size + effective.size === 0;

/** When the session next has to be looked at; Infinity for never. */
export function earliestDeadline(state: SessionState): number {
  let earliest = Number.POSITIVE_INFINITY;
  const consider = (at: number): void => {
    if (at < earliest) earliest = at;
  };
  for (const path of state.paths.values()) {
    consider(path.expires);
    consider(path.refreshAt);
  }
  for (const { expires } of state.reservations.values()) consider(expires);
  for (const { until } of state.blockades.values()) consider(until);
  for (const { refreshAt } of state.sent.values()) consider(refreshAt);
  return earliest;
}

export const isRemote = (neighbour: Neighbour): neighbour is RemoteNeighbour => neighbour.kind === "remote";

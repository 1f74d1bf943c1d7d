/**
 * A session in the middle of a step: maps that the rules of the RFC change one after the other, and the actions
 * so far. It lives for one step only; what goes in and comes out are values.
 */
import type { IpAddress } from "../../model/ip.js";
import type { Hop, Session } from "../codec/objects.js";
import { hopOf, sessionCrosses } from "./e2e.js";
import type { Arrival, Moment, NodeAction, Notice, RsvpInterface } from "./events.js";
import type { RemoteNeighbour } from "./keys.js";
import type { NodeRules } from "./rules.js";
import type { Blockade, EffectiveState, PathState, ReservationState, Route, SentState, SessionState } from "./state.js";

/** What a session sees of its node. */
export interface Surroundings {
  readonly rules: NodeRules;
  /** Interfaces that are up, by name. */
  readonly interfaces: ReadonlyMap<string, RsvpInterface>;
  readonly byLih: ReadonlyMap<number, RsvpInterface>;
}

export interface Draft {
  readonly node: Surroundings;
  readonly now: number;
  readonly session: Session;
  route: Route;
  readonly paths: Map<string, PathState>;
  readonly reservations: Map<string, ReservationState>;
  readonly effective: Map<string, EffectiveState>;
  readonly blockades: Map<string, Blockade>;
  readonly sent: Map<string, SentState>;
  lastRequest: number;
  /** Effective reservations to reconcile before the step ends. */
  readonly touched: Set<string>;
  /** Whether what previous hops were told has to be looked at. */
  upstream: boolean;
  readonly actions: NodeAction[];
  /** In [0, 1), another one each time. */
  readonly random: () => number;
}

/** The golden ratio's fraction: its multiples spread evenly over [0, 1). */
const SPREAD = 0.618033988749895;

export function draftOf(node: Surroundings, state: SessionState, moment: Moment): Draft {
  let drawn = 0;
  return {
    node,
    now: moment.now,
    session: state.session,
    route: state.route,
    paths: new Map(state.paths),
    reservations: new Map(state.reservations),
    effective: new Map(state.effective),
    blockades: new Map(state.blockades),
    sent: new Map(state.sent),
    lastRequest: state.lastRequest,
    touched: new Set(),
    upstream: false,
    actions: [],
    random: () => (moment.random + SPREAD * drawn++) % 1,
  };
}

export function stateOf(draft: Draft): SessionState {
  const { session, route, paths, reservations, effective, blockades, sent, lastRequest } = draft;
  return { session, route, paths, reservations, effective, blockades, sent, lastRequest };
}

export function ignore(draft: Draft, what: string): void {
  draft.actions.push({ do: "ignore", what });
}

export function notify(draft: Draft, notice: Notice): void {
  draft.actions.push({ do: "notify", session: draft.session, notice });
}

/** IP TTL of what goes from one node to the next, and of Paths that begin here. */
export const TTL = 64;

/** Messages that go from hop to hop by address, without Router Alert (RFC 2205 §3.1.4 to §3.1.8). */
export function sendToHop(
  draft: Draft,
  to: RemoteNeighbour,
  make: (own: Hop) => Extract<NodeAction, { do: "send" }>["message"],
): void {
  const iface = draft.node.interfaces.get(to.interface);
  const own = iface === undefined ? undefined : hopOf(draft.session, iface, sessionCrosses(draft, iface));
  if (own === undefined) {
    ignore(draft, "message for an interface that is down");
    return;
  }
  draft.actions.push({
    do: "send",
    message: make(own),
    interface: to.interface,
    destination: to.hop.address,
    routerAlert: false,
    ttl: TTL,
  });
}

/** §3.8: a hop without RSVP took from the IP TTL and left the one in the message. */
export const crossedNonRsvp = (arrival: Arrival): boolean => arrival.ttl !== arrival.sendTtl;

/** An address of this node for ERROR_SPEC: that of the interface, or the destination where that is here. */
export function nodeAddress(draft: Draft, name?: string): IpAddress {
  const iface = name === undefined ? undefined : draft.node.interfaces.get(name);
  const own = iface === undefined ? undefined : hopOf(draft.session, iface, sessionCrosses(draft, iface));
  return own?.address ?? draft.session.destination;
}

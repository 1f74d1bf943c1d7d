/** Resv and ResvTear messages, and the receiver on this node. RFC 2205 §3.1.4, §3.1.6. */
import type { IpAddress } from "../../model/ip.js";
import { RSVP_ERROR, STYLE_OPTIONS, TRAFFIC_CONTROL } from "../codec/codes.js";
import type { ErrorAnswer } from "../codec/errors.js";
import { filterKey } from "../codec/keys.js";
import type { ResvMessage, ResvTearMessage } from "../codec/message.js";
import type { FilterSpec } from "../codec/objects.js";
import { type Draft, ignore } from "./draft.js";
import type { Arrival, LocalCall, RsvpInterface } from "./events.js";
import { covers, flowspecEqual } from "./flowspec-algebra.js";
import { LOCAL, type Neighbour, neighbourKey } from "./keys.js";
import {
  deny,
  dropLocal,
  effectiveKeyOf,
  erroredFlows,
  type FlowRequest,
  PARTIALLY_PREEMPTED,
  removeFilters,
  removeReservation,
  requestsOf,
  reservationKey,
  sendResvErr,
  touch,
  withinCap,
} from "./reservations.js";
import { lifetime } from "./rules.js";
import type { ReservationState } from "./state.js";

/** What all requests of a Resv have in common. */
type Common = Pick<ReservationState, "to" | "confirm" | "scope" | "policy" | "unknown" | "expires">;

export function onResv(draft: Draft, message: ResvMessage, arrival: Arrival): void {
  // §3.3: the LIH, which we gave, says where the reservation is wanted, whatever interface the message came by.
  const outgoing = draft.node.byLih.get(message.hop.lih);
  if (outgoing === undefined) {
    ignore(draft, "Resv with an unknown LIH");
    return;
  }
  const to: Neighbour = { kind: "remote", interface: outgoing.name, hop: message.hop };
  if (draft.paths.size === 0) {
    const back: Neighbour = { ...to, interface: arrival.interface };
    for (const request of requestsOf(message.flows))
      refuse(draft, back, { code: RSVP_ERROR.noPath, value: 0 }, request);
    return;
  }
  if (!routedTo(draft, outgoing)) {
    ignore(draft, "Resv for an interface that the route left");
    return;
  }
  const common: Common = {
    to,
    ...(message.confirm === undefined ? {} : { confirm: message.confirm }),
    ...(message.scope === undefined ? {} : { scope: message.scope }),
    policy: message.policy,
    unknown: message.unknown,
    expires: draft.now + lifetime(draft.node.rules, message.refreshPeriod),
  };
  for (const request of requestsOf(message.flows)) onRequest(draft, common, request);
}

const routedTo = ({ route }: Draft, { name }: RsvpInterface): boolean =>
  route.kind === "interface" && route.name === name;

export function onReserve(draft: Draft, call: Extract<LocalCall, { type: "reserve" }>): void {
  const requests = requestsOf(call.flows);
  // §3.11.1: a later call replaces what the earlier one asked for.
  dropLocal(draft, ({ style }) => style !== call.flows.style);
  if (draft.route.kind !== "local" || draft.paths.size === 0) {
    for (const request of requests) refuse(draft, LOCAL, { code: RSVP_ERROR.noPath, value: 0 }, request);
    return;
  }
  const common: Common = {
    to: LOCAL,
    ...confirmOf(call.confirm),
    policy: call.policy ?? [],
    unknown: [],
    expires: Number.POSITIVE_INFINITY,
  };
  for (const request of requests) onRequest(draft, common, request);
}

const confirmOf = (confirm: IpAddress | undefined): Pick<ReservationState, "confirm"> =>
  confirm === undefined ? {} : { confirm };

function refuse(draft: Draft, to: Neighbour, error: ErrorAnswer, request: FlowRequest): void {
  sendResvErr(draft, to, error, erroredFlows(request));
}

function onRequest(draft: Draft, common: Common, asked: FlowRequest): void {
  const known = asked.filters.filter((filter) => draft.paths.has(filterKey(filter)));
  const request = { ...asked, filters: known };
  const unknown = { ...asked, filters: asked.filters.filter((filter) => !known.includes(filter)) };
  if (unknown.filters.length > 0) {
    // §3.1.8, §B: error 4 for filters that match no sender; the others stand.
    refuse(draft, common.to, { code: RSVP_ERROR.noSender, value: 0 }, unknown);
    if (known.length === 0) return;
  }
  const key = reservationKey(common.to, request.style, known);
  const before = draft.reservations.get(key);
  const fault = requestFault(draft, request, before);
  if (fault !== undefined) {
    refuse(draft, common.to, fault, request);
    return;
  }
  install(draft, key, before, common, request);
}

function requestFault(
  draft: Draft,
  { style, flowspec }: FlowRequest,
  before: ReservationState | undefined,
): ErrorAnswer | undefined {
  for (const other of draft.reservations.values()) {
    // §1.3: styles do not merge. The value is the style that is there already.
    if (other.style !== style) return { code: RSVP_ERROR.conflictingStyle, value: STYLE_OPTIONS[other.style] };
    const services = [other.flowspec, other.asked].map((each) => each?.kind ?? flowspec.kind);
    // §B: two services do not merge either, also not one that is granted with one that is asked for.
    if (other !== before && services.some((kind) => kind !== flowspec.kind))
      return { code: RSVP_ERROR.trafficControl, value: TRAFFIC_CONTROL.serviceConflict };
  }
  if (before === undefined && draft.reservations.size >= draft.node.rules.maxReservations)
    return { code: RSVP_ERROR.rsvpSystem, value: 0 };
  return undefined;
}

function install(
  draft: Draft,
  key: string,
  before: ReservationState | undefined,
  common: Common,
  { style, filters, flowspec }: FlowRequest,
): void {
  const granted = before?.flowspec;
  const fresh = { ...common, style, filters };
  if (before?.cap !== undefined && granted !== undefined && !withinCap(before.cap, flowspec)) {
    // RFC 4495 §4 (Req#4): the same limit again, and what is left stays.
    draft.reservations.set(key, { ...fresh, flowspec: granted, cap: before.cap });
    deny(draft, key, PARTIALLY_PREEMPTED, before.cap);
    return;
  }
  const now = granted !== undefined && covers(granted, flowspec);
  // The receiver here sends its data to nobody: there is no link to admit it to.
  const state: ReservationState =
    now || common.to.kind === "local"
      ? { ...fresh, flowspec }
      : { ...fresh, ...(granted === undefined ? {} : { flowspec: granted }), asked: flowspec };
  draft.reservations.set(key, state);
  const unchanged =
    now &&
    before?.asked === undefined &&
    flowspecEqual(granted, flowspec) &&
    sameFilters(before?.filters ?? [], filters) &&
    sameExtras(before, common);
  if (unchanged) retry(draft, state);
  else touch(draft, state);
}

const sameFilters = (a: readonly { address: string; port?: number }[], b: typeof a): boolean =>
  a.map(filterKey).sort().join() === b.map(filterKey).sort().join();

/** A RESV_CONFIRM makes a refresh worth forwarding at once, also if nothing else is new. */
function sameExtras(before: ReservationState | undefined, { confirm, scope, policy, unknown }: Common): boolean {
  const extras = policy.length + unknown.length + (scope?.length ?? 0);
  const extrasBefore = (before?.policy.length ?? 0) + (before?.unknown.length ?? 0) + (before?.scope?.length ?? 0);
  return confirm === undefined && extras + extrasBefore === 0;
}

/** §3.7: a refresh changes nothing, but gives what was refused for somebody else's sake another chance. */
function retry(draft: Draft, state: ReservationState): void {
  const key = effectiveKeyOf(state);
  const effective = key === undefined ? undefined : draft.effective.get(key);
  if (key === undefined || effective?.refused === undefined) return;
  const { refused: _refused, ...rest } = effective;
  draft.effective.set(key, rest);
  draft.touched.add(key);
}

export function onResvTear(draft: Draft, message: ResvTearMessage): void {
  const outgoing = draft.node.byLih.get(message.hop.lih);
  if (outgoing === undefined) {
    ignore(draft, "ResvTear with an unknown LIH");
    return;
  }
  // §3.1.6: session, style, filters and LIH must match, and with several next hops on a link the hop.
  const from = neighbourKey({ kind: "remote", interface: outgoing.name, hop: message.hop });
  const { flows } = message;
  const gone = flows.style === "WF" ? undefined : new Set(flows.filters.map(filterKey));
  let matched = false;
  for (const [key, { to, style }] of [...draft.reservations]) {
    if (style !== flows.style || neighbourKey(to) !== from) continue;
    matched = true;
    if (gone === undefined) removeReservation(draft, key);
    else removeFilters(draft, key, gone);
  }
  if (!matched) ignore(draft, "ResvTear without reservation state");
}

export function onRelease(draft: Draft, filters: readonly FilterSpec[] | undefined): void {
  const gone = filters === undefined ? undefined : new Set(filters.map(filterKey));
  let matched = false;
  for (const [key, { to }] of [...draft.reservations]) {
    if (to.kind !== "local") continue;
    matched = true;
    if (gone === undefined) removeReservation(draft, key);
    else removeFilters(draft, key, gone);
  }
  if (!matched) ignore(draft, "release of nothing");
}

/** Reservations that nobody refreshed end as by a ResvTear (§3.1.6). */
export function onReservationTimers(draft: Draft): void {
  for (const [key, { expires }] of [...draft.reservations]) {
    if (expires <= draft.now) removeReservation(draft, key);
  }
  for (const [key, { until }] of [...draft.blockades]) {
    if (until > draft.now) continue;
    draft.blockades.delete(key);
    draft.upstream = true;
  }
}

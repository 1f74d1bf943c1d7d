/** ResvErr messages and blockades, RFC 2205 §3.1.8, §3.5, §A.5; RFC 4495 §5. */
import type { IpAddress } from "../../model/ip.js";
import { ERROR_FLAG, RSVP_ERROR } from "../codec/codes.js";
import { filterKey } from "../codec/keys.js";
import type { ErroredFlows, ResvErrMessage } from "../codec/message.js";
import type { Flowspec } from "../codec/objects.js";
import { type Draft, ignore, notify, sendToHop } from "./draft.js";
import type { Arrival } from "./events.js";
import { covers } from "./flowspec-algebra.js";
import { neighbourKey } from "./keys.js";
import { isBlockaded } from "./merge.js";
import { isPartialPreemption } from "./reservations.js";
import type { ReservationState } from "./state.js";

type KnownFlows = Exclude<ErroredFlows, { style: "unknown" }>;

export function onResvErr(draft: Draft, message: ResvErrMessage, arrival: Arrival): void {
  const { flows } = message;
  // An option vector that nobody here can have sent.
  if (flows.style === "unknown") {
    ignore(draft, "ResvErr with an unknown style");
    return;
  }
  const from = [...draft.paths.values()].find(
    ({ from: hop }) =>
      hop.kind === "remote" && hop.hop.address === message.hop.address && hop.interface === arrival.interface,
  )?.from;
  if (from === undefined) {
    ignore(draft, "ResvErr from no previous hop");
    return;
  }
  const blocking = flows.style === "WF" ? [neighbourKey(from)] : flows.filters.map(filterKey);
  const failed = flows.flowspec?.kind === "opaque" ? undefined : flows.flowspec;
  const admission = message.error.code === RSVP_ERROR.admission && failed !== undefined;
  if (admission) blockade(draft, blocking, failed);
  const inPlace = (message.error.flags & ERROR_FLAG.inPlace) !== 0;
  for (const reservation of draft.reservations.values()) {
    const part = concerning(flows, reservation);
    if (part === undefined || !inScope(draft, message.scope)) continue;
    // §3.5 (5): with InPlace only to those whose request is too large, otherwise to all.
    if (admission && inPlace && !guilty(draft, blocking, reservation)) continue;
    forwardErr(draft, reservation, message, part, failed);
  }
}

/** §3.5, rules 1 to 4. The refresh of what is not blockaded follows from the change. */
function blockade(draft: Draft, blocking: readonly string[], flowspec: Flowspec): void {
  const { blockadeFactor, refreshPeriod } = draft.node.rules;
  for (const key of blocking) {
    const known = draft.paths.has(key) || [...draft.paths.values()].some(({ from }) => neighbourKey(from) === key);
    if (known) draft.blockades.set(key, { flowspec, until: draft.now + blockadeFactor * refreshPeriod });
  }
  draft.upstream = true;
}

function guilty(draft: Draft, blocking: readonly string[], { flowspec }: ReservationState): boolean {
  return flowspec !== undefined && isBlockaded(draft, blocking, flowspec);
}

/** The error as it concerns one reservation: with its filters (§3.1.8); undefined if it does not. */
function concerning(flows: KnownFlows, { style, filters }: ReservationState): KnownFlows | undefined {
  if (style !== flows.style) return undefined;
  if (flows.style === "WF") return flows;
  const errored = new Set(flows.filters.map(filterKey));
  const mine = filters.filter((filter) => errored.has(filterKey(filter)));
  return mine.length === 0 ? undefined : { ...flows, filters: mine };
}

/** §3.4: of a wildcard error's scope some sender must route to where it goes; unicast all or none do. */
function inScope(draft: Draft, scope: readonly IpAddress[] | undefined): boolean {
  return scope === undefined || [...draft.paths.values()].some(({ template }) => scope.includes(template.address));
}

function forwardErr(
  draft: Draft,
  reservation: ReservationState,
  message: ResvErrMessage,
  flows: KnownFlows,
  failed: Flowspec | undefined,
): void {
  const { to, flowspec } = reservation;
  if (to.kind === "remote") {
    const { error, scope, policy, unknown } = message;
    const { session } = draft;
    const scoped = scope === undefined ? {} : { scope };
    sendToHop(draft, to, (own) => ({
      kind: "ResvErr",
      session,
      hop: own,
      error,
      ...scoped,
      policy,
      flows,
      unknown,
    }));
    return;
  }
  if (isPartialPreemption(message.error) && failed !== undefined) {
    const filters = flows.style === "WF" ? [] : flows.filters;
    notify(draft, { what: "preempted", error: message.error, granted: failed, filters });
    return;
  }
  // §A.5: what failed was more than this receiver asked for.
  const larger =
    failed !== undefined && flowspec !== undefined && covers(failed, flowspec) && !covers(flowspec, failed);
  const flags = message.error.flags | (larger ? ERROR_FLAG.notGuilty : 0);
  notify(draft, { what: "refused", error: { ...message.error, flags }, flows });
}

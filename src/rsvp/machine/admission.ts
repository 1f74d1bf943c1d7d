/**
 * The reservation on each outgoing interface against what is asked for (RFC 2205 §2.2, §3.11.2): one request to
 * traffic control at a time, for one reservation state that wants more at a time, so that a refusal has a culprit.
 */
import { ERROR_FLAG, RSVP_ERROR } from "../codec/codes.js";
import { filterKey } from "../codec/keys.js";
import type { FilterSpec, Flowspec } from "../codec/objects.js";
import { type Draft, ignore } from "./draft.js";
import type { AdmissionEvent, PreemptEvent } from "./events.js";
import { covers, flowspecEqual, glbFlowspecs, limitFlowspec, mergeFlowspecs, sumTspecs } from "./flowspec-algebra.js";
import { effectiveKey, flowKey, type ReservationRef } from "./keys.js";
import {
  deny,
  erroredFlows,
  PARTIALLY_PREEMPTED,
  removeReservation,
  reservationsAt,
  sendersOf,
  sendResvErr,
  touch,
  withinCap,
} from "./reservations.js";
import type { EffectiveState, ReservationState } from "./state.js";

type Entry = [key: string, reservation: ReservationState];

/** What an effective reservation should be. */
interface Target {
  readonly flowspec: Flowspec;
  readonly filters: readonly FilterSpec[];
  readonly candidate?: { readonly key: string; readonly asked: Flowspec };
}

/** Brings every touched effective reservation to what it should be, as far as that needs no answer. */
export function reconcileTouched(draft: Draft): void {
  for (const key of draft.touched) {
    draft.touched.delete(key);
    reconcile(draft, key);
  }
}

function reconcile(draft: Draft, key: string): void {
  // Each turn grants the ask of one reservation state that needs no more room.
  for (;;) {
    const entries = reservationsAt(draft, key);
    const effective = draft.effective.get(key);
    if (effective?.pending !== undefined && entries.length > 0) return;
    const target = targetOf(draft, entries);
    if (target === undefined) {
      dismiss(draft, key);
      return;
    }
    if (!satisfied(effective, target)) request(draft, key, entries, target);
    if (draft.effective.get(key)?.pending !== undefined || target.candidate === undefined) return;
    grant(draft, target.candidate.key);
  }
}

function targetOf(draft: Draft, entries: readonly Entry[]): Target | undefined {
  const candidate = entries.find(([, { asked }]) => asked !== undefined);
  const wanted = entries.flatMap((entry) => (entry === candidate ? entry[1].asked : entry[1].flowspec) ?? []);
  const [first] = entries;
  if (first === undefined || wanted.length === 0) return undefined;
  const filters = unionOf(entries);
  const senders = sendersOf(draft, { style: first[1].style, filters }).map(({ tspec }) => tspec);
  const merged = mergeFlowspecs(wanted);
  const flowspec = senders.length === 0 ? merged : limitFlowspec(merged, senders.reduce(sumTspecs));
  const asked = candidate?.[1].asked;
  if (candidate === undefined || asked === undefined) return { flowspec, filters };
  return { flowspec, filters, candidate: { key: candidate[0], asked } };
}

function unionOf(entries: readonly Entry[]): readonly FilterSpec[] {
  const union = new Map(entries.flatMap(([, { filters }]) => filters.map((filter) => [filterKey(filter), filter])));
  return [...union].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, filter]) => filter);
}

function satisfied(effective: EffectiveState | undefined, target: Target): boolean {
  if (effective?.admitted === undefined) return false;
  const same = (flowspec: Flowspec | undefined): boolean =>
    flowspec !== undefined && flowspecEqual(flowspec, target.flowspec);
  if (target.candidate === undefined && same(effective.refused)) return true;
  return same(effective.admitted) && sameKeys(effective.filters, target.filters);
}

const sameKeys = (a: readonly FilterSpec[], b: readonly FilterSpec[]): boolean =>
  a.map(filterKey).join() === b.map(filterKey).join();

/**
 * Less than before holds at once: traffic control does not refuse that. More is pending until it answers; what is
 * neither counts as the lesser of both until then, which is there whatever the answer is.
 */
function request(draft: Draft, key: string, entries: readonly Entry[], target: Target): void {
  const [, reservation] = entries[0] ?? [];
  if (reservation === undefined || reservation.to.kind === "local") return;
  const { style } = reservation;
  const name = { interface: reservation.to.interface, flow: flowKey(style, reservation.filters) };
  const id = ++draft.lastRequest;
  const { flowspec, filters, candidate } = target;
  const before: EffectiveState = draft.effective.get(key) ?? { ...name, filters: [] };
  if (before.admitted !== undefined && covers(before.admitted, flowspec)) {
    draft.effective.set(key, { ...before, admitted: flowspec, filters });
    draft.upstream = true;
  } else {
    const pending = { id, flowspec, filters, ...(candidate === undefined ? {} : { candidate }) };
    const { admitted, ...rest } = before;
    const meanwhile = admitted === undefined ? undefined : lesser(admitted, flowspec);
    draft.effective.set(key, { ...rest, ...(meanwhile === undefined ? {} : { admitted: meanwhile }), pending });
  }
  askTrafficControl(draft, refOf(draft, name), id, { flowspec, filters, style });
}

/** Two services have nothing in common that would be there in any case. */
function lesser(before: Flowspec, after: Flowspec): Flowspec | undefined {
  if (covers(after, before)) return before;
  return before.kind === after.kind ? glbFlowspecs([before, after]) : undefined;
}

function askTrafficControl(
  draft: Draft,
  ref: ReservationRef,
  id: number,
  what: Pick<ReservationState, "style" | "filters"> & { readonly flowspec: Flowspec },
): void {
  const senders = sendersOf(draft, what);
  draft.actions.push({
    do: "reserve",
    ref,
    id,
    ...what,
    entryPolicing: senders.some(({ entryPolicing }) => entryPolicing),
    mergePolicing: what.style !== "FF" && senders.length > 1,
  });
}

const refOf = (
  { session }: Draft,
  { interface: name, flow }: Pick<EffectiveState, "interface" | "flow">,
): ReservationRef => ({
  session,
  interface: name,
  flow,
});

/** Nobody wants it any more. */
function dismiss(draft: Draft, key: string): void {
  const effective = draft.effective.get(key);
  if (effective === undefined) return;
  draft.effective.delete(key);
  if (effective.admitted === undefined && effective.pending === undefined) return;
  draft.actions.push({ do: "release", ref: refOf(draft, effective) });
}

function grant(draft: Draft, key: string): void {
  const reservation = draft.reservations.get(key);
  if (reservation?.asked === undefined) return;
  const { asked, ...rest } = reservation;
  draft.reservations.set(key, { ...rest, flowspec: asked });
  draft.upstream = true;
}

export function onAdmission(draft: Draft, event: AdmissionEvent): void {
  const key = effectiveKey(event.ref);
  const effective = draft.effective.get(key);
  const pending = effective?.pending;
  if (effective === undefined || pending?.id !== event.id) {
    ignore(draft, "answer to a request that is over");
    return;
  }
  draft.touched.add(key);
  const { pending: _pending, refused: _refused, ...rest } = effective;
  const asked = pending.candidate === undefined ? undefined : draft.reservations.get(pending.candidate.key)?.asked;
  // It may have asked for something else in the meantime, which is then the next request.
  const stands =
    asked !== undefined && pending.candidate !== undefined && flowspecEqual(asked, pending.candidate.asked);
  if (event.verdict.admit) {
    draft.effective.set(key, { ...rest, admitted: pending.flowspec, filters: pending.filters });
    draft.upstream = true;
    if (pending.candidate !== undefined && stands) grant(draft, pending.candidate.key);
    return;
  }
  const { error } = event.verdict;
  draft.effective.set(key, pending.candidate === undefined ? { ...rest, refused: pending.flowspec } : rest);
  if (pending.candidate !== undefined) {
    if (stands) deny(draft, pending.candidate.key, error, pending.candidate.asked);
    return;
  }
  // The senders want more than there is room for: §3.1.8, what was admitted stays.
  for (const [, { to, style, filters }] of reservationsAt(draft, key)) {
    const flows = erroredFlows({ style, filters, flowspec: pending.flowspec });
    sendResvErr(draft, to, { ...error, flags: ERROR_FLAG.inPlace }, flows);
  }
}

/** RFC 4495 §5, RFC 2205 §3.11.2: down to `granted`, or everything. */
export function onPreempt(draft: Draft, event: PreemptEvent): void {
  const key = effectiveKey(event.ref);
  const effective = draft.effective.get(key);
  if (effective?.admitted === undefined) {
    ignore(draft, "preemption of what is not reserved");
    return;
  }
  if (event.granted === undefined) {
    for (const [name, { to, style, filters, flowspec }] of reservationsAt(draft, key)) {
      const failed = erroredFlows({ style, filters, flowspec: flowspec ?? effective.admitted });
      sendResvErr(draft, to, { code: RSVP_ERROR.preempted, value: 0 }, failed);
      removeReservation(draft, name);
    }
    draft.touched.add(key);
    return;
  }
  if (event.granted.kind !== effective.admitted.kind) {
    ignore(draft, "preemption to another service");
    return;
  }
  reduce(draft, key, effective, glbFlowspecs([effective.admitted, event.granted]));
}

function reduce(draft: Draft, key: string, effective: EffectiveState, granted: Flowspec): void {
  const { pending: _pending, refused: _refused, ...rest } = effective;
  draft.effective.set(key, { ...rest, admitted: granted });
  for (const [name, reservation] of reservationsAt(draft, key)) {
    const { asked, ...kept } = reservation;
    const before = kept.flowspec ?? asked ?? granted;
    if (asked === undefined && withinCap(granted, before)) continue;
    const flowspec = kept.flowspec === undefined ? {} : { flowspec: glbFlowspecs([kept.flowspec, granted]) };
    draft.reservations.set(name, { ...kept, ...flowspec, cap: granted });
    deny(draft, name, PARTIALLY_PREEMPTED, granted);
    touch(draft, reservation);
  }
  // What was asked before is over; a reduction needs no answer.
  const [, first] = reservationsAt(draft, key)[0] ?? [];
  const { style = "SE" } = first ?? {};
  const id = ++draft.lastRequest;
  askTrafficControl(draft, refOf(draft, effective), id, { style, filters: rest.filters, flowspec: granted });
}

/** RFC 4495: there is room again, and what was capped may ask traffic control again. */
export function onRoomGrown(draft: Draft, name: string): void {
  for (const [key, reservation] of draft.reservations) {
    if (reservation.cap === undefined || reservation.to.kind === "local") continue;
    if (reservation.to.interface !== name) continue;
    const { cap: _cap, ...rest } = reservation;
    draft.reservations.set(key, rest);
  }
}

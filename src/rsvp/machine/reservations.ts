/** Reservation state as such: who asked for what, what falls away, errors to who asked. RFC 2205 §3.1.5 to §3.1.8. */
import { ERROR_FLAG, POLICY, RSVP_ERROR } from "../codec/codes.js";
import type { ErrorAnswer } from "../codec/errors.js";
import { filterKey } from "../codec/keys.js";
import type { ErroredFlows, FlowDescriptors } from "../codec/message.js";
import type { ErrorSpec, FilterSpec, Flowspec, Style } from "../codec/objects.js";
import { type Draft, nodeAddress, notify, sendToHop } from "./draft.js";
import { covers } from "./flowspec-algebra.js";
import { effectiveKey, flowKey, type Neighbour, neighbourKey } from "./keys.js";
import type { PathState, ReservationState } from "./state.js";

/** One request of a Resv: its only one with WF and SE, one of several with FF. */
export interface FlowRequest {
  readonly style: Style;
  readonly filters: readonly FilterSpec[];
  readonly flowspec: Flowspec;
}

export function requestsOf(flows: FlowDescriptors): readonly FlowRequest[] {
  switch (flows.style) {
    case "WF":
      return [{ style: "WF", filters: [], flowspec: flows.flowspec }];
    case "SE":
      return [flows];
    case "FF":
      return flows.flows.map(({ filter, flowspec }) => ({ style: "FF", filters: [filter], flowspec }));
  }
}

/** The flow descriptor list of one request. */
export function descriptorsOf({ style, filters, flowspec }: FlowRequest): FlowDescriptors {
  switch (style) {
    case "WF":
      return { style, flowspec };
    case "SE":
      return { style, flowspec, filters };
    case "FF":
      return { style, flows: filters.map((filter) => ({ filter, flowspec })) };
  }
}

export const erroredFlows = ({ style, filters, flowspec }: FlowRequest): ErroredFlows =>
  style === "WF" ? { style, flowspec } : { style, flowspec, filters };

export const reservationKey = (to: Neighbour, style: Style, filters: readonly FilterSpec[]): string =>
  `${neighbourKey(to)}|${flowKey(style, filters)}`;

/** Its reservation on an outgoing interface; undefined for a receiver here, whose data leaves RSVP's world. */
export function effectiveKeyOf({ to, style, filters }: ReservationState): string | undefined {
  if (to.kind === "local") return undefined;
  return effectiveKey({ interface: to.interface, flow: flowKey(style, filters) });
}

/** Has the effective reservation of `reservation`, and what upstream was told, looked at before the step ends. */
export function touch(draft: Draft, reservation: ReservationState): void {
  const key = effectiveKeyOf(reservation);
  if (key !== undefined) draft.touched.add(key);
  draft.upstream = true;
}

export function removeReservation(draft: Draft, key: string): void {
  const reservation = draft.reservations.get(key);
  if (reservation === undefined) return;
  draft.reservations.delete(key);
  touch(draft, reservation);
}

/** Takes filters out of a reservation; without any left it goes. */
export function removeFilters(draft: Draft, key: string, gone: ReadonlySet<string>): void {
  const reservation = draft.reservations.get(key);
  if (reservation === undefined) return;
  const filters = reservation.filters.filter((filter) => !gone.has(filterKey(filter)));
  if (filters.length === reservation.filters.length) return;
  if (filters.length === 0) {
    removeReservation(draft, key);
    return;
  }
  draft.reservations.set(key, { ...reservation, filters });
  touch(draft, reservation);
}

/** §3.1.5: what a lost sender means for reservations: nothing is sent for it, upstream knows by itself. */
export function dropSender(draft: Draft, sender: string): void {
  draft.blockades.delete(sender);
  for (const [key, { style }] of [...draft.reservations]) {
    if (style !== "WF") removeFilters(draft, key, new Set([sender]));
    else if (draft.paths.size === 0) removeReservation(draft, key);
  }
}

/** Removes what the receiver on this node asked for. */
export function dropLocal(draft: Draft, which: (reservation: ReservationState) => boolean = () => true): void {
  for (const [key, reservation] of [...draft.reservations]) {
    if (reservation.to.kind === "local" && which(reservation)) removeReservation(draft, key);
  }
}

export const reservationsAt = (draft: Draft, key: string): [string, ReservationState][] =>
  [...draft.reservations].filter(([, reservation]) => effectiveKeyOf(reservation) === key);

/** The senders that a reservation is for (§3.2, §3.1.4). */
export function sendersOf(
  draft: Draft,
  { style, filters }: Pick<ReservationState, "style" | "filters">,
): readonly PathState[] {
  if (style === "WF") return [...draft.paths.values()];
  return filters.flatMap((filter) => draft.paths.get(filterKey(filter)) ?? []);
}

/** Tells who asked: a next hop by a ResvErr, or the receiver on this node. */
export function sendResvErr(
  draft: Draft,
  to: Neighbour,
  error: ErrorAnswer & { readonly flags?: number },
  flows: ErroredFlows,
): void {
  const spec = { flags: 0, ...error };
  if (to.kind === "local") {
    notify(draft, { what: "refused", error: { node: nodeAddress(draft), ...spec }, flows });
    return;
  }
  const { session } = draft;
  sendToHop(draft, to, (own) => ({
    kind: "ResvErr",
    session,
    hop: own,
    error: { node: own.address, ...spec },
    policy: [],
    flows,
    unknown: [],
  }));
}

/**
 * Refuses what a reservation asked for. §3.1.8: what was granted before stays, and the flag says so.
 * @param failed - what could not be had; goes into the ResvErr
 */
export function deny(draft: Draft, key: string, error: ErrorAnswer, failed: Flowspec): void {
  const reservation = draft.reservations.get(key);
  if (reservation === undefined) return;
  const { asked: _asked, confirm: _confirm, ...rest } = reservation;
  const inPlace = rest.flowspec !== undefined;
  sendResvErr(
    draft,
    rest.to,
    { ...error, flags: inPlace ? ERROR_FLAG.inPlace : 0 },
    erroredFlows({ style: rest.style, filters: rest.filters, flowspec: failed }),
  );
  if (inPlace) draft.reservations.set(key, rest);
  else removeReservation(draft, key);
}

export const PARTIALLY_PREEMPTED: ErrorAnswer = { code: RSVP_ERROR.policy, value: POLICY.partialPreemption };

export const isPartialPreemption = ({ code, value }: ErrorSpec): boolean =>
  code === PARTIALLY_PREEMPTED.code && value === PARTIALLY_PREEMPTED.value;

/** RFC 4495 §5.2: the limit is on average and peak rate. */
export function withinCap(cap: Flowspec, asked: Flowspec): boolean {
  const sizes = { bucket: asked.tspec.bucket, minPoliced: asked.tspec.minPoliced, maxPacket: asked.tspec.maxPacket };
  return covers({ ...cap, tspec: { ...cap.tspec, ...sizes } }, asked);
}

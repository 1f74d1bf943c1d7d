/** RESV_CONFIRM and ResvConf, RFC 2205 §2.6, §3.1.4, §3.1.9. */
import type { IpAddress } from "../../model/ip.js";
import { filterKey } from "../codec/keys.js";
import type { ResvConfMessage } from "../codec/message.js";
import type { Flowspec } from "../codec/objects.js";
import { type Draft, ignore, nodeAddress, notify, TTL } from "./draft.js";
import { sessionCrosses } from "./e2e.js";
import { covers } from "./flowspec-algebra.js";
import { flowKey } from "./keys.js";
import { type Group, isBlockaded } from "./merge.js";
import { descriptorsOf, sendersOf } from "./reservations.js";
import type { ReservationState } from "./state.js";

/**
 * Answers the confirmations that end here, §3.1.4.
 * @returns the receivers whose RESV_CONFIRM goes on to this group
 */
export function confirmReservations(draft: Draft, group: Group): readonly IpAddress[] {
  const onward = new Set<IpAddress>();
  for (const reservation of draft.reservations.values()) {
    const { confirm, flowspec, asked } = reservation;
    if (confirm === undefined || flowspec === undefined || asked !== undefined) continue;
    const keys = sendersOf(draft, reservation).map(({ template }) => filterKey(template));
    const here = keys.filter((key) => group.senders.has(key));
    if (here.length === 0) continue;
    // A request that is blockaded is neither forwarded nor answered.
    if (isBlockaded(draft, reservation.style === "WF" ? [group.key] : here, flowspec)) continue;
    if (group.to.kind === "remote" && isLargest(draft, reservation, flowspec)) onward.add(confirm);
    else sendResvConf(draft, reservation, confirm, flowspec);
  }
  return [...onward];
}

/** Larger than all that it is merged with. */
function isLargest(draft: Draft, reservation: ReservationState, flowspec: Flowspec): boolean {
  const flow = flowKey(reservation.style, reservation.filters);
  for (const other of draft.reservations.values()) {
    if (other === reservation || other.flowspec === undefined) continue;
    if (flowKey(other.style, other.filters) !== flow) continue;
    if (!covers(flowspec, other.flowspec) || covers(other.flowspec, flowspec)) return false;
  }
  return true;
}

/** After all groups were told: each RESV_CONFIRM counts once. */
export function forgetConfirms(draft: Draft): void {
  for (const [key, reservation] of draft.reservations) {
    if (reservation.confirm === undefined || reservation.asked !== undefined) continue;
    const { confirm: _confirm, ...rest } = reservation;
    draft.reservations.set(key, rest);
  }
}

function sendResvConf(draft: Draft, reservation: ReservationState, confirm: IpAddress, flowspec: Flowspec): void {
  const { to, style, filters } = reservation;
  const flows = descriptorsOf({ style, filters, flowspec });
  if (to.kind === "local") {
    notify(draft, { what: "confirmed", flows });
    return;
  }
  const { session } = draft;
  draft.actions.push({
    do: "send",
    // §3.1.9: code and value 0; the node is who confirms.
    message: {
      kind: "ResvConf",
      session,
      error: { node: nodeAddress(draft, to.interface), flags: 0, code: 0, value: 0 },
      confirm,
      flows,
      unknown: [],
    },
    destination: confirm,
    // §3.3: hop by hop to an address that is not the next hop's.
    routerAlert: true,
    ttl: TTL,
    ...acrossRegion(draft),
  });
}

/** @param ttl - that it goes on with */
export function onResvConf(draft: Draft, message: ResvConfMessage, ttl: number): void {
  const mine = [...draft.reservations.values()].some(({ to }) => to.kind === "local");
  if (mine && draft.route.kind === "local") {
    notify(draft, { what: "confirmed", flows: message.flows });
    return;
  }
  if (ttl < 1) {
    ignore(draft, "ResvConf at the end of its TTL");
    return;
  }
  const { confirm } = message;
  draft.actions.push({ do: "send", message, destination: confirm, routerAlert: true, ttl, ...acrossRegion(draft) });
}

/** RFC 3175 §3.1: on its way to a receiver beyond the region. */
function acrossRegion(draft: Draft): { readonly endToEnd?: true } {
  const { route, node } = draft;
  const iface = route.kind === "interface" ? node.interfaces.get(route.name) : undefined;
  return sessionCrosses(draft, iface) ? { endToEnd: true } : {};
}

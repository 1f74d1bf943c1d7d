/** What identifies neighbours and reservations, as strings for maps. */
import { filterKey, sessionKey } from "../codec/keys.js";
import type { FilterSpec, Hop, Session, Style } from "../codec/objects.js";

/** Somebody on the wire, or an application on this node. */
export type Neighbour = { readonly kind: "local" } | RemoteNeighbour;

export interface RemoteNeighbour {
  readonly kind: "remote";
  /** Name of the interface behind which it is. */
  readonly interface: string;
  /** Of a previous hop with the LIH that it gave; of a next hop with the LIH that we gave. */
  readonly hop: Hop;
}

export const LOCAL: Neighbour = { kind: "local" };

export function neighbourKey(neighbour: Neighbour): string {
  if (neighbour.kind === "local") return "local";
  return `${neighbour.interface} ${neighbour.hop.address} ${neighbour.hop.lih}`;
}

/** What shares one reservation on an interface: all senders of a shared style, a single one of FF. */
export const SHARED = "*";

export const flowKey = (style: Style, filters: readonly FilterSpec[]): string =>
  style === "FF" ? filters.map(filterKey).join() : SHARED;

/** A reservation on one outgoing interface, as traffic control knows it. */
export interface ReservationRef {
  readonly session: Session;
  /** The outgoing interface. */
  readonly interface: string;
  /** `SHARED`, or the key of the FF sender. */
  readonly flow: string;
}

export const refKey = (ref: ReservationRef): string => `${sessionKey(ref.session)}|${effectiveKey(ref)}`;

/** `ReservationRef` within its session. */
export const effectiveKey = (ref: Pick<ReservationRef, "interface" | "flow">): string => `${ref.interface}|${ref.flow}`;

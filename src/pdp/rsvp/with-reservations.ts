/** A policy server that decides about RSVP as well: client-type 1 goes to the rules of reservations, all else where it went. */
import type { PdpHandlers } from "../../cops/endpoint/pdp-handlers.js";
import type { PdpPeer } from "../../cops/endpoint/pdp-peer.js";
import { CLIENT_TYPE_RSVP } from "../../cops/rsvp/codes.js";
import type { ReservationLink } from "./reservation-link.js";

export function withReservations(others: PdpHandlers, link: ReservationLink): PdpHandlers {
  const isOurs = ({ clientType }: PdpPeer): boolean => clientType === CLIENT_TYPE_RSVP;
  return {
    open: (peer, open) => (isOurs(peer) ? link.open(peer) : others.open(peer, open)),
    opened: (peer) => (isOurs(peer) ? link.opened(peer) : others.opened(peer)),
    request: (peer, req) => (isOurs(peer) ? Promise.resolve(link.request(peer, req)) : others.request(peer, req)),
    answered: (peer, req) => {
      if (!isOurs(peer)) others.answered?.(peer, req);
    },
    report: (peer, rpt) => (isOurs(peer) ? link.report(peer, rpt) : others.report(peer, rpt)),
    deleted: (peer, drq) => (isOurs(peer) ? link.deleted(peer, drq) : others.deleted(peer, drq)),
    synchronized: (peer, handle) => (isOurs(peer) ? link.synchronized(peer) : others.synchronized(peer, handle)),
    closed: (peer, reason) => (isOurs(peer) ? link.closed(peer, reason) : others.closed(peer, reason)),
  };
}

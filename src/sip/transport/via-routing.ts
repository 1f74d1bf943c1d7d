/** Where responses go: what is written into a request's top Via on arrival, and read back (RFC 3261 §18.2, RFC 3581). */
import { parseAddress } from "../../model/ip.js";
import { splitOutside } from "../message/grammar.js";
import type { SipRequest } from "../message/message.js";
import type { Via } from "../message/via.js";
import type { Destination, LocalPoint, SocketAddress, TransportName } from "./transport.js";

export const DEFAULT_PORT = 5060;

/** Whether what arrives there is cut out of a stream (§18.3), or comes message by message (UDP; RFC 7118 §5). */
export const framingOf = (local: LocalPoint): "stream" | "message" =>
  local.transport === "tcp" ? "stream" : "message";

/**
 * Marks the top Via with the address that the request came from.
 * `received` is always rewritten by us where needed, so that nobody can point answers at a third party.
 */
export function stampReceived(request: SipRequest, remote: SocketAddress): SipRequest {
  const via = request.topVia;
  if (via === undefined) return request;
  const wantsPort = via.parameters.has("rport");
  const forged = via.parameters.has("received") || via.parameters.get("rport") !== undefined;
  // §18.2.1: `received` where sent-by is not the source address. RFC 3581 §4: with rport always both.
  if (!wantsPort && !forged && parseAddress(via.host) === remote.address) return request;
  const kept = withoutParameters(via.raw);
  const port = wantsPort ? `;rport=${remote.port}` : "";
  return request.replaceTopVia(`${kept};received=${remote.address}${port}`);
}

/** The Via as written, without `received` and `rport`. */
function withoutParameters(raw: string): string {
  const pieces = splitOutside(raw, ";") ?? [raw];
  return pieces.filter((piece, index) => index === 0 || !/^\s*(?:received|rport)\s*(?:=|$)/i.test(piece)).join(";");
}

/**
 * §18.2.2: to `received` if it is there, else to the sent-by address; to `rport` if it is there (RFC 3581 §4), else to the
 * sent-by port, else 5060. Over TCP, where the request's connection is gone, never to `rport`: nobody listens there.
 * `maddr` is not followed: this proxy has no multicast, and it would aim answers anywhere.
 * Undefined if the Via names a host and was never stamped.
 */
export function responseDestination(via: Via, transport: TransportName = "udp"): Destination | undefined {
  const address = parseAddress(via.parameters.get("received")?.replaceAll(/[[\]]/g, "") ?? via.host);
  if (address === undefined) return undefined;
  const rport = transport === "udp" ? Number(via.parameters.get("rport") ?? 0) : 0;
  return { address, port: rport > 0 && rport < 65_536 ? rport : (via.port ?? DEFAULT_PORT), transport };
}

/** The next hop of a request, before it is an address. */
import { parseAddress } from "../../model/ip.js";
import type { HostPort } from "../message/grammar.js";
import type { SipUri } from "../message/uri.js";
import type { Destination, FlowId, TransportName } from "../transport/transport.js";
import { DEFAULT_PORT } from "../transport/via-routing.js";

export interface Hop extends HostPort {
  /** UDP if nothing is said (RFC 3263 §4.1 for an address without `transport`). */
  readonly transport?: TransportName | undefined;
  /** An open connection: host and port are then not looked at. */
  readonly flow?: FlowId | undefined;
}

const TRANSPORTS: Readonly<Record<string, TransportName>> = { udp: "udp", tcp: "tcp", ws: "ws", wss: "wss" };

/** Of a URI of Route, Contact or Request-URI; undefined if it wants a transport that there is none of here. */
export function hopOf(uri: SipUri): Hop | undefined {
  const wanted = uri.parameters.get("transport")?.toLowerCase();
  if (wanted === undefined) return { host: uri.host, port: uri.port };
  const transport = TRANSPORTS[wanted];
  return transport === undefined ? undefined : { host: uri.host, port: uri.port, transport };
}

/** Undefined if the host is a name. */
export function literalHop(hop: Hop): Destination | undefined {
  const address = parseAddress(hop.host);
  if (address === undefined) return undefined;
  return { address, port: hop.port ?? DEFAULT_PORT, transport: hop.transport ?? "udp" };
}

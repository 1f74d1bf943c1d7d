/** This proxy's own entries in Record-Route and Route: how it stays in a dialog, and finds the connections of its parties. */
import { bracketHost } from "../message/grammar.js";
import type { SipRequest } from "../message/message.js";
import { parseSipUri, type SipUri } from "../message/uri.js";
import type { FlowTokens } from "../transport/flow-token.js";
import { type Destination, type FlowId, isWebSocket, type LocalPoint } from "../transport/transport.js";

/** One side of this proxy in a dialog. */
export interface Side {
  readonly local: LocalPoint;
  /** The token of the connection that leads to the party, if no other does. */
  readonly token?: string | undefined;
}

/**
 * §16.6 step 4: loose routing, and nothing else in it but the transport (RFC 7118 §5.2 writes `ws` with and without
 * TLS) and the flow token (RFC 5626 §5.3.2).
 */
export function recordRouteOf({ local, token }: Side): string {
  const user = token === undefined ? "" : `${token}@`;
  const transport = local.transport === "udp" ? "" : `;transport=${isWebSocket(local.transport) ? "ws" : "tcp"}`;
  return `<sip:${user}${bracketHost(local.address)}:${local.port}${transport};lr>`;
}

/** RFC 5658 §5: where the sides differ both are recorded, the one that faces the next hop on top. */
export function withRecordRoutes(request: SipRequest, from: Side, to: Side): SipRequest {
  const [near, far] = [recordRouteOf(from), recordRouteOf(to)];
  // Two parties on connections are always told apart, even if both are on the same: the last entry is who is meant.
  const isOne = near === far && to.token === undefined;
  return (isOne ? request : request.prependRecordRoute(near)).prependRecordRoute(far);
}

/**
 * The connection that a request's sender can only be reached by: a WebSocket always (as the proxy of RFC 7118 §8.2), a
 * TCP connection if the sender asks for it: it is the first hop, and its Contact has `ob` (RFC 5626 §5.3.2).
 */
export function onlyFlowTo(request: SipRequest, source: Destination | undefined): FlowId | undefined {
  if (source?.flow === undefined) return undefined;
  if (isWebSocket(source.transport)) return source.flow;
  const contact = parseSipUri(request.contact?.uri ?? "");
  return request.vias.length === 1 && contact?.parameters.has("ob") === true ? source.flow : undefined;
}

export type RoutedFlow =
  | { readonly kind: "flow"; readonly flow: FlowId }
  | { readonly kind: "forged" }
  /** No token, or that of the sender's own connection: the request goes where its target says. */
  | { readonly kind: "none" };

/**
 * RFC 5626 §5.3: which connection the Route entries of this proxy lead to. Of two the first is the side that the
 * request came by, the second the one that it leaves by.
 */
export function routedFlow(
  own: readonly SipUri[],
  { tokens, source }: { readonly tokens: FlowTokens; readonly source: Destination | undefined },
): RoutedFlow {
  const reading = tokens.read(own.at(-1)?.user);
  if (reading.kind !== "flow") return reading;
  return own.length === 1 && reading.flow === source?.flow ? { kind: "none" } : reading;
}

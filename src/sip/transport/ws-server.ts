/**
 * The HTTP side of SIP over WebSocket (RFC 7118 §4): who may upgrade, and the answers to those who may not. Whoever gets
 * no WebSocket costs one short HTTP exchange.
 */
import { createServer as createHttp, type IncomingMessage, STATUS_CODES } from "node:http";
import { createServer as createHttps } from "node:https";
import type { Server, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { forwardedSource } from "../../model/forwarded.js";
import { type IpAddress, unmapped } from "../../model/ip.js";
import { secureOptions, type TlsMaterial } from "../../model/tls.js";
import type { MessageLimits } from "../message/limits.js";
import { DEFAULT_MESSAGE_LIMITS } from "../message/limits.js";
import type { ConnectionOptions } from "./tcp.js";
import type { SocketAddress } from "./transport.js";

export interface WebSocketRules {
  /** Where the WebSocket is: `/sip`. */
  readonly path: string;
  /**
   * Pages that may open one: `https://portal.a.example`, or `*`. A request without Origin comes from no page and is let
   * in: what Origin protects is somebody's browser, and every browser sends it (RFC 6455 §10.2).
   */
  readonly origins: readonly string[];
}

const SUBPROTOCOL = "sip";

interface Refusal {
  readonly status: 400 | 403 | 404 | 429;
}

/** An HTTP or HTTPS server that hands `opened` the WebSockets that keep the rules. Not listening yet. */
export function webSocketServer(
  options: ConnectionOptions & { readonly rules: WebSocketRules; readonly tls: TlsMaterial | undefined },
  opened: (socket: WebSocket, remote: SocketAddress) => void,
): Server {
  const { rules, tls, limits, counters, gate, messageLimits } = options;
  const http = { maxHeaderSize: 8192, requestTimeout: limits.messageTime, headersTimeout: limits.messageTime };
  const handshakeTimeout = limits.messageTime;
  const server =
    tls === undefined ? createHttp(http) : createHttps({ ...http, ...secureOptions(tls), handshakeTimeout });
  server.maxHeadersCount = 64;
  server.keepAliveTimeout = 1;
  server.on("request", (_request, response) => {
    counters.noWebSocket += 1;
    response.writeHead(426, { upgrade: "websocket", connection: "close" }).end();
  });
  const upgrader = new WebSocketServer(upgraderOptions(messageLimits));
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const refusal = refusalOf(request, rules);
    if (refusal !== undefined) {
      counters[refusal.status === 403 ? "foreignOrigin" : "noWebSocket"] += 1;
      refuse(socket, refusal);
      return;
    }
    const address = admittedSource(request, options);
    if (address === undefined) {
      refuse(socket, { status: 429 });
      return;
    }
    const remote = { address, port: request.socket.remotePort ?? 0 };
    upgrader.handleUpgrade(request, socket, head, (webSocket) => opened(webSocket, remote));
  });
  // TCP connections, so that TLS handshakes and slow HTTP heads are counted.
  server.prependListener("connection", (socket: Socket) => void gate.admit(socket, counters));
  return server;
}

const upgraderOptions = (limits: MessageLimits = DEFAULT_MESSAGE_LIMITS) => ({
  noServer: true,
  clientTracking: false,
  // A compressed message would have to be unpacked before its size is known.
  perMessageDeflate: false,
  maxPayload: limits.messageOctets,
  handleProtocols: () => SUBPROTOCOL,
});

/** Who asks; undefined for one too many of those that a trusted proxy brings, who were not told apart before. */
function admittedSource(
  { socket, headers }: IncomingMessage,
  { gate, counters }: ConnectionOptions,
): IpAddress | undefined {
  const peer = unmapped(socket.remoteAddress ?? "");
  const forwarded = headers["x-forwarded-for"];
  const source = forwardedSource(peer, typeof forwarded === "string" ? forwarded : undefined, gate.trusted);
  return !gate.trusted.has(peer) || gate.admitBehind(socket, source, counters) ? source : undefined;
}

function refusalOf(request: IncomingMessage, rules: WebSocketRules): Refusal | undefined {
  const { origin } = request.headers;
  if (request.url?.split("?", 1)[0] !== rules.path) return { status: 404 };
  if (origin !== undefined && !rules.origins.includes("*") && !rules.origins.includes(origin.toLowerCase())) {
    return { status: 403 };
  }
  const offered = (request.headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim().toLowerCase());
  // RFC 7118 §4.1: both sides name the sub-protocol.
  return offered.includes(SUBPROTOCOL) ? undefined : { status: 400 };
}

function refuse(socket: Duplex, { status }: Refusal): void {
  socket.on("error", () => undefined);
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, "Connection: close", "Content-Length: 0"];
  socket.end(`${lines.join("\r\n")}\r\n\r\n`);
}

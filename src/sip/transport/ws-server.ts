/**
 * The HTTP side of SIP over WebSocket (RFC 7118 §4): who may upgrade, and the answers to those who may not. Whoever gets
 * no WebSocket costs one short HTTP exchange.
 */
import { createServer as createHttp, type IncomingMessage, STATUS_CODES } from "node:http";
import { createServer as createHttps } from "node:https";
import type { Server, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { parseAddress } from "../../model/ip.js";
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

/** Contents of the PEM files. */
export interface TlsMaterial {
  readonly key: Buffer;
  readonly certificate: Buffer;
}

const SUBPROTOCOL = "sip";

interface Refusal {
  readonly status: 400 | 403 | 404;
}

/** An HTTP or HTTPS server that hands `opened` the WebSockets that keep the rules. Not listening yet. */
export function webSocketServer(
  options: ConnectionOptions & { readonly rules: WebSocketRules; readonly tls: TlsMaterial | undefined },
  opened: (socket: WebSocket, remote: SocketAddress) => void,
): Server {
  const { rules, tls, limits, counters, messageLimits } = options;
  const http = { maxHeaderSize: 8192, requestTimeout: limits.messageTime, headersTimeout: limits.messageTime };
  const secure = { minVersion: "TLSv1.2", handshakeTimeout: limits.messageTime } as const;
  const server =
    tls === undefined ? createHttp(http) : createHttps({ ...http, ...secure, key: tls.key, cert: tls.certificate });
  server.maxHeadersCount = 64;
  server.keepAliveTimeout = 1;
  server.on("request", (_request, response) => {
    counters.noWebSocket += 1;
    response.writeHead(426, { upgrade: "websocket", connection: "close" }).end();
  });
  const upgrader = new WebSocketServer(upgraderOptions(messageLimits));
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const refusal = refusalOf(request, rules);
    const address = parseAddress(request.socket.remoteAddress ?? "");
    if (refusal !== undefined || address === undefined) {
      counters[refusal?.status === 403 ? "foreignOrigin" : "noWebSocket"] += 1;
      refuse(socket, refusal ?? { status: 400 });
      return;
    }
    const remote = { address, port: request.socket.remotePort ?? 0 };
    upgrader.handleUpgrade(request, socket, head, (webSocket) => opened(webSocket, remote));
  });
  guard(server, options);
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

/** Counts TCP connections, so that TLS handshakes and slow HTTP heads are among them. */
function guard(server: Server, { gate, counters }: ConnectionOptions): void {
  server.prependListener("connection", (socket: Socket) => {
    const address = parseAddress(socket.remoteAddress ?? "");
    const admission = address === undefined ? "full" : gate.enter(address);
    if (address === undefined || admission !== "admitted") {
      counters[admission === "tooFast" ? "tooFast" : "full"] += 1;
      socket.destroy();
      return;
    }
    counters.accepted += 1;
    socket.once("close", () => gate.leave(address));
  });
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

/**
 * SIP over WebSocket (RFC 7118), with and without TLS. Only clients open connections; what goes to one goes by the
 * connection that it opened, or not at all.
 */
import type { Server, Socket } from "node:net";
import type { WebSocket } from "ws";
import { SystemError } from "../../model/errors.js";
import { newFlowId } from "./flow-token.js";
import { Handlers } from "./handlers.js";
import { type ConnectionOptions, listen } from "./tcp.js";
import type {
  Destination,
  Flow,
  FlowId,
  LocalPoint,
  MessageHandler,
  SipTransport,
  SocketAddress,
} from "./transport.js";
import { WsConnection } from "./ws-connection.js";
import { type TlsMaterial, type WebSocketRules, webSocketServer } from "./ws-server.js";

export interface WsOptions extends ConnectionOptions {
  /** Exact addresses, none of them a wildcard. Port 0 takes a free one. */
  readonly addresses: readonly SocketAddress[];
  readonly rules: WebSocketRules;
  /** None: without TLS, for a page that is itself served without, or behind something that ends TLS. */
  readonly tls?: TlsMaterial | undefined;
}

export class WsTransport implements SipTransport {
  private readonly options: WsOptions;
  private readonly handlers = new Handlers();
  private readonly bound: { readonly server: Server; readonly local: LocalPoint }[] = [];
  private readonly connections = new Map<FlowId, WsConnection>();
  private readonly sockets = new Set<Socket>();

  private constructor(options: WsOptions) {
    this.options = options;
  }

  /** @throws SystemError SIP_ADDRESS_IN_USE, SIP_BIND, SIP_TLS */
  static async open(options: WsOptions): Promise<WsTransport> {
    const transport = new WsTransport(options);
    try {
      for (const address of options.addresses) await transport.listen(address);
    } catch (error) {
      await transport.close();
      throw error;
    }
    return transport;
  }

  get locals(): readonly LocalPoint[] {
    return this.bound.map(({ local }) => local);
  }

  onMessage(handler: MessageHandler): void {
    this.handlers.message = handler;
  }

  onFlowClosed(listener: (flow: Flow) => void): void {
    this.handlers.onFlowClosed(listener);
  }

  flow(id: FlowId): Flow | undefined {
    return this.connections.get(id)?.flow;
  }

  async reach(_local: LocalPoint, remote: Destination): Promise<boolean> {
    return remote.flow !== undefined && this.connections.has(remote.flow);
  }

  send(octets: Buffer, _local: LocalPoint, remote: Destination, failed: (cause: Error) => void): void {
    const connection = remote.flow === undefined ? undefined : this.connections.get(remote.flow);
    if (connection !== undefined) connection.send(octets, failed);
    else queueMicrotask(() => failed(new SystemError("SIP_NO_CONNECTION", "the WebSocket is gone")));
  }

  async close(): Promise<void> {
    const closed = this.bound.map(({ server }) => new Promise<void>((done) => server.close(() => done())));
    // Also those that are in a TLS handshake or an HTTP head.
    for (const socket of this.sockets) socket.destroy();
    await Promise.all(closed);
  }

  private async listen(address: SocketAddress): Promise<void> {
    const { tls } = this.options;
    const opened = (socket: WebSocket, remote: SocketAddress) => this.keep(socket, bound.local, remote);
    const server = madeWith(tls, () => webSocketServer({ ...this.options, tls }, opened));
    const bound = await listen(server, address, tls === undefined ? "ws" : "wss");
    server.on("connection", (raw) => {
      this.sockets.add(raw);
      raw.once("close", () => this.sockets.delete(raw));
    });
    this.bound.push(bound);
  }

  private keep(socket: WebSocket, local: LocalPoint, from: SocketAddress): void {
    const id = newFlowId();
    const flow: Flow = { id, local, remote: { ...from, transport: local.transport, flow: id } };
    const { clock, limits, counters } = this.options;
    const connection = new WsConnection({
      flow,
      socket,
      clock,
      limits,
      counters,
      message: (octets, remote, at) => this.handlers.message(octets, remote, at),
      closed: () => {
        this.connections.delete(id);
        this.handlers.flowClosed(flow);
      },
    });
    this.connections.set(id, connection);
  }
}

function madeWith<S>(tls: TlsMaterial | undefined, make: () => S): S {
  try {
    return make();
  } catch (cause) {
    if (tls === undefined) throw cause;
    throw new SystemError("SIP_TLS", `the TLS key and certificate cannot be used: ${String(cause)}`, {
      cause,
      remedy: "check that both are PEM, belong together, and that the key has no passphrase",
    });
  }
}

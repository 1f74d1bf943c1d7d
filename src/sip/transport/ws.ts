/**
 * SIP over WebSocket (RFC 7118), with and without TLS. Only clients open connections; what goes to one goes by the
 * connection that it opened, or not at all.
 */
import type { Server, Socket } from "node:net";
import type { WebSocket } from "ws";
import { SystemError } from "../../model/errors.js";
import type { TlsMaterial } from "../../model/tls.js";
import { Connections, failLater } from "./connections.js";
import { type ConnectionOptions, closeAll, listen } from "./tcp.js";
import { replaceTls, withTls } from "./tls.js";
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
import { type WebSocketRules, webSocketServer } from "./ws-server.js";

export interface WsOptions extends ConnectionOptions {
  /** Exact addresses, none of them a wildcard. Port 0 takes a free one. */
  readonly addresses: readonly SocketAddress[];
  readonly rules: WebSocketRules;
  /** None: without TLS, for a page that is itself served without, or behind something that ends TLS. */
  readonly tls?: TlsMaterial | undefined;
}

export class WsTransport implements SipTransport {
  private readonly options: WsOptions;
  private readonly bound: { readonly server: Server; readonly local: LocalPoint }[] = [];
  private readonly connections = new Connections<WsConnection>();
  private readonly sockets = new Set<Socket>();
  private isUsed: (flow: FlowId) => boolean = () => true;

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
    this.connections.onMessage(handler);
  }

  onFlowClosed(listener: (flow: Flow) => void): void {
    this.connections.onFlowClosed(listener);
  }

  flow(id: FlowId): Flow | undefined {
    return this.connections.get(id)?.flow;
  }

  async reach(_local: LocalPoint, remote: Destination): Promise<boolean> {
    return this.connections.get(remote.flow) !== undefined;
  }

  send(octets: Buffer, _local: LocalPoint, remote: Destination, failed: (cause: Error) => void): void {
    const connection = this.connections.get(remote.flow);
    if (connection !== undefined) connection.send(octets, failed);
    else failLater(failed, new SystemError("SIP_NO_CONNECTION", "the WebSocket is gone"));
  }

  /** Those by which nobody is registered do not last. */
  keepOnly(isUsed: (flow: FlowId) => boolean): void {
    this.isUsed = isUsed;
  }

  /** @throws SystemError SIP_TLS */
  replaceTls(tls: TlsMaterial): void {
    replaceTls(
      this.bound.map(({ server }) => server),
      tls,
    );
  }

  async close(): Promise<void> {
    const closed = closeAll(this.bound.map(({ server }) => server));
    // Also those that are in a TLS handshake or an HTTP head.
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  private async listen(address: SocketAddress): Promise<void> {
    const { tls } = this.options;
    const opened = (socket: WebSocket, remote: SocketAddress) => this.keep(socket, bound.local, remote);
    const make = (): Server => webSocketServer({ ...this.options, tls }, opened);
    const server = tls === undefined ? make() : withTls(make);
    const bound = await listen(server, address, tls === undefined ? "ws" : "wss");
    server.on("connection", (raw) => {
      this.sockets.add(raw);
      raw.once("close", () => this.sockets.delete(raw));
    });
    this.bound.push(bound);
  }

  private keep(socket: WebSocket, local: LocalPoint, from: SocketAddress): void {
    const { clock, limits, counters } = this.options;
    this.connections.add(local, from, (holder) => {
      const isUsed = (): boolean => this.isUsed(holder.flow.id);
      return new WsConnection({ ...holder, socket, isUsed, clock, limits, counters });
    });
  }
}

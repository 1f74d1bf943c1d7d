/**
 * SIP over TCP (RFC 3261 §18): listeners, and connections in both directions. Responses go back along the connection of
 * their request; requests along any that leads to the address, else along a new one.
 */
import { connect, createServer, type Server, type Socket } from "node:net";
import type { Clock } from "../../model/clock.js";
import { SystemError } from "../../model/errors.js";
import { familyOf, formatEndpoint } from "../../model/ip.js";
import type { Logger } from "../../model/log.js";
import type { MessageLimits } from "../message/limits.js";
import { bindError } from "./bind-error.js";
import { Connections, failLater } from "./connections.js";
import { framerLimits } from "./framer.js";
import type { ConnectionCounters, ConnectionLimits } from "./limits.js";
import { RefusalMemory } from "./refusal-memory.js";
import type { SourceGate } from "./source-gate.js";
import { TcpConnection } from "./tcp-connection.js";
import type {
  Destination,
  Flow,
  FlowId,
  LocalPoint,
  MessageHandler,
  SipTransport,
  SocketAddress,
} from "./transport.js";

/** What every kind of connection is held by. */
export interface ConnectionOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: ConnectionLimits;
  readonly messageLimits?: MessageLimits | undefined;
  readonly counters: ConnectionCounters;
  /** Shared by all listeners. */
  readonly gate: SourceGate;
}

export interface TcpOptions extends ConnectionOptions {
  /** Exact addresses, none of them a wildcard. Port 0 takes a free one. */
  readonly addresses: readonly SocketAddress[];
}

const peerKey = ({ address, port }: SocketAddress): string => formatEndpoint(address, port);

export class TcpTransport implements SipTransport {
  readonly locals: readonly LocalPoint[];
  private readonly options: TcpOptions;
  private readonly servers: readonly Server[];
  private readonly connections = new Connections<TcpConnection>();
  /** By the peer's address: the one that a request to it takes. */
  private readonly byPeer = new Map<string, { readonly connection: TcpConnection; readonly ready: Promise<boolean> }>();
  private readonly refused: RefusalMemory;
  private opened = 0;

  private constructor(bound: readonly { server: Server; local: LocalPoint }[], options: TcpOptions) {
    this.options = options;
    this.refused = new RefusalMemory(options.clock, options.limits.refusalMemory);
    this.servers = bound.map(({ server }) => server);
    this.locals = bound.map(({ local }) => local);
    for (const { server, local } of bound) server.on("connection", (socket) => this.accept(socket, local));
  }

  /** @throws SystemError SIP_ADDRESS_IN_USE, SIP_BIND with what to do about it. */
  static async open(options: TcpOptions): Promise<TcpTransport> {
    const bound: { server: Server; local: LocalPoint }[] = [];
    try {
      for (const address of options.addresses) bound.push(await listen(createServer(), address, "tcp"));
    } catch (error) {
      for (const { server } of bound) server.close();
      throw error;
    }
    return new TcpTransport(bound, options);
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

  async reach(local: LocalPoint, remote: Destination): Promise<boolean> {
    if (remote.flow !== undefined) return this.connections.get(remote.flow) !== undefined;
    if (this.refused.has(peerKey(remote))) return false;
    return (await this.leading(local, remote)?.ready) ?? false;
  }

  send(octets: Buffer, local: LocalPoint, remote: Destination, failed: (cause: Error) => void): void {
    const { flow } = remote;
    const connection = flow === undefined ? this.leading(local, remote)?.connection : this.connections.get(flow);
    if (connection !== undefined) connection.send(octets, failed);
    else failLater(failed, new SystemError("SIP_NO_CONNECTION", `no connection to ${peerKey(remote)}`));
  }

  async close(): Promise<void> {
    const closed = closeAll(this.servers);
    for (const connection of this.connections.all()) connection.destroy();
    await closed;
  }

  private accept(socket: Socket, local: LocalPoint): void {
    const { gate, counters } = this.options;
    const address = gate.admit(socket, counters);
    if (address === undefined) return;
    const remote = { address, port: socket.remotePort ?? 0 };
    const connection = this.keep(socket, { local, remote, accepted: true });
    const ready = Promise.resolve(true);
    if (!this.byPeer.has(peerKey(remote))) this.byPeer.set(peerKey(remote), { connection, ready });
  }

  /** The connection that a request to `remote` takes; undefined if there are too many to open one more. */
  private leading(local: LocalPoint, remote: SocketAddress) {
    const key = peerKey(remote);
    const before = this.byPeer.get(key);
    if (before !== undefined || this.opened >= this.options.limits.connections) return before;
    const { address, port } = remote;
    const { counters, clock, limits, logger } = this.options;
    const socket = connect({ host: address, port, localAddress: local.address });
    this.opened += 1;
    counters.opened += 1;
    const connection = this.keep(socket, { local, remote, accepted: false });
    const tooLong = clock.after(limits.connectTime, () => socket.destroy(new Error("no answer to the connection")));
    let isConnected = false;
    const ready = new Promise<boolean>((resolve) => {
      socket.once("connect", () => {
        isConnected = true;
        tooLong.cancel();
        this.refused.forget(key);
        resolve(true);
      });
      socket.once("error", (cause) => logger.info("sip.tcp.failed", { to: key, cause: cause.message }));
      socket.once("close", () => {
        this.opened -= 1;
        tooLong.cancel();
        if (!isConnected) this.refused.add(key);
        resolve(false);
      });
    });
    const leading = { connection, ready };
    this.byPeer.set(key, leading);
    return leading;
  }

  private keep(
    socket: Socket,
    parts: { readonly local: LocalPoint; readonly remote: SocketAddress; readonly accepted: boolean },
  ): TcpConnection {
    const { local, remote, accepted } = parts;
    const { clock, limits, counters, messageLimits } = this.options;
    const framing = framerLimits(messageLimits);
    return this.connections.add(local, remote, (holder) => {
      const closed = (): void => {
        const key = peerKey(remote);
        if (this.byPeer.get(key)?.connection.flow.id === holder.flow.id) this.byPeer.delete(key);
        holder.closed();
      };
      return new TcpConnection({ ...holder, closed, socket, accepted, clock, limits, framing, counters });
    });
  }
}

/** None of them takes another connection; resolves when those that they took are closed, too. */
export async function closeAll(servers: readonly Server[]): Promise<void> {
  await Promise.all(servers.map((server) => new Promise<void>((done) => server.close(() => done()))));
}

/** @throws SystemError SIP_ADDRESS_IN_USE, SIP_BIND */
export async function listen<S extends Server>(
  server: S,
  place: SocketAddress,
  transport: LocalPoint["transport"],
): Promise<{ server: S; local: LocalPoint }> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(bindError("TCP", place, error)));
    const ipv6Only = familyOf(place.address) === 6;
    server.listen({ host: place.address, port: place.port, ipv6Only, exclusive: true }, resolve);
  });
  server.removeAllListeners("error");
  // Out of file descriptors: the next connection may be taken again.
  server.on("error", () => undefined);
  const bound = server.address();
  const port = typeof bound === "object" && bound !== null ? bound.port : place.port;
  return { server, local: { address: place.address, port, transport } };
}

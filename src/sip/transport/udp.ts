/** SIP over UDP: one socket for each local address, either family. */
import { createSocket, type Socket } from "node:dgram";
import { SystemError } from "../../model/errors.js";
import { familyOf, formatEndpoint, parseAddress } from "../../model/ip.js";
import type { Logger } from "../../model/log.js";
import { bindError } from "./bind-error.js";
import {
  type Destination,
  type Flow,
  type LocalPoint,
  type MessageHandler,
  type SipTransport,
  type SocketAddress,
  sameSocket,
} from "./transport.js";

export interface UdpOptions {
  /** Exact addresses, none of them a wildcard: they are written into Via and Record-Route. Port 0 takes a free one. */
  readonly addresses: readonly SocketAddress[];
  readonly logger: Logger;
  /** Octets the kernel may queue for each socket. */
  readonly receiveBuffer?: number;
}

const RECEIVE_BUFFER = 1_048_576;

interface Bound {
  readonly local: LocalPoint;
  readonly socket: Socket;
}

export class UdpTransport implements SipTransport {
  private readonly sockets: readonly Bound[];
  private readonly logger: Logger;
  private handler: MessageHandler = () => undefined;

  private constructor(sockets: readonly Bound[], logger: Logger) {
    this.sockets = sockets;
    this.logger = logger;
    for (const { local, socket } of sockets) this.listen(socket, local);
  }

  /** @throws SystemError SIP_ADDRESS_IN_USE, SIP_BIND with what to do about it. */
  static async open(options: UdpOptions): Promise<UdpTransport> {
    const sockets: Bound[] = [];
    try {
      for (const address of options.addresses) sockets.push(await bind(address, options));
    } catch (error) {
      for (const { socket } of sockets) socket.close();
      throw error;
    }
    return new UdpTransport(sockets, options.logger);
  }

  get locals(): readonly LocalPoint[] {
    return this.sockets.map((bound) => bound.local);
  }

  onMessage(handler: MessageHandler): void {
    this.handler = handler;
  }

  /** Datagrams have no connections. */
  onFlowClosed(): void {}

  flow(): Flow | undefined {
    return undefined;
  }

  async reach(): Promise<boolean> {
    return true;
  }

  send(octets: Buffer, local: LocalPoint, remote: Destination, failed: (cause: Error) => void): void {
    const bound = this.sockets.find((candidate) => sameSocket(candidate.local, local));
    if (bound === undefined) {
      queueMicrotask(() => failed(new SystemError("SIP_NO_SOCKET", `no socket at ${local.address}`)));
      return;
    }
    bound.socket.send(octets, remote.port, remote.address, (error) => {
      if (error === null) return;
      this.logger.warn("sip.udp.send-failed", {
        to: formatEndpoint(remote.address, remote.port),
        cause: error.message,
      });
      failed(error);
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.sockets.map(({ socket }) => new Promise<void>((done) => socket.close(() => done()))));
  }

  private listen(socket: Socket, local: LocalPoint): void {
    socket.on("message", (octets, info) => {
      const address = parseAddress(info.address);
      // A link-local source carries a zone, which no Via can express; such a peer could not be answered.
      if (address !== undefined) this.handler(octets, { address, port: info.port, transport: "udp" }, local);
    });
    // An ICMP error that the kernel attached to the socket: the transaction's timers deal with the silence.
    socket.on("error", (error) => this.logger.warn("sip.udp.error", { cause: error.message }));
  }
}

async function bind(address: SocketAddress, options: UdpOptions): Promise<Bound> {
  const isSix = familyOf(address.address) === 6;
  const socket = createSocket({ type: isSix ? "udp6" : "udp4", ipv6Only: isSix });
  await new Promise<void>((resolve, reject) => {
    socket.once("error", (error: NodeJS.ErrnoException) => {
      socket.close();
      reject(bindError("UDP", address, error));
    });
    socket.bind({ address: address.address, port: address.port, exclusive: true }, () => {
      socket.removeAllListeners("error");
      resolve();
    });
  });
  socket.setRecvBufferSize(options.receiveBuffer ?? RECEIVE_BUFFER);
  return { local: { address: address.address, port: socket.address().port, transport: "udp" }, socket };
}

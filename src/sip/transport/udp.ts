/** SIP over UDP: one socket for each local address, either family. */
import { createSocket, type Socket } from "node:dgram";
import { SystemError } from "../../model/errors.js";
import { familyOf, formatEndpoint, parseAddress } from "../../model/ip.js";
import type { Logger } from "../../model/log.js";
import { type DatagramHandler, type SipTransport, type SocketAddress, sameSocket } from "./transport.js";

export interface UdpOptions {
  /** Exact addresses, none of them a wildcard: they are written into Via and Record-Route. Port 0 takes a free one. */
  readonly addresses: readonly SocketAddress[];
  readonly logger: Logger;
  /** Octets the kernel may queue for each socket. */
  readonly receiveBuffer?: number;
}

const RECEIVE_BUFFER = 1_048_576;

interface Bound {
  readonly local: SocketAddress;
  readonly socket: Socket;
}

export class UdpTransport implements SipTransport {
  private readonly sockets: readonly Bound[];
  private readonly logger: Logger;
  private handler: DatagramHandler = () => undefined;

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

  get locals(): readonly SocketAddress[] {
    return this.sockets.map((bound) => bound.local);
  }

  onDatagram(handler: DatagramHandler): void {
    this.handler = handler;
  }

  send(octets: Buffer, local: SocketAddress, remote: SocketAddress, failed: (cause: Error) => void): void {
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

  private listen(socket: Socket, local: SocketAddress): void {
    socket.on("message", (octets, info) => {
      const address = parseAddress(info.address);
      // A link-local source carries a zone, which no Via can express; such a peer could not be answered.
      if (address !== undefined) this.handler(octets, { address, port: info.port }, local);
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
      reject(bindError(address, error));
    });
    socket.bind({ address: address.address, port: address.port, exclusive: true }, () => {
      socket.removeAllListeners("error");
      resolve();
    });
  });
  socket.setRecvBufferSize(options.receiveBuffer ?? RECEIVE_BUFFER);
  return { local: { address: address.address, port: socket.address().port }, socket };
}

function bindError(address: SocketAddress, cause: NodeJS.ErrnoException): SystemError {
  const where = formatEndpoint(address.address, address.port);
  if (cause.code === "EADDRINUSE") {
    return new SystemError("SIP_ADDRESS_IN_USE", `UDP ${where} is in use by another process`, {
      cause,
      remedy: `find it with \`ss -lunp sport = :${address.port}\` and stop it, or configure another port`,
    });
  }
  const remedy =
    cause.code === "EADDRNOTAVAIL"
      ? "the address is on no interface: check `ip address`, and that the interface is up"
      : cause.code === "EACCES"
        ? "ports below 1024 need CAP_NET_BIND_SERVICE"
        : "check the configured listen address";
  return new SystemError("SIP_BIND", `cannot listen on UDP ${where}: ${cause.code ?? cause.message}`, {
    cause,
    remedy,
  });
}

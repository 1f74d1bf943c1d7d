/**
 * The raw sockets of one interface. Each is bound to the device, as the package does not say where a packet came in.
 *
 * IPv4: a socket for each protocol, which gets packets to this node and, with the option, those that carry Router Alert
 * and would be forwarded; both with their IP header. One more sends, with the header included.
 * IPv6: a socket for each protocol gets packets to this node, without their header: destination and hop limit are not
 * known. Linux intercepts for sockets of protocol 255 only, by the option's value and whatever the protocol, and gives
 * the whole packet; that socket also sends.
 */
import { networkInterfaces } from "node:os";
import { SystemError } from "../../model/errors.js";
import { addressToBytes, familyOf, type IpAddress, type IpFamily } from "../../model/ip.js";
import { buildPacket, ipv6AlertOf, passedOn, readPacket } from "./ip-packet.js";
import {
  bindToDevice,
  HEADER_INCLUDED,
  interceptIpv6,
  openRawSocket,
  type RawSocket,
  SOCKET_OPTION,
  setReceiveBuffer,
} from "./raw-socket.js";
import {
  IP_PROTOCOL,
  type OutgoingDatagram,
  type ReceivedDatagram,
  type RouterAlert,
  type RsvpProtocol,
} from "./transport.js";
import { UnboundSender } from "./unbound-sender.js";

export interface RawLinkOptions {
  readonly protocols: readonly RsvpProtocol[];
  /** Values of the option to intercept with IPv6; IPv4 intercepts all. */
  readonly alerts: readonly RouterAlert[];
  readonly families: readonly IpFamily[];
  readonly receiveBuffer: number;
  readonly received: (datagram: ReceivedDatagram) => void;
  /** A packet was intercepted that is not RSVP. */
  readonly foreign: () => void;
  readonly failed: (name: string, error: Error) => void;
}

export class RawLink {
  readonly #name: string;
  readonly #options: RawLinkOptions;
  readonly #sockets: RawSocket[] = [];
  readonly #senders = new Map<IpFamily, RawSocket>();
  readonly #forwarder: UnboundSender;
  #open = true;

  /** @throws SystemError if a socket cannot be had: no such interface, no CAP_NET_RAW */
  constructor(name: string, options: RawLinkOptions) {
    this.#name = name;
    this.#options = options;
    this.#forwarder = new UnboundSender(6, (error) => options.failed(name, error));
    try {
      for (const family of options.families) this.#openFamily(family);
    } catch (cause) {
      this.close();
      const text = cause instanceof Error ? cause.message : String(cause);
      const remedy = "check that the interface exists, and give the process CAP_NET_RAW";
      throw new SystemError("RSVP_RAW_SOCKET", `no raw RSVP socket on ${name}: ${text}`, { remedy, cause });
    }
  }

  /** `sent` is called later, or at once if the datagram cannot be built. */
  send(datagram: OutgoingDatagram, sent: (error: Error | undefined) => void): void {
    const { destination, octets, protocol, ...rest } = datagram;
    const family = familyOf(destination);
    const sender = family === undefined ? undefined : this.#senders.get(family);
    const source = datagram.source ?? (family === 6 ? ownAddress(this.#name, destination) : undefined);
    if (sender === undefined || (source === undefined ? family === 6 : familyOf(source) !== family)) {
      sent(new SystemError("RSVP_NO_ADDRESS", `no way from ${this.#name} to ${destination}: no address of its family`));
      return;
    }
    const fields = { ttl: rest.ttl, tos: rest.tos, destination, protocol: IP_PROTOCOL[protocol], payload: octets };
    const packet = buildPacket({
      ...fields,
      ...(source === undefined ? {} : { source }),
      ...(rest.routerAlert === undefined ? {} : { routerAlert: rest.routerAlert }),
    });
    sender.send(packet, 0, packet.length, destination, (error) => sent(error ?? undefined));
  }

  close(): void {
    this.#open = false;
    for (const socket of this.#sockets) socket.close();
    this.#sockets.length = 0;
    this.#senders.clear();
    this.#forwarder.close();
  }

  #openFamily(family: IpFamily): void {
    for (const protocol of this.#options.protocols) {
      const socket = this.#openSocket(family, IP_PROTOCOL[protocol]);
      setReceiveBuffer(socket, this.#options.receiveBuffer);
      if (family === 4) socket.setOption(...SOCKET_OPTION.ipv4RouterAlert, 1);
      socket.on("message", (octets, source) => {
        if (family === 4) this.#receivePacket(octets);
        else this.#receivePayload(octets, protocol, source);
      });
    }
    const sender = this.#openSocket(family, HEADER_INCLUDED);
    this.#senders.set(family, sender);
    if (family === 6) this.#intercept(sender);
  }

  #openSocket(family: IpFamily, protocol: number): RawSocket {
    const socket = openRawSocket(family, protocol);
    this.#sockets.push(socket);
    bindToDevice(socket, this.#name);
    socket.on("error", (error) => {
      if (this.#open) this.#options.failed(this.#name, error);
    });
    return socket;
  }

  /** One value for a socket: the sender has the first, the others have sockets of their own. */
  #intercept(sender: RawSocket): void {
    this.#options.alerts.forEach((alert, index) => {
      const socket = index === 0 ? sender : this.#openSocket(6, HEADER_INCLUDED);
      setReceiveBuffer(socket, this.#options.receiveBuffer);
      interceptIpv6(socket, ipv6AlertOf(alert));
      socket.on("message", (octets) => this.#receivePacket(octets));
    });
  }

  #receivePayload(octets: Buffer, protocol: RsvpProtocol, source: string): void {
    const [address = ""] = source.split("%");
    if (this.#open) this.#options.received({ octets, protocol, interface: this.#name, source: address });
  }

  #receivePacket(octets: Buffer): void {
    const packet = readPacket(octets);
    if (packet === undefined || !this.#open) return;
    const { payload, source, destination, ttl, routerAlert } = packet;
    const protocol = this.#options.protocols.find((name) => IP_PROTOCOL[name] === packet.protocol);
    if (protocol === undefined) {
      this.#passOn(octets, destination);
      return;
    }
    const alert = routerAlert === undefined ? {} : { routerAlert };
    this.#options.received({ octets: payload, protocol, interface: this.#name, source, destination, ttl, ...alert });
  }

  /** IPv6 interception does not look at the protocol: what is not for us goes on as it would have. */
  #passOn(octets: Buffer, destination: IpAddress): void {
    this.#options.foreign();
    const packet = passedOn(octets);
    if (packet === undefined) return;
    this.#forwarder.send(packet, destination, (error) => {
      if (error !== undefined) this.#options.failed(this.#name, error);
    });
  }
}

/** An address that the interface has for that destination: link-local for link-local, else a global one. */
function ownAddress(name: string, destination: IpAddress): IpAddress | undefined {
  const isLocal = (address: IpAddress): boolean => (addressToBytes(address).readUInt16BE(0) & 0xffc0) === 0xfe80;
  const wanted = isLocal(destination);
  const addresses = networkInterfaces()[name] ?? [];
  return addresses.find(({ family, address }) => family === "IPv6" && isLocal(address) === wanted)?.address;
}

/**
 * A network in memory for tests and simulations: nodes with interfaces, links between them, and a fate for every packet.
 * A message with Router Alert stops at the next node that takes its protocol; any other one goes to the node that has its
 * destination, from node to node where there are routes.
 */
import type { Clock } from "../../model/clock.js";
import { SystemError } from "../../model/errors.js";
import type { IpAddress } from "../../model/ip.js";
import { millis } from "../../model/units.js";
import { Inbox } from "./inbox.js";
import type { OutgoingDatagram, ReceivedDatagram, RsvpProtocol, RsvpTransport, TransportCounts } from "./transport.js";
import type { TransportOptions } from "./transport-options.js";

export interface MemoryPort {
  readonly node: string;
  readonly interface: string;
  readonly address: IpAddress;
}

/** What becomes of a packet: a delay in ms for each copy that arrives; none if it is lost. */
export type PacketFate = (datagram: OutgoingDatagram, from: MemoryPort, to: MemoryPort) => readonly number[];

export const AT_ONCE: PacketFate = () => [0];

/** By which interface a node forwards what it does not take; undefined where it has no way. */
export type MemoryRoute = (node: string, destination: IpAddress) => string | undefined;

/** Without `protocols` a node takes RSVP only. */
export type MemoryTransportOptions = Pick<TransportOptions, "handlers" | "limits"> &
  Partial<Pick<TransportOptions, "protocols">>;

export class MemoryNetwork {
  readonly #clock: Clock;
  readonly #links: (readonly [MemoryPort, MemoryPort])[] = [];
  readonly #nodes = new Map<string, MemoryTransport>();
  fate: PacketFate;
  route: MemoryRoute = () => undefined;

  constructor(clock: Clock, fate: PacketFate = AT_ONCE) {
    this.#clock = clock;
    this.fate = fate;
  }

  link(one: MemoryPort, other: MemoryPort): void {
    this.#links.push([one, other]);
  }

  /** The transport of a node; a second call stands for a restart, and the first one hears nothing more. */
  open(node: string, { handlers, limits, protocols = ["rsvp"] }: MemoryTransportOptions): RsvpTransport {
    const inbox = new Inbox({ limits, clock: this.#clock, deliver: (datagram) => handlers.message(datagram) });
    const transport = new MemoryTransport(inbox, protocols, (datagram) => {
      const sent = this.#carry(node, datagram);
      const text = `no link at ${node} ${datagram.interface ?? ""}`;
      if (!sent) handlers.failed(datagram.interface, new SystemError("RSVP_NOT_ATTACHED", text));
      return sent;
    });
    this.#nodes.set(node, transport);
    return transport;
  }

  #carry(node: string, datagram: OutgoingDatagram): boolean {
    const name = datagram.interface;
    const link = this.#links.find((ports) => ports.some((port) => isPort(port, node, name)));
    if (link === undefined) return false;
    const [from, next] = isPort(link[0], node, name) ? link : [link[1], link[0]];
    const to = this.#target(datagram, next);
    if (to === undefined) return true;
    for (const delay of this.fate(datagram, from, to)) {
      this.#clock.after(millis(delay), () => this.#arrive(datagram, from, to));
    }
    return true;
  }

  /** Where it gets to in one go: to the next node where that has a route, else at once to who has the address. */
  #target({ routerAlert, destination }: OutgoingDatagram, next: MemoryPort): MemoryPort | undefined {
    if (routerAlert !== undefined || this.#isAt(next.node, destination)) return next;
    return this.route(next.node, destination) === undefined ? this.#owner(destination) : next;
  }

  /** What the node does not take goes on as a kernel forwards it, whoever runs there: source and octets as they are. */
  #arrive(datagram: OutgoingDatagram, from: MemoryPort, to: MemoryPort): void {
    const received = arrival(datagram, from, to);
    const { source, ttl = 1, protocol, destination, routerAlert } = received;
    const node = this.#nodes.get(to.node);
    const name = destination === undefined ? undefined : this.route(to.node, destination);
    const isForIt = routerAlert === undefined ? this.#isAt(to.node, datagram.destination) : node?.takes(protocol);
    if (isForIt === true || name === undefined) node?.receive(received);
    else if (ttl > 1) this.#carry(to.node, { ...datagram, interface: name, source, ttl: ttl - 1 });
  }

  #isAt(node: string, destination: IpAddress): boolean {
    return this.#links.flat().some((port) => port.node === node && port.address === destination);
  }

  #owner(destination: IpAddress): MemoryPort | undefined {
    return this.#links.flat().find(({ address }) => address === destination);
  }
}

class MemoryTransport implements RsvpTransport {
  readonly kind = "memory";
  readonly #inbox: Inbox;
  readonly #protocols: readonly RsvpProtocol[];
  readonly #carry: (datagram: OutgoingDatagram) => boolean;
  readonly #attached = new Set<string>();
  #sent = 0;
  #unsent = 0;

  constructor(inbox: Inbox, protocols: readonly RsvpProtocol[], carry: (datagram: OutgoingDatagram) => boolean) {
    this.#inbox = inbox;
    this.#protocols = protocols;
    this.#carry = carry;
  }

  /** Whether a Router Alert stops it here. */
  takes(protocol: RsvpProtocol): boolean {
    return this.#attached.size > 0 && this.#protocols.includes(protocol);
  }

  receive(datagram: ReceivedDatagram): void {
    if (this.#attached.has(datagram.interface) && this.takes(datagram.protocol)) this.#inbox.offer(datagram);
  }

  send(datagram: OutgoingDatagram): void {
    if (this.#carry(datagram)) this.#sent += 1;
    else this.#unsent += 1;
  }

  attach(name: string): Promise<void> {
    this.#attached.add(name);
    return Promise.resolve();
  }

  detach(name: string): Promise<void> {
    this.#attached.delete(name);
    return Promise.resolve();
  }

  counts(): TransportCounts {
    return { ...this.#inbox.counts(), sent: this.#sent, unsent: this.#unsent, foreign: 0 };
  }

  close(): Promise<void> {
    this.#attached.clear();
    this.#inbox.close();
    return Promise.resolve();
  }
}

/** Without a name the node's first link is the route to everywhere. */
const isPort = (port: MemoryPort, node: string, name: string | undefined): boolean =>
  port.node === node && (name === undefined || port.interface === name);

function arrival(datagram: OutgoingDatagram, from: MemoryPort, to: MemoryPort): ReceivedDatagram {
  const { octets, protocol, destination, ttl, routerAlert, source = from.address } = datagram;
  const alert = routerAlert === undefined ? {} : { routerAlert };
  return { octets: Buffer.from(octets), protocol, interface: to.interface, source, destination, ttl, ...alert };
}

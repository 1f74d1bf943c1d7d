/**
 * RSVP in UDP (RFC 2205 appendix C), for nodes that may not open raw sockets: unicast only, and only with neighbours that
 * do the same. Nothing is intercepted: who is to see a message is sent it. The source address is always the interface's
 * own, and the TTL that a message came with is its Send_TTL.
 */
import { createSocket, type Socket } from "node:dgram";
import { networkInterfaces } from "node:os";
import { SystemError } from "../../model/errors.js";
import { familyOf, formatEndpoint, type IpAddress, type IpFamily, parseAddress } from "../../model/ip.js";
import { Inbox } from "./inbox.js";
import type { OutgoingDatagram, RsvpTransport, TransportCounts } from "./transport.js";
import type { TransportOptions } from "./transport-options.js";

/** Pu and Pu'. */
export const UDP_PORT = { toRouter: 1698, toHost: 1699 } as const;

const SEND_TTL_AT = 4;

/** The sockets of one address of an interface. */
interface Binding {
  readonly address: IpAddress;
  /** The first one sends. */
  readonly sockets: readonly Socket[];
}

export class UdpTransport implements RsvpTransport {
  readonly kind = "udp";
  readonly #options: TransportOptions;
  readonly #inbox: Inbox;
  readonly #links = new Map<string, readonly Binding[]>();
  #sent = 0;
  #unsent = 0;

  constructor(options: TransportOptions) {
    this.#options = options;
    const { limits, clock, handlers } = options;
    this.#inbox = new Inbox({ limits, clock, deliver: (datagram) => handlers.message(datagram) });
  }

  async attach(name: string): Promise<void> {
    await this.detach(name);
    const bindings: Binding[] = [];
    this.#links.set(name, bindings);
    const addresses = addressesOf(name, this.#options.families);
    if (addresses.length === 0) {
      throw new SystemError("RSVP_NO_ADDRESS", `interface ${name} has no address`, { remedy: "give it one" });
    }
    try {
      for (const address of addresses) {
        const sockets: Socket[] = [];
        bindings.push({ address, sockets });
        for (const port of this.#ports()) sockets.push(await this.#bind(name, address, port));
      }
    } catch (error) {
      await this.detach(name);
      throw error;
    }
  }

  async detach(name: string): Promise<void> {
    const sockets = (this.#links.get(name) ?? []).flatMap((binding) => binding.sockets);
    this.#links.delete(name);
    await Promise.all(sockets.map((socket) => new Promise<void>((resolve) => socket.close(resolve))));
  }

  send(datagram: OutgoingDatagram): void {
    const { octets, ttl, routerAlert, destination } = datagram;
    const name = datagram.interface;
    const { role, nextHops } = this.#options.udp;
    const nextHop = routerAlert === undefined || name === undefined ? undefined : nextHops.get(name);
    const target = nextHop ?? destination;
    const bindings = name === undefined ? [...this.#links.values()].flat() : (this.#links.get(name) ?? []);
    const socket = bindings.find(({ address }) => familyOf(address) === familyOf(target))?.sockets[0];
    if (datagram.protocol !== "rsvp" || socket === undefined) {
      this.#done(name, new SystemError("RSVP_NO_ADDRESS", `no way by UDP from ${name ?? "here"} to ${target}`));
      return;
    }
    try {
      socket.setTTL(ttl);
      const port = role === "host" ? UDP_PORT.toRouter : UDP_PORT.toHost;
      socket.send(octets, port, target, (error) => this.#done(name, error ?? undefined));
    } catch (error) {
      this.#done(name, error instanceof Error ? error : new Error(String(error)));
    }
  }

  counts(): TransportCounts {
    return { ...this.#inbox.counts(), sent: this.#sent, unsent: this.#unsent, foreign: 0 };
  }

  async close(): Promise<void> {
    this.#inbox.close();
    await Promise.all([...this.#links.keys()].map((name) => this.detach(name)));
  }

  #ports(): readonly number[] {
    return this.#options.udp.role === "host" ? [UDP_PORT.toRouter, UDP_PORT.toHost] : [UDP_PORT.toRouter];
  }

  #bind(name: string, address: IpAddress, port: number): Promise<Socket> {
    const socket = createSocket({
      type: familyOf(address) === 4 ? "udp4" : "udp6",
      // Only literals are sent to; a look-up that answers at once keeps `setTTL` and `send` together.
      lookup: (host, _options, done) => done(null, host, familyOf(host) ?? 4),
    });
    socket.on("message", (octets, { address: source }) => {
      const ttl = octets[SEND_TTL_AT];
      const sender = parseAddress(source.split("%")[0] ?? "");
      if (sender === undefined || ttl === undefined) return;
      const arrival = { interface: name, source: sender, destination: address, ttl };
      this.#inbox.offer({ octets, protocol: "rsvp", ...arrival });
    });
    return new Promise((resolve, reject) => {
      const refused = (cause: Error): void => {
        socket.close();
        const text = `cannot listen on ${formatEndpoint(address, port)}: ${cause.message}`;
        reject(new SystemError("RSVP_UDP_SOCKET", text, { cause, remedy: "free the port" }));
      };
      socket.once("error", refused);
      socket.bind({ address, port }, () => {
        socket.off("error", refused);
        socket.on("error", (error) => this.#options.handlers.failed(name, error));
        resolve(socket);
      });
    });
  }

  #done(name: string | undefined, error: Error | undefined): void {
    if (error === undefined) {
      this.#sent += 1;
      return;
    }
    this.#unsent += 1;
    this.#options.handlers.failed(name, error);
  }
}

/** Link-local addresses of IPv6 are no end of a session. */
function addressesOf(name: string, families: readonly IpFamily[]): readonly IpAddress[] {
  return (networkInterfaces()[name] ?? [])
    .map(({ address }) => address)
    .filter((address) => families.some((family) => family === familyOf(address)) && !/^fe[89ab]/i.test(address));
}

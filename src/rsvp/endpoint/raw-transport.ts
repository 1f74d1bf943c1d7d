/** RSVP in IP packets of protocol 46, and 134 where wanted. Takes CAP_NET_RAW. */
import { SystemError } from "../../model/errors.js";
import { familyOf } from "../../model/ip.js";
import { Inbox } from "./inbox.js";
import { buildPacket } from "./ip-packet.js";
import { RawLink, type RawLinkOptions } from "./raw-link.js";
import { IP_PROTOCOL, type OutgoingDatagram, type RsvpTransport, type TransportCounts } from "./transport.js";
import type { TransportOptions } from "./transport-options.js";
import { UnboundSender } from "./unbound-sender.js";

export class RawTransport implements RsvpTransport {
  readonly kind = "raw";
  readonly #options: TransportOptions;
  readonly #inbox: Inbox;
  readonly #links = new Map<string, RawLink>();
  readonly #routed: UnboundSender;
  #sent = 0;
  #unsent = 0;
  #foreign = 0;

  constructor(options: TransportOptions) {
    this.#options = options;
    const { limits, clock, handlers } = options;
    this.#routed = new UnboundSender(4, (error) => handlers.failed(undefined, error));
    this.#inbox = new Inbox({ limits, clock, deliver: (datagram) => handlers.message(datagram) });
  }

  attach(name: string): Promise<void> {
    return Promise.resolve().then(() => {
      this.#links.get(name)?.close();
      this.#links.delete(name);
      this.#links.set(name, new RawLink(name, this.#linkOptions()));
    });
  }

  detach(name: string): Promise<void> {
    this.#links.get(name)?.close();
    this.#links.delete(name);
    return Promise.resolve();
  }

  send(datagram: OutgoingDatagram): void {
    const name = datagram.interface;
    if (name === undefined) {
      this.#sendRouted(datagram);
      return;
    }
    const link = this.#links.get(name);
    if (link === undefined) {
      this.#done(name, new SystemError("RSVP_NOT_ATTACHED", `RSVP is not attached to interface ${name}`));
      return;
    }
    link.send(datagram, (error) => this.#done(name, error));
  }

  counts(): TransportCounts {
    return { ...this.#inbox.counts(), sent: this.#sent, unsent: this.#unsent, foreign: this.#foreign };
  }

  close(): Promise<void> {
    this.#inbox.close();
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
    this.#routed.close();
    return Promise.resolve();
  }

  /** IPv4 only: of IPv6 the kernel leaves the source to us, and that is an interface's. */
  #sendRouted(datagram: OutgoingDatagram): void {
    const { destination, octets, protocol, source, routerAlert, ttl, tos } = datagram;
    if (familyOf(destination) !== 4 || (source !== undefined && familyOf(source) !== 4)) {
      this.#done(undefined, new SystemError("RSVP_NO_ADDRESS", `no interface was named for ${destination}`));
      return;
    }
    const packet = buildPacket({
      ...(source === undefined ? {} : { source }),
      destination,
      protocol: IP_PROTOCOL[protocol],
      ttl,
      tos,
      ...(routerAlert === undefined ? {} : { routerAlert }),
      payload: octets,
    });
    this.#routed.send(packet, destination, (error) => this.#done(undefined, error));
  }

  #linkOptions(): RawLinkOptions {
    const { limits, handlers, protocols, alerts, families } = this.#options;
    return {
      protocols,
      alerts,
      families,
      receiveBuffer: limits.receiveBuffer,
      received: (datagram) => this.#inbox.offer(datagram),
      foreign: () => {
        this.#foreign += 1;
      },
      failed: (name, error) => handlers.failed(name, error),
    };
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

/** Two endpoints with a network in memory between them. */
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { decodePacket } from "../../../src/rsvp/codec/decode.js";
import type { RsvpDecodeError } from "../../../src/rsvp/codec/errors.js";
import type { RsvpPacket, SessionMessage } from "../../../src/rsvp/codec/message.js";
import { DEFAULT_RSVP_LIMITS } from "../../../src/rsvp/endpoint/limits.js";
import { AT_ONCE, MemoryNetwork, type PacketFate } from "../../../src/rsvp/endpoint/memory-network.js";
import { type NodeMessage, RsvpEndpoint } from "../../../src/rsvp/endpoint/rsvp-endpoint.js";
import type { OutgoingDatagram } from "../../../src/rsvp/endpoint/transport.js";
import type { Arrival } from "../../../src/rsvp/machine/events.js";
import { DEFAULT_RELIABILITY } from "../../../src/rsvp/reliability/rules.js";
import { KeyTable } from "../../../src/rsvp/security/key-table.js";
import type { SecurityAssociation } from "../../../src/rsvp/security/keys.js";
import { FakeClock } from "../../support/fake-clock.js";

export const A = "192.0.2.1";
export const B = "192.0.2.2";

/** One packet on the wire. */
export interface Seen {
  readonly from: string;
  readonly datagram: OutgoingDatagram;
  readonly packet: RsvpPacket;
}

export interface Side {
  endpoint: RsvpEndpoint;
  readonly messages: SessionMessage[];
  readonly arrivals: Arrival[];
  readonly errors: RsvpDecodeError[];
  /** Sends to the other side by address, or as a Path does, with Router Alert. */
  send(message: SessionMessage, more?: Partial<NodeMessage>): void;
}

export class Pair {
  readonly clock = new FakeClock(1_700_000_000_000);
  readonly seen: Seen[] = [];
  readonly network: MemoryNetwork;
  fate: PacketFate = AT_ONCE;

  constructor() {
    this.network = new MemoryNetwork(this.clock, (datagram, from, to) => {
      this.seen.push({ from: from.node, datagram, packet: decodePacket(datagram.octets) });
      return this.fate(datagram, from, to);
    });
    this.network.link({ node: "a", interface: "a0", address: A }, { node: "b", interface: "b0", address: B });
  }

  /** Opens a side, or opens it again as after a restart. */
  async side(name: "a" | "b", associations: readonly SecurityAssociation[] = [], epoch = 1): Promise<Side> {
    const [own, other] = name === "a" ? [A, B] : [B, A];
    const messages: SessionMessage[] = [];
    const arrivals: Arrival[] = [];
    const errors: RsvpDecodeError[] = [];
    const endpoint = await RsvpEndpoint.open({
      clock: this.clock,
      log: SILENT_LOGGER,
      handlers: {
        message: (message, arrival) => {
          messages.push(message);
          arrivals.push(arrival);
        },
        unreadable: (error) => errors.push(error),
      },
      keys: new KeyTable(associations),
      reliability: DEFAULT_RELIABILITY,
      isOwn: (address) => address === own,
      interfaceTo: () => `${name}0`,
      epoch,
      tos: 0xc0,
      transport: (handlers) => Promise.resolve(this.network.open(name, { handlers, limits: DEFAULT_RSVP_LIMITS })),
    });
    await endpoint.transport?.attach(`${name}0`);
    const send: Side["send"] = (message, more = {}) =>
      endpoint.send({ message, interface: `${name}0`, destination: other, routerAlert: false, ttl: 64, ...more });
    return { endpoint, messages, arrivals, errors, send };
  }

  /** Kinds of the messages on the wire since the last call, as `a Path`. */
  take(): string[] {
    return this.seen.splice(0).map(({ from, packet }) => `${from} ${packet.message.kind}`);
  }
}

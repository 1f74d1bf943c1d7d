/** Messages of one turn, sent in their order; those that follow one another to the same neighbour as one Bundle. */
import type { RsvpPacket } from "../codec/message.js";
import type { OutgoingDatagram } from "./transport.js";

export interface OutboxEntry {
  readonly datagram: OutgoingDatagram;
  /** The neighbour is known to read Bundles (RFC 2961 §3.3), and the datagram is addressed to it. */
  readonly mayBundle: boolean;
}

export interface OutboxOptions {
  readonly send: (datagram: OutgoingDatagram) => void;
  /** A Bundle's own header is not signed: its messages are (RFC 2961 §3.2). */
  readonly encode: (packet: RsvpPacket) => Buffer;
}

/** Octets of a Bundle, within the smallest MTU of IPv6. */
const MAX_BUNDLE = 1200;
const HEADER = 8;

export class Outbox {
  readonly #options: OutboxOptions;
  #entries: OutboxEntry[] = [];
  #scheduled = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  add(entry: OutboxEntry): void {
    this.#entries.push(entry);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.flush());
  }

  flush(): void {
    this.#scheduled = false;
    const entries = this.#entries;
    this.#entries = [];
    for (const group of groupsOf(entries)) this.#send(group);
  }

  #send(group: readonly OutboxEntry[]): void {
    const [first] = group;
    if (first === undefined) return;
    const { datagram } = first;
    if (group.length === 1) {
      this.#options.send(datagram);
      return;
    }
    const messages = group.map((entry) => entry.datagram.octets);
    const packet = { sendTtl: datagram.ttl, refreshReduction: true, acks: [], message: { kind: "Bundle", messages } };
    this.#options.send({ ...datagram, octets: this.#options.encode(packet as RsvpPacket) });
  }
}

/** Only neighbours in the order are joined: sequence numbers must not overtake one another (RFC 2747 §4.2). */
function groupsOf(entries: readonly OutboxEntry[]): readonly (readonly OutboxEntry[])[] {
  const groups: OutboxEntry[][] = [];
  let size = HEADER;
  for (const entry of entries) {
    const last = groups.at(-1);
    const [first] = last ?? [];
    const { octets } = entry.datagram;
    if (last !== undefined && first !== undefined && joins(first, entry) && size + octets.length <= MAX_BUNDLE) {
      last.push(entry);
      size += octets.length;
    } else {
      groups.push([entry]);
      size = HEADER + octets.length;
    }
  }
  return groups;
}

function joins(first: OutboxEntry, other: OutboxEntry): boolean {
  const [one, two] = [first.datagram, other.datagram];
  return (
    first.mayBundle &&
    other.mayBundle &&
    one.interface === two.interface &&
    one.destination === two.destination &&
    one.source === two.source &&
    one.protocol === two.protocol &&
    one.ttl === two.ttl
  );
}

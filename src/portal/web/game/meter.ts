/** What a channel gives, from its packets' numbers and times: round trip, jitter (RFC 3550 §6.4.1), loss. Pure: times are handed in. */
import type { Packet } from "./packet.js";

/** Of the last second. Times in ms, loss 0 to 1; undefined where nothing was measured. */
export interface LinkFigures {
  readonly roundTrip?: number;
  /** 95th percentile of the round trips. */
  readonly roundTrip95?: number;
  readonly jitter?: number;
  /** Of what the other side sent, or would have: 1 while nothing comes any more. */
  readonly lossIn?: number;
  /** Of what was sent from here, as the other side counts it. */
  readonly lossOut?: number;
}

/** Since the beginning. */
export interface LinkTotals {
  readonly sent: number;
  readonly received: number;
  /** Sequence numbers that the other side is known to have used. */
  readonly expected: number;
  readonly duplicates: number;
}

/** Packets that come this much later than newer ones still count as received. */
const REORDER_MAX = 1024;

export class LinkMeter {
  #next = 0;
  #withheld = 0;
  #received = 0;
  #expected = 0;
  #duplicates = 0;
  readonly #recent = new Set<number>();
  #lastFrom: { sentAt: number; at: number } | undefined;
  #transit: number | undefined;
  #jitter: number | undefined;
  #peer = { received: 0, expected: 0 };
  #roundTrips: number[] = [];
  #mark = { received: 0, expected: 0, peerReceived: 0, peerExpected: 0 };

  /** @returns the number that the next packet bears */
  nextSequence(): number {
    this.#next += 1;
    return this.#next - 1;
  }

  /** A packet was due that could not leave: to the other side it is lost like any other. */
  withhold(): void {
    this.#next += 1;
    this.#withheld += 1;
  }

  /** What goes into each packet that leaves. */
  report(now: number): Pick<Packet, "echo" | "received" | "expected"> {
    const from = this.#lastFrom;
    const echo = from === undefined ? {} : { echo: { sentAt: from.sentAt, held: Math.max(0, now - from.at) } };
    return { ...echo, received: this.#received, expected: this.#expected };
  }

  /** @returns false for a packet that was here before, or that cannot be one of this channel */
  take(packet: Packet, now: number): boolean {
    const { sequence, sentAt, echo } = packet;
    if (this.#recent.has(sequence) || sequence + REORDER_MAX < this.#expected) {
      this.#duplicates += 1;
      return false;
    }
    this.#remember(sequence);
    this.#received += 1;
    if (sequence >= this.#expected) {
      this.#expected = sequence + 1;
      this.#lastFrom = { sentAt, at: now };
      this.#peer = { received: packet.received, expected: packet.expected };
    }
    this.#takeTransit(now - sentAt);
    if (echo !== undefined) this.#takeRoundTrip(now - echo.sentAt - echo.held);
    return true;
  }

  get totals(): LinkTotals {
    const sent = this.#next - this.#withheld;
    return { sent, received: this.#received, expected: this.#expected, duplicates: this.#duplicates };
  }

  /** The figures since this was asked last. */
  read(): LinkFigures {
    const mark = this.#mark;
    const isSilent = this.#received > 0 && this.#received === mark.received;
    const lossIn = isSilent ? 1 : lossOf(this.#received - mark.received, this.#expected - mark.expected);
    const lossOut = lossOf(this.#peer.received - mark.peerReceived, this.#peer.expected - mark.peerExpected);
    const sorted = this.#roundTrips.toSorted((left, right) => left - right);
    const middle = sorted[Math.floor(sorted.length / 2)];
    const high = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.95))];
    this.#roundTrips = [];
    this.#mark = {
      received: this.#received,
      expected: this.#expected,
      peerReceived: this.#peer.received,
      peerExpected: this.#peer.expected,
    };
    return {
      ...(middle === undefined ? {} : { roundTrip: middle }),
      ...(high === undefined ? {} : { roundTrip95: high }),
      ...(this.#jitter === undefined || isSilent ? {} : { jitter: this.#jitter }),
      ...(lossIn === undefined ? {} : { lossIn }),
      ...(lossOut === undefined ? {} : { lossOut }),
    };
  }

  #remember(sequence: number): void {
    this.#recent.add(sequence);
    if (this.#recent.size <= 2 * REORDER_MAX) return;
    for (const old of this.#recent) if (old + REORDER_MAX < this.#expected) this.#recent.delete(old);
  }

  /** RFC 3550 §6.4.1: J += (|D| - J) / 16, with D the change of transit time; the clocks' difference falls out. */
  #takeTransit(transit: number): void {
    if (this.#transit !== undefined) {
      const jitter = this.#jitter ?? 0;
      this.#jitter = jitter + (Math.abs(transit - this.#transit) - jitter) / 16;
    }
    this.#transit = transit;
  }

  #takeRoundTrip(time: number): void {
    if (time >= 0 && time < 60_000) this.#roundTrips.push(time);
  }
}

/** What came late from before makes it negative: that is no loss. */
const lossOf = (received: number, expected: number): number | undefined =>
  expected <= 0 ? undefined : Math.min(1, Math.max(0, 1 - received / expected));

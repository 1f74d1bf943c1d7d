/** A channel with its meter: packets leave numbered, those that come are checked and measured. */
import { type LinkFigures, LinkMeter, type LinkTotals } from "./meter.js";
import { decodePacket, encodePacket, type Packet } from "./packet.js";

/** What of an RTCDataChannel is needed. */
export interface PacketChannel {
  readonly readyState: string;
  readonly bufferedAmount: number;
  send(data: ArrayBuffer): void;
  addEventListener(type: "message", listener: (event: { data: unknown }) => void): void;
}

export type PacketContent = Pick<Packet, "kind" | "nextFrame" | "digest" | "firstFrame" | "inputs">;

/** What a packet of a probe carries in the place of a game. */
export const PROBE_CONTENT: PacketContent = {
  kind: "probe",
  nextFrame: 0,
  digest: { frame: 0, value: 0 },
  firstFrame: 0,
  inputs: [],
};

/** More octets that wait to leave than this only get old. */
const BUFFERED_MAX = 4096;

export class PacketLink {
  readonly #meter = new LinkMeter();
  readonly #channel: PacketChannel;
  readonly #now: () => number;
  #unreadable = 0;

  /** @param now - ms, of a clock that never jumps */
  constructor(channel: PacketChannel, now: () => number, onPacket: (packet: Packet) => void) {
    this.#channel = channel;
    this.#now = now;
    channel.addEventListener("message", ({ data }) => {
      const packet = data instanceof ArrayBuffer ? decodePacket(data) : undefined;
      if (packet === undefined) this.#unreadable += 1;
      else if (this.#meter.take(packet, now())) onPacket(packet);
    });
  }

  get isOpen(): boolean {
    return this.#channel.readyState === "open";
  }

  /** What cannot leave at once is not sent: the next packet has it all again. */
  send(content: PacketContent): void {
    if (!this.isOpen) return;
    if (this.#channel.bufferedAmount > BUFFERED_MAX) {
      this.#meter.withhold();
      return;
    }
    const now = this.#now();
    const sequence = this.#meter.nextSequence();
    this.#channel.send(encodePacket({ ...content, sequence, sentAt: now, ...this.#meter.report(now) }).buffer);
  }

  /** Since it was asked last. */
  read(): LinkFigures {
    return this.#meter.read();
  }

  get totals(): LinkTotals & { readonly unreadable: number } {
    return { ...this.#meter.totals, unreadable: this.#unreadable };
  }
}

/**
 * The other half of the comparison: a second connection between the same two browsers, with a 5-tuple of its own, of which no
 * server on the way was told. It carries packets of the same size as often as the game's, so both differ in one thing only: what the
 * network was asked for. Its descriptions go over the session's sure channel, never over SIP.
 */
import { gathered } from "../sip/description-handler.js";
import { PacketLink, PROBE_CONTENT } from "./link.js";
import type { LinkFigures, LinkTotals } from "./meter.js";

type Message =
  | { readonly probe: "description"; readonly type: "offer" | "answer"; readonly sdp: string }
  | { readonly probe: "stop" };

const MESSAGE_MAX = 32_768;
/** ms after a connection has failed. */
const AGAIN = 3000;
const NO_TOTALS: LinkTotals = { sent: 0, received: 0, expected: 0, duplicates: 0 };

/** What the browser says of the connection, while there is to be one. */
export type BestEffortState = "off" | RTCPeerConnectionState;

export interface BestEffortOptions {
  /** In order and sure, of the session. */
  readonly sure: RTCDataChannel;
  readonly stun: readonly string[];
  /** Where both switch it on at once the caller's offer counts; and the caller opens again what has failed. */
  readonly isCaller: boolean;
  readonly onState: (state: BestEffortState) => void;
}

export class BestEffort {
  readonly #options: BestEffortOptions;
  #peer: RTCPeerConnection | undefined;
  #link: PacketLink | undefined;
  /** Of connections that have failed since it was switched on. */
  #past = NO_TOTALS;

  constructor(options: BestEffortOptions) {
    this.#options = options;
    options.sure.addEventListener("message", ({ data }) => {
      const message = typeof data === "string" ? readMessage(data) : undefined;
      if (message !== undefined) this.#take(message).catch(() => this.stop());
    });
  }

  get isOn(): boolean {
    return this.#peer !== undefined;
  }

  /** Since it was switched on. */
  get totals(): LinkTotals | undefined {
    return this.#link === undefined ? undefined : sumOf(this.#past, this.#link.totals);
  }

  /** Switches it on, on both sides. */
  async start(): Promise<void> {
    if (!this.isOn) await this.#offer();
  }

  /** Switches it off, on both sides. */
  stop(): void {
    if (!this.isOn) return;
    this.#send({ probe: "stop" });
    this.#close();
  }

  /** One packet, as often as the game sends one. */
  send(): void {
    this.#link?.send(PROBE_CONTENT);
  }

  /** Since it was asked last. One that was opened again is as silent as the former until something comes. */
  read(): LinkFigures {
    const figures = this.#link?.read() ?? {};
    return this.#past.received > 0 && this.#link?.totals.received === 0 ? { lossIn: 1 } : figures;
  }

  async #offer(): Promise<void> {
    const peer = this.#open();
    await this.#describe(peer, await peer.createOffer());
  }

  /** In the place of one that was there. */
  #open(): RTCPeerConnection {
    const { stun } = this.#options;
    this.#peer?.close();
    this.#past = this.totals ?? NO_TOTALS;
    const peer = new RTCPeerConnection({ iceServers: stun.length === 0 ? [] : [{ urls: [...stun] }] });
    const channel = peer.createDataChannel("probe", { negotiated: true, id: 1, ordered: false, maxRetransmits: 0 });
    channel.binaryType = "arraybuffer";
    this.#link = new PacketLink(
      channel,
      () => performance.now(),
      () => undefined,
    );
    this.#peer = peer;
    peer.addEventListener("connectionstatechange", () => this.#changed(peer));
    this.#changed(peer);
    return peer;
  }

  #changed(peer: RTCPeerConnection): void {
    if (peer !== this.#peer) return;
    const { isCaller, onState } = this.#options;
    onState(peer.connectionState);
    if (peer.connectionState !== "failed" || !isCaller) return;
    window.setTimeout(() => {
      if (peer === this.#peer) this.#offer().catch(() => this.stop());
    }, AGAIN);
  }

  async #describe(peer: RTCPeerConnection, description: RTCSessionDescriptionInit): Promise<void> {
    await peer.setLocalDescription(description);
    await gathered(peer);
    if (peer !== this.#peer) return;
    const sdp = peer.localDescription?.sdp ?? "";
    this.#send({ probe: "description", type: description.type === "answer" ? "answer" : "offer", sdp });
  }

  async #take(message: Message): Promise<void> {
    if (message.probe === "stop") return this.#close();
    if (message.type === "answer") {
      await this.#peer?.setRemoteDescription({ type: "answer", sdp: message.sdp });
      return;
    }
    if (this.#peer?.signalingState === "have-local-offer" && this.#options.isCaller) return;
    const peer = this.#open();
    await peer.setRemoteDescription({ type: "offer", sdp: message.sdp });
    await this.#describe(peer, await peer.createAnswer());
  }

  #send(message: Message): void {
    if (this.#options.sure.readyState === "open") this.#options.sure.send(JSON.stringify(message));
  }

  #close(): void {
    if (this.#peer === undefined) return;
    this.#peer.close();
    this.#peer = undefined;
    this.#link = undefined;
    this.#past = NO_TOTALS;
    this.#options.onState("off");
  }
}

const sumOf = (one: LinkTotals, other: LinkTotals): LinkTotals => ({
  sent: one.sent + other.sent,
  received: one.received + other.received,
  expected: one.expected + other.expected,
  duplicates: one.duplicates + other.duplicates,
});

function readMessage(text: string): Message | undefined {
  if (text.length > MESSAGE_MAX) return undefined;
  try {
    const value = JSON.parse(text) as Partial<Record<"probe" | "type" | "sdp", unknown>>;
    if (value.probe === "stop") return { probe: "stop" };
    const { type, sdp } = value;
    if (value.probe !== "description" || (type !== "offer" && type !== "answer") || typeof sdp !== "string")
      return undefined;
    return { probe: "description", type, sdp };
  } catch {
    return undefined;
  }
}

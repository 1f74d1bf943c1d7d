/**
 * The other half of the comparison: a second connection between the same two browsers, with a 5-tuple of its own, of which no
 * server on the way was told. It carries packets of the same size as often as the game's, so both differ in one thing only: what the
 * network was asked for. Its descriptions go over the session's sure channel, never over SIP.
 */
import { gathered } from "../sip/description-handler.js";
import { PacketLink, PROBE_CONTENT } from "./link.js";
import type { LinkFigures } from "./meter.js";

type Message =
  | { readonly probe: "description"; readonly type: "offer" | "answer"; readonly sdp: string }
  | { readonly probe: "stop" };

const MESSAGE_MAX = 32_768;

export interface BestEffortOptions {
  /** In order and sure, of the session. */
  readonly sure: RTCDataChannel;
  readonly stun: readonly string[];
  /** Where both switch it on at once the caller's offer counts. */
  readonly isCaller: boolean;
  /** The other side switched it on or off, or it failed. */
  readonly onState: (isOn: boolean) => void;
}

export class BestEffort {
  readonly #options: BestEffortOptions;
  #peer: RTCPeerConnection | undefined;
  #link: PacketLink | undefined;

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

  get link(): PacketLink | undefined {
    return this.#link;
  }

  async start(): Promise<void> {
    if (this.isOn) return;
    const peer = this.#open();
    await this.#describe(peer, await peer.createOffer());
  }

  stop(): void {
    if (!this.isOn) return;
    this.#send({ probe: "stop" });
    this.#close();
  }

  /** One packet, as often as the game sends one. */
  send(): void {
    this.#link?.send(PROBE_CONTENT);
  }

  read(): LinkFigures {
    return this.#link?.read() ?? {};
  }

  #open(): RTCPeerConnection {
    const { stun, onState } = this.#options;
    const peer = new RTCPeerConnection({ iceServers: stun.length === 0 ? [] : [{ urls: [...stun] }] });
    const channel = peer.createDataChannel("probe", { negotiated: true, id: 1, ordered: false, maxRetransmits: 0 });
    channel.binaryType = "arraybuffer";
    this.#link = new PacketLink(
      channel,
      () => performance.now(),
      () => undefined,
    );
    this.#peer = peer;
    onState(true);
    return peer;
  }

  async #describe(peer: RTCPeerConnection, description: RTCSessionDescriptionInit): Promise<void> {
    await peer.setLocalDescription(description);
    await gathered(peer);
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
    this.#close();
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
    this.#options.onState(false);
  }
}

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

/**
 * Session descriptions for the SIP agent: WebRTC's, with the quality lines added after the browser has written its own, because a
 * browser drops attributes that it does not know from what is handed to it.
 */
import type { SessionDescriptionHandler as Handler } from "sip.js";
import type { SessionQuality } from "../quality/needs.js";
import { hidesAddresses, mediaOf, readQuality, writeQuality } from "../quality/sdp-quality.js";
import {
  defaultAddress,
  onlyDefaultCandidates,
  type TransportAddress,
  withDefaultAddress,
} from "./transport-address.js";

/** What a session is made of, beside the quality of it. */
export interface MediaPlan {
  readonly audio: boolean;
  readonly video: boolean;
  readonly data: boolean;
}

export interface DescriptionEvents {
  /** What was said, by whom. */
  readonly onOffer: (quality: SessionQuality, isOurs: boolean) => void;
  readonly onAnswer: (quality: SessionQuality, isOurs: boolean) => void;
  /** The description of ours names no address that a router could find. */
  readonly onHiddenAddresses: () => void;
  readonly onLocalStream: (stream: MediaStream) => void;
  readonly onRemoteTrack: (track: MediaStreamTrack) => void;
  readonly onConnection: (state: RTCPeerConnectionState) => void;
  /** Made here by the offering side before its offer; the other side has them by the same numbers. */
  readonly onDataChannels: (channels: DataChannels) => void;
}

export interface DataChannels {
  /** Unordered, never sent again: the game's packets. */
  readonly fast: RTCDataChannel;
  /** In order and sure: what both sides must know. */
  readonly sure: RTCDataChannel;
}

export interface DescriptionHandlerOptions {
  readonly plan: MediaPlan;
  readonly stun: readonly string[];
  readonly events: DescriptionEvents;
}

const GATHERING_TIMEOUT = 2000;
const SDP_TYPE = "application/sdp";

export class DescriptionHandler implements Handler {
  readonly #plan: MediaPlan;
  readonly #events: DescriptionEvents;
  readonly #peer: RTCPeerConnection;
  #quality: SessionQuality = {};
  #local: MediaStream | undefined;
  #hasChannels = false;
  #said: TransportAddress | undefined;

  constructor({ plan, stun, events }: DescriptionHandlerOptions) {
    this.#plan = plan;
    this.#events = events;
    const iceServers = stun.length === 0 ? [] : [{ urls: [...stun] }];
    // One 5-tuple for everything: what a policy server reserves for is what packets go by (RFC 8843, RFC 5761).
    this.#peer = new RTCPeerConnection({ iceServers, bundlePolicy: "max-bundle", rtcpMuxPolicy: "require" });
    this.#peer.addEventListener("connectionstatechange", () => events.onConnection(this.#peer.connectionState));
    this.#peer.addEventListener("track", ({ track }) => events.onRemoteTrack(track));
  }

  get peer(): RTCPeerConnection {
    return this.#peer;
  }

  /** What the next description of ours says. */
  setQuality(quality: SessionQuality): void {
    this.#quality = quality;
  }

  hasDescription(contentType: string): boolean {
    return contentType === SDP_TYPE;
  }

  /** An offer while nothing is going on, an answer to the offer that was set. */
  async getDescription(): Promise<{ body: string; contentType: string }> {
    const isAnswer = this.#peer.signalingState === "have-remote-offer";
    await this.#addMedia();
    await this.#peer.setLocalDescription(isAnswer ? await this.#peer.createAnswer() : await this.#peer.createOffer());
    await gathered(this.#peer);
    const written = this.#peer.localDescription?.sdp ?? "";
    if (hidesAddresses(written)) this.#events.onHiddenAddresses();
    const quality = spokenOf(this.#quality, mediaOf(written));
    if (isAnswer) this.#events.onAnswer(quality, true);
    else this.#events.onOffer(quality, true);
    const used = await usedAddress(this.#peer);
    const placed = onlyDefaultCandidates(used === undefined ? written : withDefaultAddress(written, used));
    this.#said = defaultAddress(placed);
    return { body: writeQuality(placed, quality), contentType: SDP_TYPE };
  }

  /** Whether packets leave from where our last description says; true where that cannot be seen. */
  async isWhereSaid(): Promise<boolean> {
    const [used, said] = [await usedAddress(this.#peer), this.#said];
    return used === undefined || said === undefined || (used.address === said.address && used.port === said.port);
  }

  async setDescription(sdp: string): Promise<void> {
    const isAnswer = this.#peer.signalingState === "have-local-offer";
    await this.#peer.setRemoteDescription({ type: isAnswer ? "answer" : "offer", sdp });
    const quality = readQuality(sdp);
    if (isAnswer) this.#events.onAnswer(quality, false);
    else {
      // Kept as it is unless somebody says otherwise: what they send we receive.
      if (this.#peer.currentLocalDescription !== null) this.#quality = turned(quality);
      this.#events.onOffer(quality, false);
    }
  }

  /** A change that was refused: what was agreed before goes on (RFC 3261 §14.1). */
  async rollbackDescription(): Promise<void> {
    if (this.#peer.signalingState === "stable") return;
    const rollback = { type: "rollback" } as const;
    if (this.#peer.signalingState === "have-remote-offer") await this.#peer.setRemoteDescription(rollback);
    else await this.#peer.setLocalDescription(rollback);
  }

  sendDtmf(): boolean {
    return false;
  }

  close(): void {
    for (const track of this.#local?.getTracks() ?? []) track.stop();
    this.#peer.close();
  }

  async #addMedia(): Promise<void> {
    const { audio, video, data } = this.#plan;
    if (data && !this.#hasChannels) {
      this.#hasChannels = true;
      this.#events.onDataChannels(openChannels(this.#peer));
    }
    if (this.#local !== undefined || !(audio || video)) return;
    this.#local = await navigator.mediaDevices.getUserMedia({ audio, video });
    for (const track of this.#local.getTracks()) this.#peer.addTrack(track, this.#local);
    this.#events.onLocalStream(this.#local);
  }
}

/** Both sides make the same two by number, so that neither waits for the other (RFC 8832 is not needed). */
function openChannels(peer: RTCPeerConnection): DataChannels {
  const fast = peer.createDataChannel("fast", { negotiated: true, id: 1, ordered: false, maxRetransmits: 0 });
  const sure = peer.createDataChannel("sure", { negotiated: true, id: 2 });
  fast.binaryType = "arraybuffer";
  return { fast, sure };
}

/** Waits until the browser has collected its addresses, and no longer than is bearable. */
export async function gathered(peer: RTCPeerConnection): Promise<void> {
  if (peer.iceGatheringState === "complete") return;
  await new Promise<void>((resolve) => {
    const timer = window.setTimeout(resolve, GATHERING_TIMEOUT);
    peer.addEventListener("icegatheringstatechange", () => {
      if (peer.iceGatheringState !== "complete") return;
      window.clearTimeout(timer);
      resolve();
    });
  });
}

/** Of the pair of candidates that packets go by, once there is one, and the browser does not hide it. */
async function usedAddress(peer: RTCPeerConnection): Promise<TransportAddress | undefined> {
  if (peer.connectionState !== "connected") return undefined;
  const stats = await peer.getStats();
  const reports: readonly (RTCStats & Partial<Record<string, unknown>>)[] = [...stats.values()];
  const pairId = reports.find(({ type }) => type === "transport")?.selectedCandidatePairId;
  const pair = reports.find(({ id }) => id === pairId);
  const local = reports.find(({ id }) => id === pair?.localCandidateId);
  const [address, port] = [local?.address, local?.port];
  return typeof address === "string" && address !== "" && typeof port === "number" ? { address, port } : undefined;
}

const spokenOf = (quality: SessionQuality, kinds: readonly string[]): SessionQuality =>
  Object.fromEntries(Object.entries(quality).filter(([kind]) => kinds.includes(kind)));

/** As seen by the other side. */
export function turned(quality: SessionQuality): SessionQuality {
  const entries = Object.entries(quality).map(([kind, { send, recv, ...rest }]) => {
    return [
      kind,
      { ...rest, ...(recv === undefined ? {} : { send: recv }), ...(send === undefined ? {} : { recv: send }) },
    ];
  });
  return Object.fromEntries(entries);
}

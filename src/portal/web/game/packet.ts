/** The game's packet: 104 octets, big-endian, the same size each time. Octets come from the other player: everything is checked. */

export const PACKET_OCTETS = 104;
/** Inputs that fit, two in an octet. */
export const INPUTS_MAX = 96;

const MAGIC = 0x53;
const VERSION = 1;
const INPUTS_AT = 56;

/** `state` carries inputs; `probe` only measures. */
export type PacketKind = "state" | "probe";
const KINDS: readonly PacketKind[] = ["state", "probe"];

export interface Packet {
  readonly kind: PacketKind;
  /** Counts packets of this sender from 0. */
  readonly sequence: number;
  /** By the sender's clock, ms. */
  readonly sentAt: number;
  /** `sentAt` of the last packet that the sender had from here, and how long ago that was, ms; absent before the first. */
  readonly echo?: { readonly sentAt: number; readonly held: number };
  /** Packets that the sender had from here, and one more than the highest of their sequence numbers. */
  readonly received: number;
  readonly expected: number;
  /** The next of our frames that the sender lacks. */
  readonly nextFrame: number;
  /** Digest of the state after all inputs of both sides up to a frame. */
  readonly digest: { readonly frame: number; readonly value: number };
  /** Inputs of the frames from `firstFrame` on, 0 to 15 each. */
  readonly firstFrame: number;
  readonly inputs: readonly number[];
}

/** Inputs beyond `INPUTS_MAX` are left out. */
export function encodePacket(packet: Packet): Uint8Array<ArrayBuffer> {
  const octets = new Uint8Array(PACKET_OCTETS);
  const view = new DataView(octets.buffer);
  const inputs = packet.inputs.slice(0, INPUTS_MAX);
  view.setUint8(0, MAGIC);
  view.setUint8(1, (VERSION << 4) | KINDS.indexOf(packet.kind));
  view.setUint8(2, inputs.length);
  view.setUint32(4, packet.sequence);
  view.setFloat64(8, packet.sentAt);
  view.setFloat64(16, packet.echo?.sentAt ?? Number.NaN);
  view.setFloat32(24, packet.echo?.held ?? 0);
  view.setUint32(28, packet.received);
  view.setUint32(32, packet.expected);
  view.setUint32(36, packet.nextFrame);
  view.setUint32(40, packet.digest.frame);
  view.setUint32(44, packet.digest.value);
  view.setUint32(48, packet.firstFrame);
  inputs.forEach((input, index) => {
    const at = INPUTS_AT + (index >> 1);
    octets[at] = (octets[at] ?? 0) | ((input & 15) << (index % 2 === 0 ? 4 : 0));
  });
  return octets;
}

/** @returns undefined for what is not such a packet */
export function decodePacket(octets: ArrayBuffer): Packet | undefined {
  if (octets.byteLength !== PACKET_OCTETS) return undefined;
  const view = new DataView(octets);
  const form = view.getUint8(1);
  const kind = KINDS[form & 15];
  const count = view.getUint8(2);
  if (view.getUint8(0) !== MAGIC || form >> 4 !== VERSION || kind === undefined || count > INPUTS_MAX) return undefined;
  const sentAt = view.getFloat64(8);
  const echoed = view.getFloat64(16);
  const held = view.getFloat32(24);
  if (!Number.isFinite(sentAt) || !(held >= 0 && held < 1e7)) return undefined;
  return {
    kind,
    sequence: view.getUint32(4),
    sentAt,
    ...(Number.isFinite(echoed) ? { echo: { sentAt: echoed, held } } : {}),
    received: view.getUint32(28),
    expected: view.getUint32(32),
    nextFrame: view.getUint32(36),
    digest: { frame: view.getUint32(40), value: view.getUint32(44) },
    firstFrame: view.getUint32(48),
    inputs: Array.from({ length: count }, (_, index) => inputAt(view, index)),
  };
}

const inputAt = (view: DataView, index: number): number =>
  (view.getUint8(INPUTS_AT + (index >> 1)) >> (index % 2 === 0 ? 4 : 0)) & 15;

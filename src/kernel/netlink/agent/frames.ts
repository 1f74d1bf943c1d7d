/**
 * What the daemon and its netlink agent say to each other over their pipe: frames of a fixed header and a payload.
 * Both ends are ours, on one machine: integers are little-endian, and sizes are checked before anything is kept.
 *
 * octets 0-3 length of the payload · 4 kind · 5 channel · 6-7 zero · 8-11 tag
 */
import { DecodeError } from "../../../model/errors.js";

export const FRAME_HEADER = 12;
/** No frame is larger than the largest send buffer and a little. */
export const MAX_PAYLOAD = 4 * 1024 * 1024;

export const FRAME = {
  /** Daemon: open a socket. Payload: `ChannelSettings`. */
  open: 1,
  /** Daemon: one datagram for the kernel, as it is. */
  send: 2,
  /** Daemon: close the socket. */
  close: 3,
  /** Agent: the socket is there. Tag: the receive buffer that the kernel granted. */
  opened: 4,
  /** Agent: there is no such socket. Payload: errno, then the reason. */
  refused: 5,
  /** Agent: one datagram from the kernel, as it is. */
  datagram: 6,
  /** Agent: the datagram with this tag did not go out. Payload: errno, then the reason. */
  unsent: 7,
  /** Agent: a datagram was longer than its buffer. Payload: the reason. */
  failed: 8,
} as const;

const HIGHEST_KIND = 8;

export interface Frame {
  readonly kind: number;
  /** Which of the agent's sockets. */
  readonly channel: number;
  readonly tag: number;
  readonly payload: Buffer;
}

export interface ChannelSettings {
  readonly protocol: number;
  /** Octets asked for; the kernel may grant less. */
  readonly receiveBuffer: number;
  readonly sendBuffer: number;
  /** Multicast groups to join. */
  readonly groups: readonly number[];
}

export function frameHeader(frame: Omit<Frame, "payload">, length: number): Buffer {
  const header = Buffer.allocUnsafe(FRAME_HEADER);
  header.writeUInt32LE(length, 0);
  header[4] = frame.kind;
  header[5] = frame.channel;
  header.writeUInt16LE(0, 6);
  header.writeUInt32LE(frame.tag, 8);
  return header;
}

export function encodeSettings(settings: ChannelSettings): Buffer {
  const { protocol, receiveBuffer, sendBuffer, groups } = settings;
  return Buffer.from(new Uint32Array([protocol, receiveBuffer, sendBuffer, ...groups]).buffer);
}

/** @throws DecodeError if it is no such payload. */
export function decodeSettings(payload: Buffer): ChannelSettings {
  if (payload.length < 12 || payload.length % 4 !== 0) {
    const detail = { offset: 0, object: "channel settings", need: 12, have: payload.length };
    throw new DecodeError("NETLINK_FRAME", "channel settings of a length that does not fit", detail);
  }
  const words = Array.from({ length: payload.length / 4 }, (_, index) => payload.readUInt32LE(index * 4));
  const [protocol = 0, receiveBuffer = 0, sendBuffer = 0, ...groups] = words;
  return { protocol, receiveBuffer, sendBuffer, groups };
}

export interface Refusal {
  /** Symbolic, such as `EMSGSIZE`; empty where there was none. */
  readonly errno: string;
  readonly reason: string;
}

export const encodeRefusal = ({ errno, reason }: Refusal): Buffer => Buffer.from(`${errno}\n${reason.slice(0, 512)}`);

export function decodeRefusal(payload: Buffer): Refusal {
  const text = payload.toString("utf8");
  const end = text.indexOf("\n");
  return { errno: text.slice(0, Math.max(0, end)), reason: text.slice(end + 1) };
}

/** Cuts a stream into frames; keeps no more than one frame that is not whole yet. */
export class FrameReader {
  readonly #take: (frame: Frame) => void;
  #parts: Buffer[] = [];
  #have = 0;
  #need = FRAME_HEADER;

  constructor(take: (frame: Frame) => void) {
    this.#take = take;
  }

  /** @throws DecodeError for a header that the other end never writes; nothing after it can be read. */
  push(chunk: Buffer): void {
    this.#parts.push(chunk);
    this.#have += chunk.length;
    if (this.#have < this.#need) return;
    const octets = this.#parts.length === 1 ? chunk : Buffer.concat(this.#parts, this.#have);
    let at = 0;
    this.#need = FRAME_HEADER;
    while (octets.length - at >= FRAME_HEADER) {
      const length = checkedLength(octets, at);
      if (octets.length - at < FRAME_HEADER + length) {
        this.#need = FRAME_HEADER + length;
        break;
      }
      const start = at + FRAME_HEADER;
      at = start + length;
      const payload = octets.subarray(start, at);
      const tag = octets.readUInt32LE(start - 4);
      this.#take({ kind: octets[start - 8] ?? 0, channel: octets[start - 7] ?? 0, tag, payload });
    }
    this.#have = octets.length - at;
    this.#parts = this.#have === 0 ? [] : [octets.subarray(at)];
  }
}

function checkedLength(octets: Buffer, at: number): number {
  const length = octets.readUInt32LE(at);
  const kind = octets[at + 4] ?? 0;
  if (length <= MAX_PAYLOAD && kind >= 1 && kind <= HIGHEST_KIND) return length;
  const detail = { offset: at, object: "netlink frame", need: length, have: MAX_PAYLOAD };
  throw new DecodeError("NETLINK_FRAME", `a netlink frame of kind ${kind} and ${length} octets`, detail);
}

/** The common header and the checksum, RFC 2205 §3.1.1. */
import { MESSAGE_TYPE, messageKindOf } from "./codes.js";
import { malformed, RsvpDecodeError } from "./errors.js";
import type { RsvpMessageKind } from "./message.js";

export const HEADER_LENGTH = 8;
/** Octets that the 16-bit length can say, whole words only. */
export const MESSAGE_MAX = 0xfffc;
export const CHECKSUM_AT = 2;

const VERSION = 1;
/** RFC 2961 §2. */
const REFRESH_REDUCTION = 0x1;

export interface RsvpHeader {
  readonly kind: RsvpMessageKind;
  readonly refreshReduction: boolean;
  readonly sendTtl: number;
  /** Octets of the whole message, this header included. */
  readonly length: number;
}

/** Leaves the checksum at 0, which stands for none. */
export function writeHeader(target: Buffer, header: RsvpHeader): void {
  target.writeUInt8((VERSION << 4) | (header.refreshReduction ? REFRESH_REDUCTION : 0), 0);
  target.writeUInt8(MESSAGE_TYPE[header.kind], 1);
  target.writeUInt16BE(0, CHECKSUM_AT);
  target.writeUInt8(header.sendTtl, 4);
  target.writeUInt8(0, 5);
  target.writeUInt16BE(header.length, 6);
}

/** @throws RsvpDecodeError, never with an answer: formatting errors are only logged (RFC 2205 §B). */
export function readHeader(octets: Buffer): RsvpHeader {
  const detail = { offset: 0, object: "Common Header" };
  if (octets.length < HEADER_LENGTH) {
    throw malformed("message shorter than its header", { ...detail, need: HEADER_LENGTH, have: octets.length });
  }
  const version = octets.readUInt8(0) >> 4;
  if (version !== VERSION) throw malformed(`RSVP version ${version}, only ${VERSION} is spoken`, detail);
  const type = octets.readUInt8(1);
  const kind = messageKindOf(type);
  if (kind === undefined) throw malformed(`unknown message type ${type}`, { ...detail, offset: 1 });
  const length = octets.readUInt16BE(6);
  if (length < HEADER_LENGTH) {
    throw malformed("message length below that of the header", {
      ...detail,
      offset: 6,
      need: HEADER_LENGTH,
      have: length,
    });
  }
  if (length % 4 !== 0) throw malformed(`message length ${length} is not a multiple of 4`, { ...detail, offset: 6 });
  const refreshReduction = (octets.readUInt8(0) & REFRESH_REDUCTION) !== 0;
  return { kind, refreshReduction, sendTtl: octets.readUInt8(4), length };
}

/** The one's complement of the one's complement sum; never 0, which would say that there is none. */
export function checksum(octets: Buffer): number {
  const sum = ~onesComplementSum(octets) & 0xffff;
  return sum === 0 ? 0xffff : sum;
}

/** A message without a checksum passes. @throws RsvpDecodeError with reason `checksum` */
export function checkChecksum(octets: Buffer): void {
  if (octets.readUInt16BE(CHECKSUM_AT) === 0 || onesComplementSum(octets) === 0xffff) return;
  throw new RsvpDecodeError("checksum", "bad checksum", { offset: CHECKSUM_AT, object: "Common Header" });
}

/** RFC 1071. The sum of 32,768 words fits a number with room to spare, so one fold at the end does. */
function onesComplementSum(octets: Buffer): number {
  let sum = 0;
  for (let at = 0; at + 1 < octets.length; at += 2) sum += octets.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}

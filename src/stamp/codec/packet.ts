/**
 * Test packets in unauthenticated mode: RFC 8762 §4.2.1 (Session-Sender) and §4.3.1 (Session-Reflector), with the session
 * identifier of RFC 8972 §3. The place and length of each field were checked with scapy (contrib.stamp, both packets) and
 * tshark (TWAMP-Test, which RFC 8762 §4.6 says is alike).
 *
 * ```
 *  sender     0 sequence | 4 timestamp | 12 error estimate | 14 SSID | 16 zeros, 28 octets
 *  reflector  0 sequence | 4 timestamp | 12 error estimate | 14 SSID | 16 receive timestamp |
 *             24 sender's sequence | 28 sender's timestamp | 36 sender's error estimate | 38 zeros | 40 TTL | 41 zeros
 * ```
 */
import { DecodeError } from "../../model/errors.js";
import type { Timestamp } from "../../model/units.js";
import { decodeErrorEstimate, type ErrorEstimate, encodeErrorEstimate } from "./error-estimate.js";
import { NTP_TIME_LENGTH, readNtpTime, writeNtpTime } from "./ntp-time.js";

/** Both have it; what follows are extensions or padding. */
export const PACKET_LENGTH = 44;

/** The receiver had no way to learn it (RFC 5357 §4.2.1). */
export const TTL_UNKNOWN = 255;

export interface SenderPacket {
  /** 32 bits, from 0. */
  readonly sequence: number;
  readonly timestamp: Timestamp;
  readonly estimate: ErrorEstimate;
  /** STAMP Session Identifier, 16 bits; 0: none (RFC 8972 §3). */
  readonly session: number;
}

/** What a reflector copies of the packet that it answers. */
export interface ReflectedPacket {
  readonly sequence: number;
  readonly timestamp: Timestamp;
  readonly estimate: ErrorEstimate;
  /** TTL or hop limit with which it arrived; 255 where that was not to be known. */
  readonly ttl: number;
}

export interface ReflectorPacket {
  /** Of a stateful reflector its own count; of a stateless one the sender's (§4.3). */
  readonly sequence: number;
  readonly timestamp: Timestamp;
  /** Of both of its timestamps. */
  readonly estimate: ErrorEstimate;
  readonly session: number;
  /** When the sender's packet arrived. */
  readonly received: Timestamp;
  readonly sender: ReflectedPacket;
}

const AT = {
  sequence: 0,
  timestamp: 4,
  estimate: 12,
  session: 14,
  received: 16,
  senderSequence: 24,
  senderTimestamp: 28,
  senderEstimate: 36,
  ttl: 40,
} as const;

export function encodeSenderPacket({ sequence, timestamp, estimate, session }: SenderPacket): Buffer {
  const octets = Buffer.alloc(PACKET_LENGTH);
  writeHead(octets, { sequence, timestamp, estimate });
  octets.writeUInt16BE(session, AT.session);
  return octets;
}

function writeHead(octets: Buffer, head: Omit<SenderPacket, "session">): void {
  octets.writeUInt32BE(head.sequence, AT.sequence);
  writeNtpTime(octets, head.timestamp, AT.timestamp);
  octets.writeUInt16BE(encodeErrorEstimate(head.estimate), AT.estimate);
}

/** @throws DecodeError STAMP_SHORT */
export function decodeSenderPacket(octets: Buffer): SenderPacket {
  checkLength(octets, "Session-Sender packet");
  return readHead(octets);
}

/** What both kinds begin with. */
const readHead = (octets: Buffer): SenderPacket => ({
  sequence: octets.readUInt32BE(AT.sequence),
  timestamp: readNtpTime(octets, AT.timestamp),
  estimate: decodeErrorEstimate(octets.readUInt16BE(AT.estimate)),
  session: octets.readUInt16BE(AT.session),
});

/** What a reflector adds to the sender's packet. */
export interface Reflection {
  readonly sequence: number;
  /** When the answer is sent. */
  readonly timestamp: Timestamp;
  readonly estimate: ErrorEstimate;
  readonly received: Timestamp;
  readonly ttl: number;
}

/**
 * The answer to a sender's packet, as long as that (§4.3): nobody gets more octets than were sent. Extensions come back
 * as they were, so marked as not understood (RFC 8972 §4).
 * @param request - of `PACKET_LENGTH` at least
 */
export function reflect(request: Buffer, { sequence, timestamp, estimate, received, ttl }: Reflection): Buffer {
  const octets = Buffer.alloc(request.length);
  request.copy(octets, PACKET_LENGTH, PACKET_LENGTH);
  writeHead(octets, { sequence, timestamp, estimate });
  request.copy(octets, AT.session, AT.session, AT.session + 2);
  writeNtpTime(octets, received, AT.received);
  request.copy(octets, AT.senderSequence, AT.sequence, AT.sequence + 4);
  // As they came: its timestamps may be of the other format.
  request.copy(octets, AT.senderTimestamp, AT.timestamp, AT.timestamp + NTP_TIME_LENGTH);
  request.copy(octets, AT.senderEstimate, AT.estimate, AT.estimate + 2);
  octets.writeUInt8(ttl, AT.ttl);
  return octets;
}

/** @throws DecodeError STAMP_SHORT */
export function decodeReflectorPacket(octets: Buffer): ReflectorPacket {
  checkLength(octets, "Session-Reflector packet");
  return {
    ...readHead(octets),
    received: readNtpTime(octets, AT.received),
    sender: {
      sequence: octets.readUInt32BE(AT.senderSequence),
      timestamp: readNtpTime(octets, AT.senderTimestamp),
      estimate: decodeErrorEstimate(octets.readUInt16BE(AT.senderEstimate)),
      ttl: octets.readUInt8(AT.ttl),
    },
  };
}

function checkLength(octets: Buffer, object: string): void {
  if (octets.length >= PACKET_LENGTH) return;
  const detail = { offset: 0, object, need: PACKET_LENGTH, have: octets.length };
  throw new DecodeError("STAMP_SHORT", "shorter than a test packet", detail);
}

/** Why a packet that could be read is not to be used, or undefined. RFC 4656 §4.1.2: a multiplier of 0 is none. */
export function faultOf({ estimate }: Pick<SenderPacket, "estimate">): string | undefined {
  return estimate.error === 0 ? "no error estimate" : undefined;
}

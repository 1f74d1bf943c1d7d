/**
 * What became of a media stream between two hosts, computed from a capture at each. Both captures must
 * carry the same clock: the namespaces of one machine do.
 */
import { readFile } from "node:fs/promises";
import type { IpAddress } from "../model/ip.js";
import type { Dscp, Octets, Timestamp } from "../model/units.js";
import { type Datagram, readDatagram } from "./datagram.js";
import { readCapture } from "./pcap.js";

/** One direction of a stream. */
export interface StreamKey {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly destinationPort: number;
}

/** One RTP packet as a capture saw it (RFC 3550 §5.1). */
export interface RtpPacket {
  readonly at: Timestamp;
  readonly ssrc: number;
  readonly sequence: number;
  /** In units of the payload's sampling clock. */
  readonly timestamp: number;
  readonly dscp: Dscp;
  /** Layer 3. */
  readonly octets: Octets;
}

export interface MediaFigures {
  readonly sent: number;
  readonly received: number;
  readonly lossPct: number;
  /** One-way delay; NaN-free: 0 when nothing was received. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /**
   * Interarrival jitter, RFC 3550 §6.4.1, at the end of the stream. The transit time is the measured one, not
   * arrival less RTP timestamp: a sender that is uneven itself is not the network's fault.
   */
  readonly jitterMs: number;
  /** Code points seen at the receiver, ascending. */
  readonly dscp: readonly number[];
  /** Received, counted at layer 3 with IP, UDP and RTP headers: the layer of the usage records. */
  readonly octets: number;
}

const RTP_HEADER = 12;

/** The RTP packets of one direction in a pcap file, in capture order. */
export async function readStream(path: string, key: StreamKey): Promise<readonly RtpPacket[]> {
  const { linkType, frames } = readCapture(await readFile(path));
  return frames.flatMap(({ at, bytes }) => {
    const datagram = readDatagram(linkType, bytes);
    return datagram !== undefined && isOf(key, datagram) ? rtpPacket(at, datagram) : [];
  });
}

function isOf(key: StreamKey, datagram: Datagram): boolean {
  return (
    datagram.destinationPort === key.destinationPort &&
    datagram.source === key.source &&
    datagram.destination === key.destination
  );
}

function rtpPacket(at: Timestamp, { payload, dscp, octets }: Datagram): readonly RtpPacket[] {
  // RFC 3550 §5.1: the version is 2; anything else on the port is not RTP.
  if (payload.length < RTP_HEADER || payload.readUInt8(0) >> 6 !== 2) return [];
  const sequence = payload.readUInt16BE(2);
  return [{ at, ssrc: payload.readUInt32BE(8), sequence, timestamp: payload.readUInt32BE(4), dscp, octets }];
}

/** Packets are the same when SSRC, sequence number and timestamp are: the sequence number alone wraps. */
const identityOf = ({ ssrc, sequence, timestamp }: RtpPacket): string => `${ssrc}/${sequence}/${timestamp}`;

export function measureStream(sent: readonly RtpPacket[], received: readonly RtpPacket[]): MediaFigures {
  const sentAt = new Map(sent.map((packet) => [identityOf(packet), packet.at]));
  const arrived = firstArrivals(received);
  const transits = arrived.flatMap((packet) => {
    const at = sentAt.get(identityOf(packet));
    return at === undefined ? [] : [packet.at - at];
  });
  const delays = [...transits].sort((left, right) => left - right);
  const lost = sentAt.size - delays.length;
  return {
    sent: sentAt.size,
    received: arrived.length,
    lossPct: sentAt.size === 0 ? 0 : rounded((100 * lost) / sentAt.size),
    p50Ms: percentile(delays, 50),
    p99Ms: percentile(delays, 99),
    maxMs: percentile(delays, 100),
    jitterMs: rounded(jitter(transits)),
    dscp: [...new Set(arrived.map(({ dscp }) => dscp))].sort((left, right) => left - right),
    octets: received.reduce((sum, { octets }) => sum + octets, 0),
  };
}

function firstArrivals(received: readonly RtpPacket[]): readonly RtpPacket[] {
  const seen = new Map<string, RtpPacket>();
  for (const packet of received) if (!seen.has(identityOf(packet))) seen.set(identityOf(packet), packet);
  return [...seen.values()];
}

/** Nearest rank. */
function percentile(ascending: readonly number[], percent: number): number {
  const rank = Math.max(1, Math.ceil((percent / 100) * ascending.length));
  return rounded(ascending[rank - 1] ?? 0);
}

/** RFC 3550 §6.4.1: J moves by a sixteenth of the change in transit time, packet by packet in order of arrival. */
function jitter(transits: readonly number[]): number {
  let estimate = 0;
  let before: number | undefined;
  for (const transit of transits) {
    if (before !== undefined) estimate += (Math.abs(transit - before) - estimate) / 16;
    before = transit;
  }
  return estimate;
}

const rounded = (value: number): number => Math.round(value * 1000) / 1000;

/** The two directions of a call as one row of a table: the worse of each figure, octets and packets summed. */
export function combineDirections(one: MediaFigures, other: MediaFigures): MediaFigures {
  const sent = one.sent + other.sent;
  const lost = (one.sent * one.lossPct + other.sent * other.lossPct) / 100;
  return {
    sent,
    received: one.received + other.received,
    lossPct: sent === 0 ? 0 : rounded((100 * lost) / sent),
    p50Ms: Math.max(one.p50Ms, other.p50Ms),
    p99Ms: Math.max(one.p99Ms, other.p99Ms),
    maxMs: Math.max(one.maxMs, other.maxMs),
    jitterMs: Math.max(one.jitterMs, other.jitterMs),
    dscp: [...new Set([...one.dscp, ...other.dscp])].sort((left, right) => left - right),
    octets: one.octets + other.octets,
  };
}

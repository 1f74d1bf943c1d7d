/** From a medium's description to the traffic of its packets, counted at the IP layer. */
import type { TrafficSpec } from "../../model/flow.js";
import type { IpFamily } from "../../model/ip.js";
import { type BitsPerSecond, bitsPerSecond, octets } from "../../model/units.js";
import { audioRate, mainCodecs } from "./codecs.js";
import type { SdpBandwidth, SdpCodec, SdpMedia } from "./description.js";

export interface RateParts {
  /** The description of who receives: its b= and ptime say what it wants to get (RFC 3264 §5.1, §6.1). */
  readonly receiver: SdpMedia;
  /** The description of who sends; undefined while it has not answered. */
  readonly sender: SdpMedia | undefined;
  /** Bandwidth in force for it: its own, or the session's if it is the only medium. */
  readonly bandwidth: SdpBandwidth;
  readonly maxPacketRate: number | undefined;
  /** What may be sent; the most demanding counts. */
  readonly codecs: readonly SdpCodec[];
  readonly family: IpFamily;
  /** bit/s of a video or data medium that says nothing. */
  readonly unstated: number;
  /** Headers may carry extensions of any length. */
  readonly headerExtensions: boolean;
}

const IP_OCTETS = { 4: 20, 6: 40 } as const;
const UDP_OCTETS = 8;
const RTP_OCTETS = 12;
/** SRTP's authentication tag (RFC 3711 §5.2, 80 bits). */
const SRTP_OCTETS = 10;
/** Payload of a video or data packet: what fits everywhere. */
const LARGE_PACKET = 1_200;
/** A compound RTCP packet with its report blocks and CNAME, at the IP layer. */
const RTCP_OCTETS = 200;

/**
 * Rate, burst and packets of the media itself.
 * @param needed - rate that the parties agreed on; it takes the place of the codec's, and what the receiver's b= allows
 *   stays its upper bound
 */
export function mediaTraffic(parts: RateParts, needed?: BitsPerSecond): TrafficSpec {
  const { bandwidth } = parts;
  const computed = parts.receiver.kind === "audio" ? audioTraffic(parts) : largeTraffic(parts.unstated, parts);
  const packets = parts.maxPacketRate ?? computed.packets;
  const size = packetSize(parts);
  const stated = statedRate(parts, packets);
  if (needed !== undefined && needed < (stated ?? Number.POSITIVE_INFINITY)) {
    return spec(needed, packetsFor(parts, needed, packets), size);
  }
  if (stated === undefined) return spec(computed.rate, packets, size);
  return spec(stated, packetsFor(parts, bandwidth.tias || stated, packets), size);
}

/** bit/s that b= allows; undefined without b=. */
function statedRate({ bandwidth, receiver, family }: RateParts, packets: number): number | undefined {
  // RFC 3890 §6.2.2, §6.4: TIAS is the RTP payload alone, to which each packet's headers come, RTP's too; it wins over AS, being exact.
  if (bandwidth.tias) return bandwidth.tias + packets * headerOctets(receiver, family) * 8;
  // RFC 8866 §5.8 with RFC 3550 §6.2: AS counts IP and UDP headers already.
  return bandwidth.as ? bandwidth.as * 1000 : undefined;
}

function packetsFor(parts: RateParts, rate: number, packets: number): number {
  if (parts.receiver.kind === "audio" || parts.maxPacketRate !== undefined) return packets;
  return Math.ceil(rate / 8 / LARGE_PACKET);
}

/** The most demanding of the codecs that may be sent. */
function audioTraffic(parts: RateParts): { rate: number; packets: number } {
  const { receiver, family } = parts;
  const rates = candidates(parts).map((codec) => {
    const { rate, ptime } = audioRate(codec);
    const packets = 1000 / packetTime(receiver, ptime);
    return { rate: rate + packets * headerOctets(receiver, family) * 8, packets };
  });
  return rates.reduce((worst, next) => (next.rate > worst.rate ? next : worst), { rate: 0, packets: 1 });
}

const candidates = ({ codecs, receiver }: RateParts): readonly (SdpCodec | undefined)[] =>
  codecs.length > 0 ? codecs : [mainCodecs(receiver)[0]];

/** Milliseconds of media in a packet that one side asks for (RFC 8866 §6.4). */
const packetTime = (media: SdpMedia | undefined, usual: number): number =>
  Math.min(media?.ptime ?? usual, media?.maxptime ?? Number.POSITIVE_INFINITY);

/** Longer ones would be cut into fragments, so nobody sends them. */
const LARGEST_PACKET = 1_500;

/**
 * The one size that the packets of an audio medium have, headers included; undefined unless everything that it
 * depends on is told. Nothing larger will pass, so nothing is guessed: header extensions and redundancy (RFC 2198)
 * make it unknown, and so does SRTP, whose tag depends on the suite.
 */
function packetSize(parts: RateParts): number | undefined {
  const { receiver, family, headerExtensions } = parts;
  const plain = receiver.kind === "audio" && receiver.protocol.includes("RTP/") && !receiver.protocol.includes("SAVP");
  const redundant = [...receiver.codecs.values()].some(({ name }) => name === "red");
  if (!plain || headerExtensions || redundant) return undefined;
  const [payload, ...others] = new Set(candidates(parts).map((codec) => payloadOf(codec, parts)));
  if (payload === undefined || others.length > 0) return undefined;
  const size = payload + headerOctets(receiver, family);
  return size <= LARGEST_PACKET ? size : undefined;
}

/** Octets of a full packet's payload; undefined for a codec that varies, or where the sides do not mean one packet time. */
function payloadOf(codec: SdpCodec | undefined, parts: RateParts): number | undefined {
  const { ptime, frame } = audioRate(codec);
  const time = packetTime(parts.receiver, ptime);
  const agreed = packetTime(parts.sender, ptime) === time && (parts.maxPacketRate ?? 0) <= 1000 / time;
  if (frame === undefined || !agreed || time % frame.ms !== 0) return undefined;
  return Math.ceil((time / frame.ms) * frame.octets);
}

function largeTraffic(rate: number, parts: RateParts): { rate: number; packets: number } {
  const packets = Math.ceil(rate / 8 / LARGE_PACKET);
  return { rate: rate + packets * headerOctets(parts.receiver, parts.family) * 8, packets };
}

function headerOctets(media: SdpMedia, family: IpFamily): number {
  const lower = IP_OCTETS[family] + UDP_OCTETS;
  if (!media.protocol.includes("RTP/")) return lower;
  return lower + RTP_OCTETS + (media.protocol.includes("SAVP") ? SRTP_OCTETS : 0);
}

/**
 * Traffic of RTCP in one direction, or undefined where RS and RR are both 0 and there is none (RFC 3556 §2).
 * RS + RR, else 5 % of the media (RFC 3550 §6.2); never less than a packet a second, since the first ones come at once.
 */
export function rtcpTraffic(bandwidth: SdpBandwidth, media: TrafficSpec): TrafficSpec | undefined {
  const { rs, rr } = bandwidth;
  if (rs === 0 && rr === 0) return undefined;
  const stated = rs === undefined && rr === undefined ? media.rate * 0.05 : (rs ?? 0) + (rr ?? 0);
  const rate = Math.max(stated, RTCP_OCTETS * 8);
  const packetsPerSecond = Math.max(1, Math.ceil(rate / 8 / RTCP_OCTETS));
  return {
    rate: bitsPerSecond(Math.ceil(rate)),
    burst: octets(Math.max(3_000, Math.ceil(rate / 8))),
    packetsPerSecond,
  };
}

/**
 * Bucket: half a second of the rate, and never less than five packets. A sender that was held up sends all at once what is late
 * by then, but not more than was asked for.
 */
function spec(rate: number, packets: number, size: number | undefined): TrafficSpec {
  const whole = Math.ceil(rate);
  const packetsPerSecond = Math.max(1, Math.ceil(packets));
  const packet = Math.max(whole / 8 / packetsPerSecond, size ?? 0);
  const burst = Math.ceil(Math.max(whole / 16, packet * 5, 1_000));
  const traffic = { rate: bitsPerSecond(whole), burst: octets(burst), packetsPerSecond };
  return size === undefined ? traffic : { ...traffic, packetSize: octets(size) };
}

/** Flows that share one 5-tuple (BUNDLE, RFC 9143; rtcp-mux, RFC 5761) add up, and their packets have many sizes. */
export function addTraffic(left: TrafficSpec, right: TrafficSpec): TrafficSpec {
  return {
    rate: bitsPerSecond(left.rate + right.rate),
    burst: octets(left.burst + right.burst),
    packetsPerSecond: left.packetsPerSecond + right.packetsPerSecond,
  };
}

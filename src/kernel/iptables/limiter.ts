/**
 * A flow's policer as a hashlimit: a bucket for each flow, but one rate for the whole rule. Pure.
 *
 * Counting packets is exact to a microsecond between packets, and is used where the largest packet is known. Counting octets is
 * not: hashlimit takes a packet for 1 to 16 octets longer than it is (xt_hashlimit.c: (length >> 4) + 1 chunks of 16). A
 * flow that keeps to its rate must not be policed for that, so it gets a sixteenth more: enough for packets of 256
 * octets on average, and then the most that anyone gets too much.
 */
import { toBytesPerSecond } from "../../model/units.js";
import type { FlowRule } from "../port.js";

const CHUNK = 16;
const U32 = 0xffffffff;
const DAY = 86_400;
/** Above this the microseconds between packets are too coarse. */
const MAX_PACKET_RATE = 10_000;
const MAX_PACKET_BURST = 1_000_000;
const SHORTEST_EXPIRY_MS = 10_000;
const LONGEST_EXPIRY_MS = DAY * 1000;

export type Limiter =
  /** `burst` packets deep. */
  | { readonly unit: "packets"; readonly perDay: number; readonly burst: number }
  /** One second of the rate deep; `extra` further seconds are given once, and again after a silence of that length. */
  | { readonly unit: "octets"; readonly perSecond: number; readonly extra: number };

/** Undefined for a rate that hashlimit cannot count: 4 GB/s. Never less than the flow's rate. */
export function limiterOf(rule: FlowRule): Limiter | undefined {
  const rate = toBytesPerSecond(rule.rate);
  const { packetSize, burst } = rule;
  if (packetSize !== undefined && rate / packetSize <= MAX_PACKET_RATE && burst / packetSize <= MAX_PACKET_BURST) {
    const packets = Math.max(1, Math.floor(burst / packetSize));
    return { unit: "packets", perDay: Math.ceil((DAY * rate) / packetSize), burst: packets };
  }
  const counted =
    packetSize === undefined ? rate + rate / CHUNK : (rate / packetSize) * (Math.floor(packetSize / CHUNK) + 1) * CHUNK;
  const chunks = Math.max(2, Math.ceil(counted / CHUNK));
  // iptables takes n octets for floor(n / 16) + 1 chunks.
  const perSecond = (chunks - 1) * CHUNK;
  if (perSecond > U32) return undefined;
  const seconds = Math.ceil((burst * counted) / rate / (chunks * CHUNK));
  const most = Math.floor(U32 / octetsCounted(perSecond));
  return { unit: "octets", perSecond, extra: Math.min(most, Math.max(0, seconds - 1)) };
}

/** What iptables makes of a rate that it has turned into the cost of a chunk and back; a burst must not be below it. */
function octetsCounted(perSecond: number): number {
  const cost = Math.floor(U32 / (Math.floor(perSecond / CHUNK) + 1));
  return (Math.floor(U32 / cost) - 1) * CHUNK;
}

/** Two flows whose limiters have the same text share a rule and its table of buckets, none else does. */
export const limiterText = (limiter: Limiter): string =>
  limiter.unit === "packets" ? `p${limiter.perDay}x${limiter.burst}` : `o${limiter.perSecond}x${limiter.extra}`;

/** An entry that is forgotten comes back with a full bucket, so it is kept for as long as that takes to fill. */
function expiryOf(limiter: Limiter): number {
  const refill = limiter.unit === "packets" ? (limiter.burst * DAY) / limiter.perDay : limiter.extra + 1;
  return Math.min(LONGEST_EXPIRY_MS, Math.max(SHORTEST_EXPIRY_MS, Math.ceil(refill * 1000)));
}

/**
 * Matches what is above the rate. The source port is not part of the bucket's key: a flow that may send from any has
 * one bucket for all of them, and no two flows differ in it alone.
 */
export function limiterMatch(limiter: Limiter, name: string, maxFlows: number): string {
  const amount =
    limiter.unit === "packets"
      ? `--hashlimit-above ${limiter.perDay}/day --hashlimit-burst ${limiter.burst}`
      : `--hashlimit-above ${limiter.perSecond}b/s${
          limiter.extra === 0 ? "" : ` --hashlimit-burst ${limiter.extra * octetsCounted(limiter.perSecond)}b`
        }`;
  const buckets = Math.min(4096, Math.max(256, maxFlows >>> 3));
  // A full table would drop packets: there is room for flows that have just gone, too.
  return (
    `-m hashlimit ${amount} --hashlimit-mode srcip,dstip,dstport --hashlimit-name ${name} ` +
    `--hashlimit-htable-size ${buckets} --hashlimit-htable-max ${2 * maxFlows + buckets} ` +
    `--hashlimit-htable-expire ${expiryOf(limiter)}`
  );
}

/** Rates of pools (bit/s) to the octets per second of RSVP, and to what a class on a link has to carry. */
import {
  type BitsPerSecond,
  type BytesPerSecond,
  bitsPerSecond,
  bytesPerSecond,
  type Octets,
  octets,
} from "../../../model/units.js";
import type { Flowspec, TokenBucket } from "../../../rsvp/codec/objects.js";
import { floatUp, tokenBucket, UNLIMITED_PEAK } from "../../../rsvp/codec/token-bucket.js";
import { bandwidthOf } from "../../../rsvp/machine/flowspec-algebra.js";
import type { WantedAggregate } from "../aggregates.js";

const MAX_PACKET = 65_535;

type Size = Pick<WantedAggregate, "rate" | "burst" | "packetSize">;

/**
 * The traffic specification (RFC 2210 §3.1) of an aggregate, layer 3. Packets that are smaller than the pool's count as
 * if they were not (m), so that a link's own octets for each packet are bounded; larger ones are not part of it (M).
 */
export function tspecOf({ rate, burst, packetSize }: Size): TokenBucket {
  const packet = Math.min(MAX_PACKET, Math.max(1, packetSize)) as Octets;
  return tokenBucket({
    rate: bytesPerSecond(Math.max(1, rate / 8)),
    bucket: Math.max(burst, packet) as Octets,
    peak: UNLIMITED_PEAK,
    minPoliced: packet,
    maxPacket: packet,
  });
}

/**
 * How large an aggregate's Path is where the other edge wants `back` of it: as large as the larger of both wants, and for the
 * other's sake never beyond the ceilings. What is wanted here is no part of what the other is told back, so that both
 * directions become smaller again when both edges want less.
 * @param back - octets/s; undefined where the other edge says nothing
 * @param limit - this router's own ceiling, octets/s
 */
export function sizeFor(
  wish: Pick<WantedAggregate, "rate" | "burst" | "packetSize" | "ceiling">,
  back: BytesPerSecond | undefined,
  limit: BytesPerSecond,
): Size {
  const { rate, burst, packetSize, ceiling = 0 } = wish;
  const larger = Math.max(rate, Math.min((back ?? 0) * 8, ceiling, limit * 8));
  if (larger === rate) return { rate, burst, packetSize };
  return { rate: bitsPerSecond(larger), burst: octets(Math.ceil((burst * larger) / rate)), packetSize };
}

/** What the other edge is told: octets/s of the way back, or nothing. */
export const wayBackWanted = ({
  rate,
  ceiling,
}: Pick<WantedAggregate, "rate" | "ceiling">): BytesPerSecond | undefined =>
  ceiling === undefined ? undefined : floatUp(bytesPerSecond(Math.max(1, rate / 8)));

/**
 * What a flowspec takes at layer 2, rounded up: `overhead` octets for each packet, and none of them counts for less
 * than m octets.
 */
export function linkRateOf(flowspec: Flowspec, overhead: Octets): BitsPerSecond {
  const { minPoliced } = flowspec.tspec;
  return bitsPerSecond(Math.ceil((bandwidthOf(flowspec) * 8 * (minPoliced + overhead)) / minPoliced));
}

/** Rounded down: never more than there is. */
export const floorBits = (rate: BytesPerSecond): BitsPerSecond => bitsPerSecond(Math.floor(rate * 8));

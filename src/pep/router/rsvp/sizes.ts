/** Rates of pools (bit/s) to the octets per second of RSVP, and to what a class on a link has to carry. */
import {
  type BitsPerSecond,
  type BytesPerSecond,
  bitsPerSecond,
  bytesPerSecond,
  type Octets,
} from "../../../model/units.js";
import type { Flowspec, TokenBucket } from "../../../rsvp/codec/objects.js";
import { tokenBucket, UNLIMITED_PEAK } from "../../../rsvp/codec/token-bucket.js";
import { bandwidthOf } from "../../../rsvp/machine/flowspec-algebra.js";
import type { WantedAggregate } from "../aggregates.js";

const MAX_PACKET = 65_535;

/**
 * The traffic specification (RFC 2210 §3.1) of an aggregate, layer 3. Packets that are smaller than the pool's count as
 * if they were not (m), so that a link's own octets for each packet are bounded; larger ones are not part of it (M).
 */
export function tspecOf({
  rate,
  burst,
  packetSize,
}: Pick<WantedAggregate, "rate" | "burst" | "packetSize">): TokenBucket {
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
 * What a flowspec takes at layer 2, rounded up: `overhead` octets for each packet, and none of them counts for less
 * than m octets.
 */
export function linkRateOf(flowspec: Flowspec, overhead: Octets): BitsPerSecond {
  const { minPoliced } = flowspec.tspec;
  return bitsPerSecond(Math.ceil((bandwidthOf(flowspec) * 8 * (minPoliced + overhead)) / minPoliced));
}

/** Rounded down: never more than there is. */
export const floorBits = (rate: BytesPerSecond): BitsPerSecond => bitsPerSecond(Math.floor(rate * 8));

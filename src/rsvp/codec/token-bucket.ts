/** Token buckets as RSVP can say them: single-precision floats within the ranges of RFC 2211 and RFC 2212. */
import { InternalError } from "../../model/errors.js";
import type { BytesPerSecond } from "../../model/units.js";
import type { TokenBucket } from "./objects.js";

/** The peak rate of which nothing is known (RFC 2210 §3.1). */
export const UNLIMITED_PEAK = Number.POSITIVE_INFINITY as BytesPerSecond;

/** RFC 2211, RFC 2212: 40 terabytes per second and 250 gigabytes, as the floats next to them. */
export const RATE_MAX = Math.fround(40e12);
const BUCKET_MAX = Math.fround(250e9);
const RATE_MIN = 1;
const BUCKET_MIN = 1;

/**
 * A token bucket whose floats survive the wire. They are rounded up, so that a reservation is never smaller
 * than what it was made for.
 * @throws InternalError if RFC 2211 would not allow the values
 */
export function tokenBucket(values: TokenBucket): TokenBucket {
  const bucket = {
    rate: floatUp(values.rate),
    bucket: floatUp(values.bucket),
    peak: floatUp(values.peak),
    minPoliced: values.minPoliced,
    maxPacket: values.maxPacket,
  };
  const fault = tokenBucketFault(bucket);
  if (fault !== undefined) throw new InternalError("RSVP_TOKEN_BUCKET", fault);
  return bucket;
}

/** The least single-precision float that is not below `value`. */
export function floatUp<Unit extends number>(value: Unit): Unit {
  const nearest = Math.fround(value);
  if (nearest >= value || !Number.isFinite(value)) return nearest as Unit;
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, nearest);
  // The next bit pattern of a positive float is the next float.
  view.setUint32(0, view.getUint32(0) + 1);
  return view.getFloat32(0) as Unit;
}

/** What RFC 2211 and RFC 2212 §TSpec do not allow, or undefined. NaN fails every comparison here. */
export function tokenBucketFault(values: TokenBucket): string | undefined {
  const { rate, bucket, peak, minPoliced, maxPacket } = values;
  if (!isRate(rate)) return `token bucket rate ${rate} is outside ${RATE_MIN}..${RATE_MAX}`;
  if (!(bucket >= BUCKET_MIN && bucket <= BUCKET_MAX)) {
    return `token bucket size ${bucket} is outside ${BUCKET_MIN}..${BUCKET_MAX}`;
  }
  if (peak !== UNLIMITED_PEAK && !isRate(peak)) return `peak rate ${peak} is outside ${RATE_MIN}..${RATE_MAX}`;
  if (!(peak >= rate)) return `peak rate ${peak} is below the token bucket rate ${rate}`;
  if (!(minPoliced >= 1)) return "the minimum policed unit is 0";
  if (!(maxPacket >= minPoliced))
    return `maximum packet size ${maxPacket} is below the minimum policed unit ${minPoliced}`;
  return undefined;
}

/** RFC 2212: R has the range of r, and must not be below it. */
export function serviceRateFault(rate: BytesPerSecond, tspec: TokenBucket): string | undefined {
  if (!isRate(rate)) return `service rate ${rate} is outside ${RATE_MIN}..${RATE_MAX}`;
  return rate >= tspec.rate ? undefined : `service rate ${rate} is below the token bucket rate ${tspec.rate}`;
}

const isRate = (value: number): boolean => value >= RATE_MIN && value <= RATE_MAX;

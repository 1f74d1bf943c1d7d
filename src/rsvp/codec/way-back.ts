/**
 * A policy element of our own in the Path of an aggregate: what the aggregator's policy server wants of the way back, from
 * the deaggregator to the aggregator.
 *
 *   Length 12 | P-Type 0xd349 | enterprise number, 32 bits | rate, single-precision float
 *
 * The rate is octets per second at the IP layer, as in the SENDER_TSPEC beside it. P-Types for private use belong to nobody, so
 * the enterprise number says whose the element is; another's of the same P-Type is left alone.
 */
import type { BytesPerSecond } from "../../model/units.js";
import { badValue, malformed } from "./errors.js";
import type { PolicyData } from "./objects.js";
import { type PolicyElement, readPolicyData, writePolicyData } from "./policy-data.js";
import { floatUp, RATE_MAX } from "./token-bucket.js";

/** RFC 2750 §5: 53248 to 65535 are for private use. */
export const WAY_BACK_TYPE = 0xd349;
/** Kept for documentation (RFC 5612), as that of our PIB classes. */
const ENTERPRISE = 32473;
const ENTERPRISE_LENGTH = 4;
const LENGTH = 8;
const OBJECT = "way back element";

/** @param rate - rounded up to what a single-precision float can say, as token buckets are */
export function wayBackPolicy(rate: BytesPerSecond): PolicyData {
  const contents = Buffer.alloc(LENGTH);
  contents.writeUInt32BE(ENTERPRISE, 0);
  contents.writeFloatBE(floatUp(rate), ENTERPRISE_LENGTH);
  return writePolicyData([{ type: WAY_BACK_TYPE, contents }]);
}

/**
 * What the element says; undefined without one, and for an empty one, which deletes (RFC 2750 §3.4).
 * @throws RsvpDecodeError with reason `malformed` or `badValue`
 */
export function wayBackOf(policy: readonly PolicyData[]): BytesPerSecond | undefined {
  // §3.4: of one P-Type a later element replaces an earlier one.
  const element = policy.flatMap(elementsHere).filter(isOurs).at(-1);
  const rate = element === undefined ? undefined : readRate(element);
  const fault = rate === undefined ? undefined : wayBackFault(rate);
  if (fault !== undefined) throw badValue(fault, { offset: 0, object: OBJECT });
  return rate;
}

/** What is under options is for others, or signed in a way that cannot be checked here. */
function elementsHere(data: PolicyData): readonly PolicyElement[] {
  const { hasOptions, elements } = readPolicyData(data);
  return hasOptions ? [] : elements;
}

function isOurs({ type, contents }: PolicyElement): boolean {
  if (type !== WAY_BACK_TYPE) return false;
  return contents.length < ENTERPRISE_LENGTH || contents.readUInt32BE(0) === ENTERPRISE;
}

/** As it is on the wire: also NaN or negative. */
function readRate({ contents }: PolicyElement): BytesPerSecond | undefined {
  if (contents.length === 0) return undefined;
  if (contents.length !== LENGTH) {
    throw malformed("element of a wrong length", { offset: 0, object: OBJECT, need: LENGTH, have: contents.length });
  }
  return contents.readFloatBE(ENTERPRISE_LENGTH) as BytesPerSecond;
}

/** NaN fails every comparison. 0 wants nothing. */
function wayBackFault(rate: BytesPerSecond): string | undefined {
  return rate >= 0 && rate <= RATE_MAX ? undefined : `rate ${rate} is outside 0..${RATE_MAX}`;
}

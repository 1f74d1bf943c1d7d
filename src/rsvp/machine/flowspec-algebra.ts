/**
 * Order and arithmetic of token buckets and flowspecs: RFC 2211 §8, RFC 2212 "Ordering and Merging",
 * RFC 2205 §2.2. Rates and sizes count octets at the IP layer.
 */
import { InternalError } from "../../model/errors.js";
import type { BytesPerSecond, Octets } from "../../model/units.js";
import type { FlowDescriptors } from "../codec/message.js";
import type { Flowspec, GuaranteedFlowspec, TokenBucket } from "../codec/objects.js";
import { floatUp } from "../codec/token-bucket.js";

type Pick2 = <Unit extends number>(a: Unit, b: Unit) => Unit;
const least: Pick2 = (a, b) => (a < b ? a : b);
const most: Pick2 = (a, b) => (a > b ? a : b);

/** RFC 2211 §8: whether `a` is as good as or better than `b`, in all five parameters. A partial order. */
export function tspecCovers(a: TokenBucket, b: TokenBucket): boolean {
  return (
    a.rate >= b.rate &&
    a.bucket >= b.bucket &&
    a.peak >= b.peak &&
    a.minPoliced <= b.minPoliced &&
    a.maxPacket >= b.maxPacket
  );
}

export function tspecEqual(a: TokenBucket, b: TokenBucket): boolean {
  return tspecCovers(a, b) && tspecCovers(b, a);
}

/** RFC 2211 §8, the merged TSpec: everything is the largest, but m and, on purpose, M are the smallest. */
export function mergeTspecs(a: TokenBucket, b: TokenBucket): TokenBucket {
  return withOrderedSizes({
    rate: most(a.rate, b.rate),
    bucket: most(a.bucket, b.bucket),
    peak: most(a.peak, b.peak),
    minPoliced: least(a.minPoliced, b.minPoliced),
    maxPacket: least(a.maxPacket, b.maxPacket),
  });
}

/** The greatest TSpec that both cover: what RFC 2205 §3.5 asks for when everything is blockaded. */
export function glbTspecs(a: TokenBucket, b: TokenBucket): TokenBucket {
  return withOrderedSizes({
    rate: least(a.rate, b.rate),
    bucket: least(a.bucket, b.bucket),
    peak: least(a.peak, b.peak),
    minPoliced: most(a.minPoliced, b.minPoliced),
    maxPacket: least(a.maxPacket, b.maxPacket),
  });
}

/** RFC 2211 §8: the TSpec of several flows at once. Not rounded to what the wire can say. */
export function sumTspecs(a: TokenBucket, b: TokenBucket): TokenBucket {
  return {
    rate: (a.rate + b.rate) as BytesPerSecond,
    bucket: (a.bucket + b.bucket) as Octets,
    peak: (a.peak + b.peak) as BytesPerSecond,
    minPoliced: least(a.minPoliced, b.minPoliced),
    maxPacket: most(a.maxPacket, b.maxPacket),
  };
}

/** RFC 2211 §8: the lesser of two; of two that have no order the smaller values, but the larger bucket. */
export function minTspec(a: TokenBucket, b: TokenBucket): TokenBucket {
  if (tspecCovers(a, b)) return b;
  if (tspecCovers(b, a)) return a;
  return {
    rate: least(a.rate, b.rate),
    bucket: most(a.bucket, b.bucket),
    peak: least(a.peak, b.peak),
    minPoliced: least(a.minPoliced, b.minPoliced),
    maxPacket: least(a.maxPacket, b.maxPacket),
  };
}

/** Two valid TSpecs can join to m > M, which no TSpec may say; the packet size is what holds. */
function withOrderedSizes(tspec: TokenBucket): TokenBucket {
  return tspec.minPoliced <= tspec.maxPacket ? tspec : { ...tspec, minPoliced: tspec.maxPacket };
}

/** Whether `a` is as good as or better than `b`; never between services (RFC 2212: R large, S small is good). */
export function covers(a: Flowspec, b: Flowspec): boolean {
  if (!tspecCovers(a.tspec, b.tspec)) return false;
  if (a.kind === "guaranteed" && b.kind === "guaranteed") return a.rate >= b.rate && a.slackMicros <= b.slackMicros;
  return a.kind === b.kind;
}

export function flowspecEqual(a: Flowspec, b: Flowspec): boolean {
  return covers(a, b) && covers(b, a);
}

/**
 * The merged flowspec of one or more of the same service: the LUB of RFC 2205 §2.2, but for M.
 * @throws InternalError without flowspecs or with different services
 */
export function mergeFlowspecs(flowspecs: readonly Flowspec[]): Flowspec {
  return join(flowspecs, mergeTspecs, (a, b) => ({
    rate: most(a.rate, b.rate),
    slackMicros: least(a.slackMicros, b.slackMicros),
  }));
}

/** The greatest lower bound of one or more of the same service. @throws InternalError as `mergeFlowspecs` does */
export function glbFlowspecs(flowspecs: readonly Flowspec[]): Flowspec {
  return join(flowspecs, glbTspecs, (a, b) => ({
    rate: least(a.rate, b.rate),
    slackMicros: most(a.slackMicros, b.slackMicros),
  }));
}

type RSpec = Pick<GuaranteedFlowspec, "rate" | "slackMicros">;

function join(
  flowspecs: readonly Flowspec[],
  tspecs: (a: TokenBucket, b: TokenBucket) => TokenBucket,
  rspecs: (a: RSpec, b: RSpec) => RSpec,
): Flowspec {
  return flowspecs.reduce((a, b): Flowspec => {
    const tspec = tspecs(a.tspec, b.tspec);
    if (a.kind === "guaranteed" && b.kind === "guaranteed") return { kind: "guaranteed", tspec, ...rspecs(a, b) };
    if (a.kind !== b.kind) throw new InternalError("RSVP_SERVICES", "flowspecs of different services have no merger");
    return { kind: "controlledLoad", tspec };
  });
}

/** RFC 2210 §2.2: what is installed is at most what the senders say they send. R stays, it buys delay. */
export function limitFlowspec(flowspec: Flowspec, senders: TokenBucket): Flowspec {
  return { ...flowspec, tspec: minTspec(flowspec.tspec, senders) };
}

/** What a flowspec takes of a link: r of controlled load, R of guaranteed service. */
export function bandwidthOf(flowspec: Flowspec): BytesPerSecond {
  return flowspec.kind === "guaranteed" ? flowspec.rate : flowspec.tspec.rate;
}

/** The most that a flow descriptor takes. */
export function largestOf(flows: FlowDescriptors): BytesPerSecond {
  if (flows.style !== "FF") return bandwidthOf(flows.flowspec);
  return Math.max(0, ...flows.flows.map(({ flowspec }) => bandwidthOf(flowspec))) as BytesPerSecond;
}

/**
 * Whether blockade `failed` holds `asked` back, RFC 2205 §3.5: it does unless it is strictly greater. Parameters
 * that are seldom different between requests (m, M, sometimes b) may be equal, the rate may not.
 */
export function blockades(failed: Flowspec, asked: Flowspec): boolean {
  return !(covers(failed, asked) && bandwidthOf(failed) > bandwidthOf(asked));
}

/**
 * The flowspec shrunk in proportion to `bandwidth`, which must be less than it takes now (RFC 4495 §5.2: the most
 * that average and peak rate may be). Undefined where nothing is left that a flowspec could say.
 */
export function shrinkTo(flowspec: Flowspec, bandwidth: BytesPerSecond): Flowspec | undefined {
  if (bandwidth < 1) return undefined;
  const part = bandwidth / bandwidthOf(flowspec);
  const { tspec } = flowspec;
  const rate = most(1 as BytesPerSecond, floatDown((tspec.rate * part) as BytesPerSecond));
  const peak = Number.isFinite(tspec.peak) ? most(rate, floatDown((tspec.peak * part) as BytesPerSecond)) : tspec.peak;
  const bucket = least(tspec.bucket, most(floatUp((tspec.bucket * part) as Octets), floatUp(tspec.maxPacket)));
  const shrunk = { ...tspec, rate, peak, bucket };
  if (flowspec.kind === "controlledLoad") return { kind: "controlledLoad", tspec: shrunk };
  return { ...flowspec, tspec: shrunk, rate: most(rate, floatDown(bandwidth)) };
}

/** The greatest single-precision float that is not above a positive `value`. */
function floatDown<Unit extends number>(value: Unit): Unit {
  const nearest = Math.fround(value);
  if (nearest <= value) return nearest as Unit;
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, nearest);
  view.setUint32(0, view.getUint32(0) - 1);
  return view.getFloat32(0) as Unit;
}

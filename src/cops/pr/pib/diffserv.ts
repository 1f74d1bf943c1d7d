/** Policy classes of the DiffServ PIB, RFC 3317: pib 4, 2. Rates are whole kbit/s, bursts octets. */
import { oid } from "../oid.js";
import { attribute, nullable } from "../prc.js";
import { enumerated, integer, objectIdentifier, prid, text, unsigned32 } from "../syntax.js";
import { baseClass, extendingClass } from "./class.js";

const ROOT = "1.3.6.1.2.2.4.2";
const base = baseClass(ROOT);

/** Meter algorithms and schedulers are named by the DiffServ MIB (RFC 3289). */
export const DIFFSERV_TYPE = {
  simpleTokenBucket: oid("1.3.6.1.2.1.97.3.1.1"),
  averageRate: oid("1.3.6.1.2.1.97.3.1.2"),
  singleRateBlind: oid("1.3.6.1.2.1.97.3.1.3"),
  singleRateAware: oid("1.3.6.1.2.1.97.3.1.4"),
  twoRateBlind: oid("1.3.6.1.2.1.97.3.1.5"),
  twoRateAware: oid("1.3.6.1.2.1.97.3.1.6"),
  timeSlidingWindow: oid("1.3.6.1.2.1.97.3.1.7"),
  priority: oid("1.3.6.1.2.1.97.3.2.1"),
  weightedRoundRobin: oid("1.3.6.1.2.1.97.3.2.2"),
  weightedFairQueueing: oid("1.3.6.1.2.1.97.3.2.3"),
} as const;

export const dsDataPath = base("dsDataPath", "1", "install", {
  capSetName: attribute(2, text()),
  roles: attribute(3, text()),
  ifDirection: attribute(4, enumerated({ inbound: 1, outbound: 2 })),
  start: attribute(5, prid),
});

export const dsClfr = base("dsClfr", "2", "install", {
  /** Tag that the classifier's elements carry. */
  id: attribute(2, unsigned32(1)),
});

export const dsClfrElement = base("dsClfrElement", "3", "install", {
  clfrId: attribute(2, unsigned32(1)),
  /** The higher is matched first. */
  precedence: attribute(3, unsigned32(1)),
  next: attribute(4, prid),
  /** The filter; 0.0 matches what no other element does. */
  specific: attribute(5, prid),
});

export const dsMeter = base("dsMeter", "4", "install", {
  succeedNext: attribute(2, prid),
  failNext: attribute(3, prid),
  specific: attribute(4, prid),
});

export const dsTBParam = base("dsTBParam", "5", "install", {
  type: attribute(2, objectIdentifier),
  /** kbit/s, whole: round up. */
  rate: attribute(3, unsigned32(1)),
  /** Octets. */
  burstSize: attribute(4, unsigned32()),
  /** Microseconds. */
  interval: attribute(5, unsigned32(1)),
});

export const dsAction = base("dsAction", "6", "install", {
  next: attribute(2, prid),
  specific: attribute(3, prid),
});

export const dsDscpMarkAct = base("dsDscpMarkAct", "7", "install", {
  dscp: attribute(2, integer(0, 63)),
});

export const dsAlgDrop = base("dsAlgDrop", "8", "install", {
  type: attribute(2, enumerated({ other: 1, tailDrop: 2, headDrop: 3, randomDrop: 4, alwaysDrop: 5, mQDrop: 6 })),
  next: attribute(3, prid),
  qMeasure: attribute(4, prid),
  qThreshold: attribute(5, unsigned32(1)),
  specific: attribute(6, prid),
});

export const dsMQAlgDrop = extendingClass(ROOT)("dsMQAlgDrop", "9", dsAlgDrop, "install", {
  exceedNext: attribute(1, prid),
});

export const dsRandomDrop = base("dsRandomDrop", "10", "install", {
  minThreshBytes: attribute(2, unsigned32(1)),
  minThreshPkts: attribute(3, unsigned32(1)),
  maxThreshBytes: attribute(4, unsigned32(1)),
  maxThreshPkts: attribute(5, unsigned32(1)),
  /** Thousandths. */
  probMax: attribute(6, unsigned32(0, 1000)),
  weight: attribute(7, unsigned32()),
  /** Packets per second. */
  samplingRate: attribute(8, unsigned32(0, 1_000_000)),
});

export const dsQ = base("dsQ", "11", "install", {
  next: attribute(2, prid),
  minRate: attribute(3, prid),
  maxRate: attribute(4, prid),
});

export const dsScheduler = base("dsScheduler", "12", "install", {
  next: attribute(2, prid),
  method: attribute(3, objectIdentifier),
  minRate: attribute(4, prid),
  maxRate: attribute(5, prid),
});

export const dsMinRate = base("dsMinRate", "13", "install", {
  priority: attribute(2, unsigned32(1)),
  /** kbit/s. */
  absolute: nullable(3, unsigned32(1)),
  /** Thousandths of the interface's rate. */
  relative: nullable(4, unsigned32(1)),
});

export const dsMaxRate = base("dsMaxRate", "14", "install", {
  id: attribute(2, unsigned32()),
  level: attribute(3, unsigned32(1, 32)),
  absolute: nullable(4, unsigned32(1)),
  relative: nullable(5, unsigned32(1)),
  /** Octets. */
  threshold: nullable(6, unsigned32()),
});

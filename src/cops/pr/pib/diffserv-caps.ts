/** Capability classes of the DiffServ PIB, RFC 3317: pib 4, 1. What an interface can do; sent by the PEP. */
import { attribute } from "../prc.js";
import { bits, enumerated, integer, objectIdentifier, unsigned32 } from "../syntax.js";
import { baseClass, extendingClass } from "./class.js";

const ROOT = "1.3.6.1.2.2.4.1";
const extending = extendingClass(ROOT);

export const dsBaseIfCaps = baseClass(ROOT)("dsBaseIfCaps", "1", "notify", {
  direction: attribute(2, enumerated({ inbound: 1, outbound: 2, inAndOut: 3 })),
});

export const dsIfClassificationCaps = extending("dsIfClassificationCaps", "2", dsBaseIfCaps, "notify", {
  /** Bits: 0 source address, 1 destination address, 2 protocol, 3 DSCP, 4 ports, 5 IPv6 flow label. */
  spec: attribute(1, bits),
});

export const dsIfMeteringCaps = extending("dsIfMeteringCaps", "3", dsBaseIfCaps, "notify", {
  /** Bits: 1 simple token bucket, 2 average rate, 3 and 4 srTCM, 5 and 6 trTCM, 7 TSW. */
  spec: attribute(1, bits),
});

export const dsIfAlgDropCaps = extending("dsIfAlgDropCaps", "4", dsBaseIfCaps, "notify", {
  /** Bits: 2 tail, 3 head, 4 random, 5 always, 6 multiple-queue. */
  type: attribute(1, bits),
  mqCount: attribute(2, unsigned32(1)),
});

export const dsIfQueueCaps = extending("dsIfQueueCaps", "5", dsBaseIfCaps, "notify", {
  minQueueSize: attribute(1, unsigned32()),
  maxQueueSize: attribute(2, unsigned32()),
  totalQueueSize: attribute(3, unsigned32()),
});

export const dsIfSchedulerCaps = extending("dsIfSchedulerCaps", "6", dsBaseIfCaps, "notify", {
  serviceDisc: attribute(1, objectIdentifier),
  maxInputs: attribute(2, unsigned32()),
  minMaxRate: attribute(3, integer(1)),
});

export const dsIfMaxRateCaps = extending("dsIfMaxRateCaps", "7", dsBaseIfCaps, "notify", {
  maxLevels: attribute(1, unsigned32(1)),
});

export const dsIfElmDepthCaps = extending("dsIfElmDepthCaps", "8", dsBaseIfCaps, "notify", {
  prc: attribute(1, objectIdentifier),
  cascadeMax: attribute(2, unsigned32()),
});

export const dsIfElmLinkCaps = extending("dsIfElmLinkCaps", "9", dsBaseIfCaps, "notify", {
  prc: attribute(1, objectIdentifier),
  attr: attribute(2, unsigned32(1)),
  nextPrc: attribute(3, objectIdentifier),
});

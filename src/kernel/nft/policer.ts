/** How a flow is held to its rate: by octets, or by packets where its bucket is tighter than octets can be. Pure. */
import { toBytesPerSecond } from "../../model/units.js";
import type { ByteLimit } from "../netlink/set-element.js";
import type { FlowRule } from "../port.js";
import { sizeClassOf } from "./size-class.js";

export interface Policer {
  readonly limit: ByteLimit;
  /** Of a flow that is policed by packets: nothing larger is in profile, or 1500 octets would pass for 200. */
  readonly sizeClass: number | undefined;
}

/** A bucket of octets holds rate x 1 s + burst, so that only a burst of more than a second of the rate is near the truth. */
export function policerOf({ rate, burst, packetSize }: Pick<FlowRule, "rate" | "burst" | "packetSize">): Policer {
  const octets = toBytesPerSecond(rate);
  const sizeClass = packetSize !== undefined && burst < octets ? sizeClassOf(packetSize) : undefined;
  if (packetSize === undefined || sizeClass === undefined)
    return { limit: { rate: octets, burst }, sizeClass: undefined };
  return {
    limit: {
      unit: "packets",
      rate: Math.ceil(octets / packetSize),
      burst: Math.max(1, Math.floor(burst / packetSize)),
    },
    sizeClass,
  };
}

export const isTight = (rule: FlowRule): boolean => policerOf(rule).sizeClass !== undefined;

/**
 * The bucket of a flow in nanoseconds: the program keeps the theoretical arrival time of the next packet (GCRA) and compares
 * it with the clock. Pure.
 */
import { toBytesPerSecond } from "../../model/units.js";
import type { FlowRule } from "../port.js";

/**
 * The program reads the coarse clock, which goes in ticks of 1 to 10 ms, and Node cannot ask for their length. A packet may
 * seem to come up to one tick too early; a bucket short of that would drop packets that are in profile, so the longest is
 * allowed for: 10 ms of the rate.
 */
export const CLOCK_TICK_NS = 10_000_000;
const NS = 1_000_000_000;
const COST_SCALE = 65_536;
/** A bucket that holds no whole packet lets none through, so where the size is not known it holds one of Ethernet's. */
const LARGEST_USUAL = 1500;

export interface Bucket {
  /** Nanoseconds. */
  readonly depth: number;
  /** Nanoseconds per octet of layer 3, times 2^16. */
  readonly cost: number;
}

export function bucketOf({ rate, burst, packetSize }: Pick<FlowRule, "rate" | "burst" | "packetSize">): Bucket {
  const octets = toBytesPerSecond(rate);
  const held = Math.max(burst, packetSize ?? LARGEST_USUAL);
  // The cost is rounded down: a full bucket must never be a nanosecond short of its last packet.
  return { depth: Math.ceil((held * NS) / octets) + CLOCK_TICK_NS, cost: Math.floor((NS * COST_SCALE) / octets) };
}

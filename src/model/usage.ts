/** What a session used, read from kernel counters. */
import type { Octets } from "./units.js";

/** Packets and octets; octets are counted at the IP layer, as nftables counts them. */
export interface Counter {
  readonly packets: number;
  readonly octets: Octets;
}

export interface FlowCounters {
  readonly inProfile: Counter;
  readonly outOfProfile: Counter;
}

export const ZERO_COUNTER: Counter = { packets: 0, octets: 0 as Octets };
export const ZERO_FLOW_COUNTERS: FlowCounters = { inProfile: ZERO_COUNTER, outOfProfile: ZERO_COUNTER };

export function addCounters(left: Counter, right: Counter): Counter {
  return { packets: left.packets + right.packets, octets: (left.octets + right.octets) as Octets };
}

export function addFlowCounters(left: FlowCounters, right: FlowCounters): FlowCounters {
  return {
    inProfile: addCounters(left.inProfile, right.inProfile),
    outOfProfile: addCounters(left.outOfProfile, right.outOfProfile),
  };
}

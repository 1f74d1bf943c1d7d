/** From a session's flows to what it needs of its pool. Pure. */
import type { FlowDirection, SessionFlow } from "../model/flow.js";
import { type BitsPerSecond, bitsPerSecond, type Octets } from "../model/units.js";
import type { PoolNeed } from "./ledger.js";

type Carried = Pick<SessionFlow, "direction" | "traffic">;

/** Layer 3, one direction. */
export function rateOf(flows: readonly Carried[], direction: FlowDirection): BitsPerSecond {
  return bitsPerSecond(sum(flows, direction, ({ traffic }) => traffic.rate));
}

/**
 * Layer 2: HTB sees `linkOverhead` octets more in each packet than the IP layer does, so a pool that is
 * filled by layer-3 figures would promise more than its class can carry.
 */
export function poolNeed(pool: string, flows: readonly Carried[], linkOverhead: Octets): PoolNeed {
  const need = (direction: FlowDirection): BitsPerSecond =>
    bitsPerSecond(sum(flows, direction, ({ traffic }) => traffic.rate + traffic.packetsPerSecond * linkOverhead * 8));
  return { pool, up: need("up"), down: need("down") };
}

function sum(flows: readonly Carried[], direction: FlowDirection, value: (flow: Carried) => number): number {
  return flows.filter((flow) => flow.direction === direction).reduce((total, flow) => total + value(flow), 0);
}

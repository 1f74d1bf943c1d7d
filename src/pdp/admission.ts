/** From a session's flows to what it needs of each pool on its way. Pure. */
import type { FlowDirection, SessionFlow } from "../model/flow.js";
import { type BitsPerSecond, bitsPerSecond, type Octets } from "../model/units.js";
import type { PoolNeed } from "./ledger.js";
import type { FlowWay } from "./pools/choose-pools.js";

type Carried = Pick<SessionFlow, "direction" | "traffic">;

/** Layer 3, one direction. */
export function rateOf(flows: readonly Carried[], direction: FlowDirection): BitsPerSecond {
  const own = flows.filter((flow) => flow.direction === direction);
  return bitsPerSecond(own.reduce((total, { traffic }) => total + traffic.rate, 0));
}

/** In each pool the larger of both: what a session holds while it changes from one to the other. */
export function coverBoth(now: readonly PoolNeed[], next: readonly PoolNeed[]): readonly PoolNeed[] {
  const before = new Map(now.map((need) => [need.pool, need]));
  const larger = (need: PoolNeed, direction: FlowDirection): BitsPerSecond =>
    bitsPerSecond(Math.max(need[direction], before.get(need.pool)?.[direction] ?? 0));
  const left = now.filter(({ pool }) => !next.some((need) => need.pool === pool));
  return [...next.map((need) => ({ pool: need.pool, up: larger(need, "up"), down: larger(need, "down") })), ...left];
}

/**
 * What flows that go these ways (one for each flow) need, each pool once. Layer 2: HTB sees `linkOverhead` octets more
 * in each packet than the IP layer does, so a pool that is filled by layer-3 figures would promise more than its class
 * can carry. In a tunnel each packet has the tunnel's headers besides.
 */
export function needsOf(
  flows: readonly Pick<Carried, "traffic">[],
  ways: readonly FlowWay[],
  linkOverhead: Octets,
): readonly PoolNeed[] {
  const needs = new Map<string, Record<FlowDirection, number>>();
  for (const [index, { traffic }] of flows.entries()) {
    const { takes = [], tunnelOverhead = 0 } = ways[index] ?? {};
    const rate = traffic.rate + traffic.packetsPerSecond * (linkOverhead + tunnelOverhead) * 8;
    for (const { pool, direction } of takes) {
      const sum = needs.get(pool) ?? { up: 0, down: 0 };
      sum[direction] += rate;
      needs.set(pool, sum);
    }
  }
  return [...needs].map(([pool, { up, down }]) => ({ pool, up: wholeRate(up), down: wholeRate(down) }));
}

/** Whole bit/s, rounded up: sums of whole numbers come back to exactly nothing when all is given back. */
const wholeRate = (rate: number): BitsPerSecond => bitsPerSecond(Math.ceil(rate));

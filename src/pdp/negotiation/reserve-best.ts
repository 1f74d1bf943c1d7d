/** Takes from the pools what is wanted, or the best below it that fits. */
import type { Refusal } from "../../model/decision.js";
import type { TrafficSpec } from "../../model/flow.js";
import type { SessionId } from "../../model/session.js";
import type { PoolNeed } from "../ledger.js";
import type { SessionPools } from "../pools/session-pools.js";
import { bestFit, type TrafficRange } from "./best-fit.js";

export interface RangeRequest {
  readonly session: SessionId;
  readonly ranges: readonly TrafficRange[];
  /** As `bestFit` has it; asked only where the wanted rates do not fit. */
  readonly kindOf?: (index: number) => string;
  /** What the session has to hold to get this traffic, one for each range. */
  readonly needs: (traffic: readonly TrafficSpec[]) => readonly PoolNeed[];
}

export type RangeAnswer = { readonly admitted: true; readonly traffic: readonly TrafficSpec[] } | Refusal;

/**
 * First asks for the most that pools may come to, which may wait for larger ones; if that is not to be had, takes what fits now.
 * Looking and taking are one step: nobody comes in between. On refusal the session keeps what it held.
 */
export async function reserveBest(pools: SessionPools, request: RangeRequest): Promise<RangeAnswer> {
  const { session, ranges, needs, kindOf } = request;
  const least = ranges.map((range) => range.least);
  const hoped = bestFit(ranges, (traffic) => pools.look(session, needs(traffic)) !== "none", kindOf) ?? least;
  const answer = await pools.reserve(session, needs(hoped));
  if (answer.admitted) return { admitted: true, traffic: hoped };
  const now = bestFit(ranges, (traffic) => pools.look(session, needs(traffic)) === "now", kindOf);
  if (now === undefined) return answer;
  // There is room for it in this very moment: this does not wait.
  const taken = await pools.reserve(session, needs(now));
  return taken.admitted ? { admitted: true, traffic: now } : taken;
}

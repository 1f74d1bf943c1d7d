/** How the difference in flows is cut into transactions: small enough that decisions find their way between them. */
import { flowKeyId } from "../../model/flow.js";
import type { FlowId, FlowRule } from "../port.js";
import type { DeltaTracker } from "./delta-tracker.js";

/** Flows to a transaction of a repair. */
const CHUNK = 1000;

export interface RepairUnits {
  /** What goes or changes: it may hold keys that others want. */
  readonly going: readonly (readonly FlowId[])[];
  /** What only comes. */
  readonly coming: readonly (readonly FlowId[])[];
}

/** Flows that pass a key from one to the other share a transaction. */
export function repairUnits({ pendingDeletions, pendingUpdates }: DeltaTracker<FlowId, FlowRule>): RepairUnits {
  const linked = linkedFlows(pendingDeletions, pendingUpdates);
  const rest = (id: FlowId): boolean => !linked.has(id);
  const changed = [...pendingDeletions.keys()].filter(rest);
  const coming = [...pendingUpdates.keys()].filter((id) => rest(id) && !pendingDeletions.has(id));
  return {
    going: [...(linked.size > 0 ? [[...linked]] : []), ...chunksOf(changed)],
    coming: chunksOf(coming),
  };
}

function linkedFlows(
  deletions: ReadonlyMap<FlowId, FlowRule>,
  updates: ReadonlyMap<FlowId, FlowRule>,
): ReadonlySet<FlowId> {
  const linked = new Set<FlowId>();
  if (deletions.size === 0) return linked;
  const freed = new Map([...deletions.values()].map((rule) => [flowKeyId(rule.key), rule.id]));
  for (const rule of updates.values()) {
    const from = freed.get(flowKeyId(rule.key));
    if (from !== undefined && from !== rule.id) linked.add(from).add(rule.id);
  }
  return linked;
}

function chunksOf(ids: readonly FlowId[]): readonly (readonly FlowId[])[] {
  const chunks: (readonly FlowId[])[] = [];
  for (let at = 0; at < ids.length; at += CHUNK) chunks.push(ids.slice(at, at + CHUNK));
  return chunks;
}

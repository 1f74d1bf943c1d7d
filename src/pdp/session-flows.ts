/** What a new answer changes of a session's flows. Pure. */
import type { SessionFlow } from "../model/flow.js";
import type { InstalledFlow } from "./session-record.js";

/** A flow, and the pool whose queue its packets go through. */
export interface PooledFlow {
  readonly flow: SessionFlow;
  readonly pool: string;
}

export interface FlowChange {
  readonly keep: readonly InstalledFlow[];
  readonly remove: readonly InstalledFlow[];
  readonly install: readonly InstalledFlow[];
}

/**
 * Flows that stay as they are keep their numbers; all others go, or come under new ones.
 * @param ownPool - the pool of installed flows that do not say theirs
 */
export function compareFlows(
  have: readonly InstalledFlow[],
  want: readonly PooledFlow[],
  { ownPool, nextInstance }: { readonly ownPool: string | undefined; readonly nextInstance: () => number },
): FlowChange {
  const keyOf = (flow: SessionFlow, pool: string | undefined): string => `${pool} ${JSON.stringify(flow)}`;
  const same = new Map(have.map((installed) => [keyOf(installed.flow, installed.pool ?? ownPool), installed]));
  const keep: InstalledFlow[] = [];
  const install: InstalledFlow[] = [];
  for (const { flow, pool } of want) {
    const installed = same.get(keyOf(flow, pool));
    if (installed === undefined) install.push({ instance: nextInstance(), flow, pool });
    else keep.push(installed);
  }
  return { keep, install, remove: have.filter((installed) => !keep.includes(installed)) };
}

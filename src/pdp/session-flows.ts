/** What a new answer changes of a session's flows. Pure. */
import type { SessionFlow } from "../model/flow.js";
import type { InstalledFlow } from "./session-record.js";

/** A flow, its service class, and the pool whose queue its packets go through. */
export interface PooledFlow {
  readonly flow: SessionFlow;
  readonly class: string;
  readonly pool: string;
}

export interface FlowChange {
  readonly keep: readonly InstalledFlow[];
  readonly remove: readonly InstalledFlow[];
  readonly install: readonly InstalledFlow[];
}

/** A service class, and the pool of its flows between no communities. */
interface OwnPlace {
  readonly name: string;
  readonly pool?: string | undefined;
}

type Placed = Pick<InstalledFlow, "class" | "pool" | "flow">;

/**
 * Flows that stay as they are keep their numbers; all others go, or come under new ones.
 * @param own - class and pool of installed flows that do not say theirs
 */
export function compareFlows(
  have: readonly InstalledFlow[],
  want: readonly PooledFlow[],
  { own, nextInstance }: { readonly own: OwnPlace; readonly nextInstance: () => number },
): FlowChange {
  const keyOf = ({ class: name = own.name, pool = own.pool, flow }: Placed): string =>
    `${name} ${pool} ${JSON.stringify(flow)}`;
  const same = new Map(have.map((installed) => [keyOf(installed), installed]));
  const keep: InstalledFlow[] = [];
  const install: InstalledFlow[] = [];
  for (const wanted of want) {
    const installed = same.size === 0 ? undefined : same.get(keyOf(wanted));
    if (installed === undefined) install.push({ instance: nextInstance(), ...wanted });
    else keep.push(installed);
  }
  return { keep, install, remove: have.filter((installed) => !keep.includes(installed)) };
}

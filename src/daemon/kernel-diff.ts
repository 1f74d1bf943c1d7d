/** Intent against kernel, as rows for people; and what would mend it. */
import type { DifferenceView, DiffView } from "../control/views.js";
import type {
  DesiredState,
  FlowRule,
  KernelChange,
  KernelPort,
  ObservedState,
  PoolClass,
  Tunnel,
} from "../kernel/port.js";
import { describeOuter, describePlace } from "../kernel/reconcile/describe.js";
import { SystemError } from "../model/errors.js";
import { describeFlow } from "../model/flow.js";
import { describeDscp } from "../model/phb.js";

/** A flush by somebody else makes everything differ: the first rows tell as much. */
const ROWS_MAX = 1000;
/** More than this is no text for people, and too much for one answer. */
const RENDERED_FLOWS_MAX = 50_000;
const ABSENT = "absent";

/** @throws KernelError; SystemError KERNEL_DIFF_SIZE where so much differs that the transaction cannot be shown. */
export async function diffKernel(kernel: KernelPort, desired: DesiredState, render: boolean): Promise<DiffView> {
  const observed = await kernel.read();
  const changes = kernel.plan(desired, observed);
  const rows = differences(desired, observed, changes);
  const touched = changes.filter(({ kind }) => kind === "flow.add" || kind === "flow.remove").length;
  if (render && touched > RENDERED_FLOWS_MAX) {
    const why = `${touched} changes of flows are more than can be shown (${RENDERED_FLOWS_MAX})`;
    throw new SystemError("KERNEL_DIFF_SIZE", why, { remedy: "ask without --dry-run" });
  }
  return {
    backend: kernel.backend.detail,
    differences: rows.slice(0, ROWS_MAX),
    total: rows.length,
    kept: observed.flows.size - changes.filter(({ kind }) => kind === "flow.remove").length,
    ...(render ? { steps: await kernel.render(desired, changes) } : {}),
  };
}

/** One row for each object that is not as it is wanted. */
export function differences(
  desired: DesiredState,
  observed: ObservedState,
  changes: readonly KernelChange[],
): readonly DifferenceView[] {
  const absent = observed.interfaces.filter(({ present }) => !present);
  const rows: DifferenceView[] = absent.map(({ name }) => ({
    kind: "interface",
    object: name,
    wanted: "managed",
    found: "no such device",
  }));
  for (const change of changes) {
    const row = rowOf(change, desired, observed);
    if (row !== undefined) rows.push(row);
  }
  return rows;
}

function rowOf(change: KernelChange, desired: DesiredState, observed: ObservedState): DifferenceView | undefined {
  switch (change.kind) {
    case "structure":
      return {
        kind: "structure",
        object: "table and queueing",
        wanted: "as configured",
        found: structureText(observed),
      };
    case "pool.set": {
      const found = observed.pools.get(change.pool.id);
      return row("pool", change.pool.id, poolText(change.pool), found && poolText(found));
    }
    case "pool.remove":
      return row("pool", change.pool.id, undefined, poolText(change.pool));
    case "tunnel.set": {
      const found = observed.tunnels.get(change.tunnel.id);
      return row("tunnel", change.tunnel.id, tunnelText(change.tunnel), found && tunnelText(found));
    }
    case "tunnel.remove":
      return row("tunnel", change.tunnel.id, undefined, tunnelText(change.tunnel));
    case "flow.add": {
      const found = observed.flows.get(change.rule.id)?.rule;
      return row("flow", change.rule.id, flowText(change.rule), found && flowText(found));
    }
    // One that comes back otherwise has its row already.
    case "flow.remove":
      return desired.flows.has(change.rule.id)
        ? undefined
        : row("flow", change.rule.id, undefined, flowText(change.rule));
  }
}

const row = (kind: DifferenceView["kind"], id: number, wanted = ABSENT, found = ABSENT): DifferenceView => ({
  kind,
  object: String(id),
  wanted,
  found,
});

function structureText(observed: ObservedState): string {
  if (observed.structureId === undefined) return ABSENT;
  return observed.structure ? "made for another configuration" : "incomplete, or changed by somebody else";
}

const poolText = (pool: PoolClass): string => `${pool.name}: ${pool.rate} bit/s${describePlace(pool)}`;

const tunnelText = (tunnel: Tunnel): string => `${tunnel.name}: ${describeOuter(tunnel)}, packets to ${tunnel.mtu} B`;

function flowText({ session, key, dscp, pool, rate, burst, packetSize, outOfProfile, tunnel }: FlowRule): string {
  const beyond = outOfProfile.action === "drop" ? "drop" : describeDscp(outOfProfile.dscp);
  const size = packetSize === undefined ? "" : `, packets to ${packetSize} B`;
  const by = tunnel === undefined ? "" : `, tunnel ${tunnel}`;
  return (
    `${describeFlow(key)} of ${session}: ${describeDscp(dscp)}, pool ${pool}, ${rate} bit/s, burst ${burst} B${size}, ` +
    `beyond ${beyond}${by}`
  );
}

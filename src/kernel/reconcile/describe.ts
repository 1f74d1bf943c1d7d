/** Changes and differences in words, for logs and health. */
import { describeFlow } from "../../model/flow.js";
import { hasPorts } from "../../model/tunnel.js";
import { describeMatch } from "../aggregate-match.js";
import type { FlowRule, KernelChange, OutOfProfile, PoolClass, Tunnel } from "../port.js";

const excess = (out: OutOfProfile): string => (out.action === "drop" ? "drop" : `re-mark ${out.dscp}`);

const flowText = (rule: FlowRule): string =>
  `flow ${rule.id} (${describeFlow(rule.key)}) of ${rule.session}: dscp ${rule.dscp}, pool ${rule.pool}, ` +
  `${rule.rate} bit/s, burst ${rule.burst} octets, excess: ${excess(rule.outOfProfile)}` +
  (rule.tunnel === undefined ? "" : `, tunnel ${rule.tunnel}`);

/** Kind and both outer ends, with ports where it has any. */
export function describeOuter({ kind, local, remote, sourcePort, destinationPort }: Tunnel): string {
  const end = (address: string, port: number): string => (hasPorts(kind) ? `${address} port ${port}` : address);
  return `${kind} ${end(local, sourcePort)} > ${end(remote, destinationPort)}`;
}

const tunnelText = (tunnel: Tunnel): string => `tunnel ${tunnel.id} "${tunnel.name}" ${describeOuter(tunnel)}`;

/** What tells a pool's class from one that is everywhere and for sessions alone. */
export const describePlace = ({ only, carries = [] }: PoolClass): string =>
  (only === undefined ? "" : ` on ${only}`) +
  (carries.length === 0 ? "" : `, carries ${carries.map(describeMatch).join("; ")}`);

/** One line. */
export function describeChange(change: KernelChange): string {
  switch (change.kind) {
    case "structure":
      return "make the structure";
    case "pool.set":
      return `set pool ${change.pool.id} "${change.pool.name}": ${change.pool.rate} bit/s${describePlace(change.pool)}`;
    case "pool.remove":
      return `remove pool ${change.pool.id} "${change.pool.name}"`;
    case "tunnel.set":
      return `set ${tunnelText(change.tunnel)}`;
    case "tunnel.remove":
      return `remove ${tunnelText(change.tunnel)}`;
    case "flow.add": {
      const start = change.counters?.inProfile.packets ?? 0;
      return `add ${flowText(change.rule)}${start > 0 ? `, counting from ${start} packets` : ""}`;
    }
    case "flow.remove":
      return `remove ${flowText(change.rule)}`;
  }
}

export const describeError = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** What a router does with tunnels: whether it can have any, and what `show tunnels` tells of them. */
import type { TunnelView } from "../control/views.js";
import { sameTunnel } from "../kernel/plan.js";
import type { BackendInfo, FlowRule, KernelKeeper, KernelPort, Tunnel, TunnelId } from "../kernel/port.js";
import { unreachable } from "../model/errors.js";
import { formatEndpoint } from "../model/ip.js";
import { addCounters, type Counter, type FlowCounters, ZERO_COUNTER } from "../model/usage.js";

/** Tunnels are chosen by rules of nf_tables; the other back ends have nothing that could. */
export function steersIntoTunnels({ name }: Pick<BackendInfo, "name">): boolean {
  switch (name) {
    case "nftables":
    case "dsmark":
    case "fake":
      return true;
    case "iptables":
    case "ebpf":
      return false;
    default:
      return unreachable(name, "steersIntoTunnels");
  }
}

/** Those that are wanted, with what the flows in them carried so far. */
export async function tunnelViews(
  kernel: Pick<KernelPort, "read">,
  keeper: Pick<KernelKeeper, "desired" | "counters">,
): Promise<readonly TunnelView[]> {
  const { tunnels, flows } = keeper.desired;
  if (tunnels.size === 0) return [];
  const steered = [...flows.values()].filter(({ tunnel }) => tunnel !== undefined);
  const [observed, counters] = await Promise.all([kernel.read(), keeper.counters(steered)]);
  return [...tunnels.values()].map((tunnel) => {
    const rules = steered.filter((rule) => rule.tunnel === tunnel.id);
    return {
      id: tunnel.id,
      name: tunnel.name,
      kind: tunnel.kind,
      outer: outerFlow(tunnel),
      mtu: tunnel.mtu,
      flows: rules.length,
      carried: rules.reduce((sum, rule) => addCounters(sum, carriedBy(rule, counters.get(rule.id))), ZERO_COUNTER),
      state: isWhole(observed.tunnels, tunnel) ? "whole" : "missing",
    };
  });
}

/** Excess is steered as well, unless it is dropped. */
function carriedBy({ outOfProfile: { action } }: FlowRule, counters: FlowCounters | undefined): Counter {
  if (counters === undefined) return ZERO_COUNTER;
  const { inProfile, outOfProfile } = counters;
  return action === "drop" ? inProfile : addCounters(inProfile, outOfProfile);
}

function isWhole(observed: ReadonlyMap<TunnelId, Tunnel>, tunnel: Tunnel): boolean {
  const found = observed.get(tunnel.id);
  return found !== undefined && sameTunnel(found, tunnel);
}

function outerFlow({ kind, local, remote, sourcePort, destinationPort }: Tunnel): string {
  if (destinationPort === 0) return `${kind} ${local} > ${remote}`;
  return `udp ${formatEndpoint(local, sourcePort)} > ${formatEndpoint(remote, destinationPort)}`;
}

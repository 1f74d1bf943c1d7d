import type {
  DesiredState,
  FlowId,
  FlowRule,
  ManagedInterface,
  OutOfProfile,
  PoolClass,
  PoolId,
} from "../../src/kernel/port.js";
import type { SessionId } from "../../src/model/session.js";
import { type Dscp, dscp, kilobitsPerSecond, octets } from "../../src/model/units.js";

export const SESSION = "0123456789abcdef" as SessionId;

export const drop: OutOfProfile = { action: "drop" };
export const remark = (code: number): OutOfProfile => ({ action: "remark", dscp: dscp(code) });

export function flow(id: FlowId, changes: Partial<FlowRule> = {}): FlowRule {
  return {
    id,
    session: SESSION,
    key: {
      protocol: "udp",
      source: { address: "192.0.2.10", port: 10_000 + id },
      destination: { address: "198.51.100.20", port: 20_000 + id },
    },
    dscp: dscp(46) as Dscp,
    pool: 1,
    rate: kilobitsPerSecond(80),
    burst: octets(1500),
    outOfProfile: drop,
    ...changes,
  };
}

export const flow6 = (id: FlowId, changes: Partial<FlowRule> = {}): FlowRule =>
  flow(id, {
    key: {
      protocol: "udp",
      source: { address: "2001:db8:1::10", port: 10_000 + id },
      destination: { address: "2001:db8:2::20", port: 20_000 + id },
    },
    ...changes,
  });

export const pool = (id: PoolId, kilobits = 1000, name = `pool ${id}`): PoolClass => ({
  id,
  name,
  rate: kilobitsPerSecond(kilobits),
});

export const link = (name: string, kilobits = 10_000): ManagedInterface => ({
  name,
  rate: kilobitsPerSecond(kilobits),
  overhead: octets(0),
  signallingRate: kilobitsPerSecond(256),
});

export function desired(
  flows: readonly FlowRule[],
  options: Partial<Omit<DesiredState, "pools" | "flows">> & { readonly pools?: readonly PoolClass[] } = {},
): DesiredState {
  const { pools = [pool(1)], ...rest } = options;
  return {
    interfaces: [],
    signalling: [
      { protocol: "udp", port: 5060, servers: ["192.0.2.1", "2001:db8::1"] },
      { protocol: "tcp", port: 3288, servers: ["192.0.2.2"] },
    ],
    signallingDscp: dscp(24),
    tunnels: new Map(),
    ...rest,
    pools: new Map(pools.map((entry) => [entry.id, entry])),
    flows: new Map(flows.map((rule) => [rule.id, rule])),
  };
}

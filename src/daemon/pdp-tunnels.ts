/** Which pools of the policy server are carried in tunnels, and what that means for its sessions and its router. */
import type { PdpConfig } from "../config/pdp.js";
import { tunnelOfPool } from "../config/pool-tunnels.js";
import { PoolMap } from "../pdp/pools/pool-map.js";
import type { PolicyTunnel } from "../pdp/router/tunnel-rows.js";

/** Those that end at our router, which is where packets of both directions enter or leave them. */
export function policyTunnels(config: PdpConfig): readonly PolicyTunnel[] {
  const routers = new Map(config.communities.map(({ name, router }) => [name, router]));
  return config.pools.flatMap((pool): readonly PolicyTunnel[] => {
    const tunnel = tunnelOfPool(pool, config);
    const isOurs = (name: string | undefined): boolean => routers.get(name ?? "") === config.access.router;
    if (tunnel === undefined || (!isOurs(pool.from) && !isOurs(pool.to))) return [];
    const { number, kind, from, to, sourcePort, destinationPort, mtu } = tunnel;
    const [local, remote] = isOurs(pool.from) ? [from, to] : [to, from];
    return [{ id: number, name: pool.name, pool: pool.name, kind, local, remote, sourcePort, destinationPort, mtu }];
  });
}

/** With what the tunnels add to each packet. */
export const poolMap = (config: PdpConfig): PoolMap =>
  new PoolMap({
    ...config,
    pools: config.pools.map((pool) => ({ ...pool, tunnelOverhead: tunnelOfPool(pool, config)?.overhead })),
  });

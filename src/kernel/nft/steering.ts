/**
 * How packets of sessions get into tunnels: a mark, from which a rule of the routing chooses the tunnel's table. Nothing of
 * it is there while there are no tunnels. Pure.
 *
 * The route is chosen between prerouting and forward, so the packet is looked up here once more; policing, code point and
 * class stay in forward, and what they set survives the encapsulation. After the translation of destinations the packet
 * looks as it will in forward, so one key serves both hooks.
 */
import { TUNNEL_MARK, tunnelMark } from "../link/tunnel.js";
import type { TunnelId } from "../port.js";
import { chain, classId, hex, inBlocks, lookup } from "./rule-text.js";
import { PORT_SETS, SESSION_SETS } from "./sets.js";

export const STEERING_HOOK = "type filter hook prerouting priority dstnat + 5; policy accept;";

const FAMILIES = [4, 6] as const;
const tunnelChain = (id: TunnelId): string => `tunnel_${id}`;

/** None without tunnels. */
export function steeringChainNames(tunnels: readonly TunnelId[]): readonly string[] {
  if (tunnels.length === 0) return [];
  return [...tunnels.map(tunnelChain), "steer", "steering6", "steering4", "prerouting"];
}

/**
 * The priority carries the tunnel's number from the map to the choice, and is nothing afterwards: IPv6 packets keep it into
 * forward. A number without a chain goes the plain way: so does a flow for the moment in which its tunnel comes or goes.
 */
export function steeringChains(tunnels: readonly TunnelId[]): readonly string[] {
  if (tunnels.length === 0) return [];
  const choices = tunnels.map((id) => `${classId(id)} : goto ${tunnelChain(id)}`);
  const nothing = `meta priority set ${classId(0)}`;
  // Only the bits that are ours: the others belong to whoever set them.
  const mark = (id: TunnelId): string =>
    `meta mark set meta mark and ${hex(~TUNNEL_MARK.mask)} or ${hex(tunnelMark(id))} accept`;
  return [
    ...tunnels.map((id) => chain(tunnelChain(id), [nothing, mark(id)])),
    chain("steer", [`meta priority vmap { ${choices.join(", ")} }`, nothing]),
    ...[...FAMILIES]
      .reverse()
      .map((family) =>
        chain(`steering${family}`, [
          ...(family === 4 ? ["meta nfproto ipv6 goto steering6"] : []),
          ...SESSION_SETS.filter((set) => set.family === family && set.profile === "steer").map((set) =>
            lookup(set, "steer"),
          ),
        ]),
      ),
    chain("prerouting", [STEERING_HOOK, `${inBlocks(PORT_SETS.steer)} goto steering4`]),
  ];
}

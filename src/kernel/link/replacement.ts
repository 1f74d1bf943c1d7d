/** What makes tunnels, after what stands in their way is gone. Pure. */
import type { Tunnel, TunnelId } from "../port.js";
import { type FouPort, fouPortOf, sameFouPort } from "./fou-port.js";
import type { TunnelNames } from "./names.js";
import { conflictAmong } from "./problem.js";
import type { ObservedTunnels } from "./reading.js";
import { createCommands, deleteCommands, type IpCommands, NO_PARTS } from "./tunnel.js";

/**
 * Takes away whatever there is of the same number, and tunnels of ours that the kernel cannot have beside those wanted.
 * @param ports - all that receive IP in UDP
 */
export function setCommands(
  names: TunnelNames,
  { whole, parts }: ObservedTunnels,
  ports: readonly FouPort[],
  tunnels: readonly Tunnel[],
): readonly IpCommands[] {
  const gone = new Set<TunnelId>();
  const owned = [...parts.values()].flatMap((found) => found.ports);
  return tunnels.flatMap((tunnel) => {
    const inTheWay = [...whole.values()].filter((other) => conflictAmong([other, tunnel]) !== undefined);
    const ids = [tunnel.id, ...inTheWay.map(({ id }) => id)].filter((id) => parts.has(id) && !gone.has(id));
    for (const id of ids) gone.add(id);
    const orphans = orphansOf(tunnel, ports, owned);
    return [
      ...ids.map((id) => deleteCommands(names, id, parts.get(id) ?? NO_PARTS)),
      ...(orphans.length === 0 ? [] : [deleteCommands(names, tunnel.id, { ...NO_PARTS, ports: orphans })]),
      createCommands(names, tunnel),
    ];
  });
}

/** A port between the same ends that lost everything which told whose it is. */
function orphansOf(tunnel: Tunnel, ports: readonly FouPort[], owned: readonly FouPort[]): readonly FouPort[] {
  const wanted = fouPortOf(tunnel);
  if (wanted === undefined || owned.some((port) => sameFouPort(port, wanted))) return [];
  return ports.filter((port) => sameFouPort(port, wanted));
}

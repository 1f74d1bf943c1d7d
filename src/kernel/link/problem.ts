/** Why tunnels cannot be made as they are asked for: judged before anything is touched. Pure. */
import { familyOf, parseAddress } from "../../model/ip.js";
import { hasPorts } from "../../model/tunnel.js";
import type { Tunnel } from "../port.js";
import { fouPortOf } from "./fou-port.js";
import { isTunnelId, type TunnelNames } from "./names.js";

const MAX_ALIAS = 255;

const isPort = (port: number): boolean => Number.isInteger(port) && port >= 1 && port < 0xffff;

function portProblem({ kind, sourcePort, destinationPort }: Tunnel): string | undefined {
  if (hasPorts(kind)) return isPort(sourcePort) && isPort(destinationPort) ? undefined : "a port is 1 to 65534";
  return sourcePort === 0 && destinationPort === 0 ? undefined : `${kind} has no ports: they are 0`;
}

/** Why this cannot be made, or undefined. */
export function tunnelProblem(names: TunnelNames, tunnel: Tunnel): string | undefined {
  if (!isTunnelId(tunnel.id)) return "a tunnel id is 1 to 255";
  if (parseAddress(tunnel.local) !== tunnel.local || parseAddress(tunnel.remote) !== tunnel.remote)
    return "an address is not canonical";
  if (familyOf(tunnel.local) !== familyOf(tunnel.remote)) return "its ends are of different families";
  if (tunnel.local === tunnel.remote) return "its ends are the same";
  const ports = portProblem(tunnel);
  if (ports !== undefined) return ports;
  if (!Number.isInteger(tunnel.mtu) || tunnel.mtu < 1280 || tunnel.mtu > 65_000)
    return "an MTU is 1280 (what IPv6 needs) to 65000 octets";
  if (names.alias(tunnel).length > MAX_ALIAS) return "its name is too long for the device's alias";
  return undefined;
}

/** What the kernel tells tunnels of a kind apart by, beside which there can be no second one; none where the number is in it. */
function claimsOf(tunnel: Tunnel): readonly string[] {
  const { kind, local, remote } = tunnel;
  switch (kind) {
    case "vxlan":
    case "gre":
      return [];
    case "ipip":
    case "fou":
    case "gue": {
      const port = fouPortOf(tunnel);
      const ends = `the ends ${local} and ${remote}`;
      return port === undefined ? [ends] : [ends, `the destination port ${port.port} at ${local}`];
    }
    default:
      return kind satisfies never;
  }
}

export interface Conflict {
  readonly tunnel: Tunnel;
  readonly problem: string;
}

/** The first that is in the way of another: of one number there is only one, the last. */
export function conflictAmong(tunnels: Iterable<Tunnel>): Conflict | undefined {
  const owners = new Map<string, Tunnel>();
  for (const tunnel of new Map([...tunnels].map((one) => [one.id, one])).values()) {
    for (const claim of claimsOf(tunnel)) {
      const other = owners.get(claim);
      if (other !== undefined) {
        const problem = `tunnel ${other.id} "${other.name}" has ${claim} already: gre and vxlan may share them`;
        return { tunnel, problem };
      }
      owners.set(claim, tunnel);
    }
  }
  return undefined;
}

/** From provisioning instances to the tunnels that the kernel should have. */
import { ZERO_OID } from "../../cops/pr/oid.js";
import { pib } from "../../cops/pr/pib/index.js";
import type { RowOf } from "../../cops/pr/prc.js";
import type { PriView } from "../../cops/pr/pri-view.js";
import type { Tunnel, TunnelId } from "../../kernel/port.js";
import { addressFromBytes } from "../../model/ip.js";
import { octets } from "../../model/units.js";

const MAX_TUNNEL = 255;

/** Every tunnel, or why one cannot be made. Whether the kernel has its kind, the kernel says. */
export function readTunnels(view: PriView): ReadonlyMap<TunnelId, Tunnel> | string {
  const tunnels = new Map<TunnelId, Tunnel>();
  for (const [id, row] of view.rows(pib.sluiceTunnel)) {
    if (id > MAX_TUNNEL) return `tunnel ${id}: numbers end at ${MAX_TUNNEL}`;
    const size = row.addrType === "ipv4" ? 4 : 16;
    if (row.localAddr.length !== size || row.remoteAddr.length !== size) {
      return `tunnel ${id}: an address has the wrong length`;
    }
    const { name, kind, sourcePort, destinationPort, mtu } = row;
    const [local, remote] = [addressFromBytes(row.localAddr), addressFromBytes(row.remoteAddr)];
    tunnels.set(id, { id, name, kind, local, remote, sourcePort, destinationPort, mtu: octets(mtu) });
  }
  return tunnels;
}

/** The tunnel of a flow; undefined: none carries it. A reference to something else is for the reader to refuse. */
export function tunnelOf(
  view: PriView,
  { tunnel }: Pick<RowOf<typeof pib.sluiceSession>, "tunnel">,
): TunnelId | "unknown" | undefined {
  if (tunnel === ZERO_OID) return undefined;
  return view.follow(pib.sluiceTunnel, tunnel)?.instance ?? "unknown";
}

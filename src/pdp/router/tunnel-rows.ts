/** Tunnels between edges as rows of our own PIB class. */
import type { Binding } from "../../cops/pr/bindings.js";
import { pib } from "../../cops/pr/pib/index.js";
import { encodeRow } from "../../cops/pr/prc.js";
import { addressToBytes, type IpAddress } from "../../model/ip.js";
import type { TunnelKind } from "../../model/tunnel.js";
import type { Octets } from "../../model/units.js";

/** A tunnel as the router sees it that begins it. */
export interface PolicyTunnel {
  /** 1..255, the same at both ends: instance of its row. */
  readonly id: number;
  readonly name: string;
  readonly kind: TunnelKind;
  /** Both ends of the outer packet, of one family. */
  readonly local: IpAddress;
  readonly remote: IpAddress;
  /** 0 with a kind that has no ports. */
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** Largest inner packet, layer 3. */
  readonly mtu: Octets;
  /** Name of the pool whose sessions it carries. */
  readonly pool: string;
}

export function tunnelRow(tunnel: PolicyTunnel): Binding {
  const { id, name, kind, local, remote, sourcePort, destinationPort, mtu } = tunnel;
  const [localAddr, remoteAddr] = [addressToBytes(local), addressToBytes(remote)];
  return encodeRow(pib.sluiceTunnel, id, {
    name,
    kind,
    addrType: localAddr.length === 4 ? "ipv4" : "ipv6",
    localAddr,
    remoteAddr,
    sourcePort,
    destinationPort,
    mtu,
  });
}

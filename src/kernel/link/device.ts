/**
 * The device of each kind of tunnel, as `ip link` makes it and as it tells it. Pure.
 *
 * All of them take the code point of the inner packet along, and both families of inner packets go through one device. Outer IPv4
 * says "do not fragment" where the kind can: who sends too much is told, instead of having fragments on the reserved path.
 */
import { addressToBytes, familyOf, type IpFamily, parseAddress } from "../../model/ip.js";
import { hasPorts, type TunnelKind } from "../../model/tunnel.js";
import type { Octets } from "../../model/units.js";
import type { Tunnel, TunnelId } from "../port.js";
import { macOf, type TunnelNames } from "./names.js";

const TTL = 64;

/** Types of devices that `ip` is asked for. */
export const DEVICE_TYPES = ["vxlan", "gre", "ip6gre", "sit", "ip6tnl"] as const;
export type DeviceType = (typeof DEVICE_TYPES)[number];

/** IPv6 in IPv4 and IPv4 in IPv4 go through one device only by the type that was made for the former. */
const typeOf = (kind: TunnelKind, outer: IpFamily): DeviceType => {
  switch (kind) {
    case "vxlan":
      return "vxlan";
    case "gre":
      return outer === 4 ? "gre" : "ip6gre";
    case "ipip":
    case "fou":
    case "gue":
      return outer === 4 ? "sit" : "ip6tnl";
    default:
      return kind satisfies never;
  }
};

/** RFC 2473 §4.1.1: without `encaplimit none` every packet had a destination options header of 8 octets more. */
const HEADER: Readonly<Record<IpFamily, string>> = {
  4: `ttl ${TTL} tos inherit pmtudisc`,
  6: `hoplimit ${TTL} tclass inherit encaplimit none`,
};

/**
 * What follows `type` in `ip link add`. VXLAN's range of source ports is one port wide, so that all packets have one outer
 * 5-tuple; the kernel takes a range of nothing for none at all, hence the second number. IP in UDP has a checksum over IPv6 and
 * none over IPv4, which is what `ip` asks for by itself.
 */
export function deviceType(tunnel: Tunnel): string {
  const { id, kind, local, remote, sourcePort, destinationPort } = tunnel;
  const outer = familyOf(local) ?? 4;
  const ends = `local ${local} remote ${remote}`;
  const type = typeOf(kind, outer);
  switch (kind) {
    case "vxlan":
      return (
        `${type} id ${id} ${ends} dstport ${destinationPort} srcport ${sourcePort} ${sourcePort + 1} ` +
        `tos inherit ttl ${TTL} nolearning`
      );
    case "gre":
      return `${type} ${ends} key ${id} ${HEADER[outer]}`;
    case "ipip":
      return `${type} mode any ${ends} ${HEADER[outer]}`;
    case "fou":
    case "gue":
      return (
        `${type} mode any ${ends} ${HEADER[outer]} ` +
        `encap ${kind} encap-sport ${sourcePort} encap-dport ${destinationPort}`
      );
    default:
      return kind satisfies never;
  }
}

/** An Ethernet of its own, as VXLAN is, knows the far end by an address that is computed. */
export const isEthernet = (kind: TunnelKind): boolean => kind === "vxlan";

/** Lines for `ip -batch`: the device, signed and up. */
export function deviceCommands(names: TunnelNames, tunnel: Tunnel): readonly string[] {
  const device = names.device(tunnel.id);
  const address = isEthernet(tunnel.kind) ? ` address ${macOf(tunnel.local, tunnel.id)}` : "";
  return [
    `link add ${device} mtu ${tunnel.mtu}${address} type ${deviceType(tunnel)}`,
    `link set ${device} alias ${names.alias(tunnel)}`,
    `link set ${device} up`,
  ];
}

/** As `ip -d -j link` tells it, as far as we read it. */
export interface TunnelDevice {
  readonly name: string;
  readonly alias: string;
  readonly mtu: number;
  readonly up: boolean;
  readonly type: DeviceType;
  /** VXLAN's identifier, or GRE's key where both directions have the same; 0: none. */
  readonly number: number;
  /** Whether it takes inner packets of both families. */
  readonly anyFamily: boolean;
  readonly local: string;
  readonly remote: string;
  readonly encapsulation: "none" | "fou" | "gue";
  /** 0: none, or whichever. */
  readonly destinationPort: number;
  readonly sourcePort: number;
}

function kindOf({ type, encapsulation }: TunnelDevice): TunnelKind {
  switch (type) {
    case "vxlan":
      return "vxlan";
    case "gre":
    case "ip6gre":
      return "gre";
    case "sit":
    case "ip6tnl":
      return encapsulation === "none" ? "ipip" : encapsulation;
    default:
      return type satisfies never;
  }
}

const isNumbered = (kind: TunnelKind): boolean => kind === "vxlan" || kind === "gre";

/** Undefined for a device that is not as we make it. */
export function tunnelOf(names: TunnelNames, device: TunnelDevice): Tunnel | undefined {
  const id: TunnelId | undefined = names.idOfDevice(device.name);
  const name = id === undefined ? undefined : names.nameOfAlias(device.alias, id);
  const local = parseAddress(device.local);
  const remote = parseAddress(device.remote);
  if (id === undefined || name === undefined || local === undefined || remote === undefined) return undefined;
  const kind = kindOf(device);
  if (!device.up || !device.anyFamily || (isNumbered(kind) && device.number !== id)) return undefined;
  const { destinationPort, sourcePort } = hasPorts(kind) ? device : { destinationPort: 0, sourcePort: 0 };
  return { id, name, kind, local, remote, sourcePort, destinationPort, mtu: device.mtu as Octets };
}

/** `0.0.0.7` of GRE's key. */
export const keyNumber = (text: string): number =>
  familyOf(text) === 4 ? Buffer.from(addressToBytes(text)).readUInt32BE() : 0;

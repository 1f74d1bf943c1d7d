/**
 * A tunnel as Linux has it: a VXLAN device, a route table that leads into it, and a rule that sends packets of a mark there.
 * Pure.
 *
 * Whose it is can be told of each object: the device's name is made from the table's name and its alias says it all; the
 * route table's number carries the signature; routes and rules carry our protocol number.
 */
import { createHash } from "node:crypto";
import { addressToBytes, familyOf, type IpFamily, parseAddress } from "../../model/ip.js";
import type { Octets } from "../../model/units.js";
import type { Tunnel, TunnelId } from "../port.js";

/** Bits of the packet mark that name a tunnel; all others belong to whoever set them. */
export const TUNNEL_MARK = { mask: 0x00ff0000, shift: 16 } as const;
/** In routes and rules, where `ip` shows who made them: no routing daemon has this number. */
export const PROTOCOL_NUMBER = 83;
/** Rules before the main table's. */
const FIRST_PREFERENCE = 5300;
/** Next hops that nobody has to know: the far end of the tunnel is the only one behind it. */
const NEXT_HOP: Readonly<Record<IpFamily, string>> = { 4: "169.254.83.1", 6: "fe80::53" };
const TTL = 64;
const MAX_ALIAS = 255;

/** What one table's tunnels are known by. */
export class TunnelNames {
  readonly #prefix: string;
  readonly #firstTable: number;
  readonly #alias: string;

  constructor(table: string) {
    const digest = createHash("sha256").update(`tunnels of ${table}`).digest();
    this.#prefix = `sl${digest.toString("hex", 0, 3)}t`;
    this.#firstTable = (0x53000000 | (digest.readUInt16BE(3) << 8)) >>> 0;
    this.#alias = `sluice:${table}:`;
  }

  device(id: TunnelId): string {
    return `${this.#prefix}${id}`;
  }

  /** Undefined for a device that is not ours. */
  idOfDevice(name: string): TunnelId | undefined {
    const id = name.startsWith(this.#prefix) ? Number(name.slice(this.#prefix.length)) : Number.NaN;
    return isTunnelId(id) && name === this.device(id) ? id : undefined;
  }

  routeTable(id: TunnelId): number {
    return this.#firstTable + id;
  }

  idOfRouteTable(number: number): TunnelId | undefined {
    const id = number - this.#firstTable;
    return isTunnelId(id) ? id : undefined;
  }

  alias(tunnel: Tunnel): string {
    return `${this.#alias}${tunnel.id}:${encodeURIComponent(tunnel.name)}`;
  }

  nameOfAlias(alias: string, id: TunnelId): string | undefined {
    const prefix = `${this.#alias}${id}:`;
    if (!alias.startsWith(prefix)) return undefined;
    try {
      return decodeURIComponent(alias.slice(prefix.length));
    } catch {
      return undefined;
    }
  }
}

export const isTunnelId = (id: number): boolean => Number.isInteger(id) && id >= 1 && id <= 255;

/** Why this cannot be made, or undefined. */
export function tunnelProblem(names: TunnelNames, tunnel: Tunnel): string | undefined {
  const isPort = (port: number): boolean => Number.isInteger(port) && port >= 1 && port < 0xffff;
  if (!isTunnelId(tunnel.id)) return "a tunnel id is 1 to 255";
  if (parseAddress(tunnel.local) !== tunnel.local || parseAddress(tunnel.remote) !== tunnel.remote)
    return "an address is not canonical";
  if (familyOf(tunnel.local) !== familyOf(tunnel.remote)) return "its ends are of different families";
  if (tunnel.local === tunnel.remote) return "its ends are the same";
  if (!isPort(tunnel.sourcePort) || !isPort(tunnel.destinationPort)) return "a port is 1 to 65534";
  if (!Number.isInteger(tunnel.mtu) || tunnel.mtu < 1280 || tunnel.mtu > 65_000)
    return "an MTU is 1280 (what IPv6 needs) to 65000 octets";
  if (names.alias(tunnel).length > MAX_ALIAS) return "its name is too long for the device's alias";
  return undefined;
}

/** Locally administered, and the same seen from both ends: nobody has to ask for it. */
export function macOf(address: string, id: TunnelId): string {
  const digest = createHash("sha256")
    .update(addressToBytes(address))
    .update(Buffer.from([id]))
    .digest();
  return ["02", ...Array.from(digest.subarray(0, 5), (octet) => octet.toString(16).padStart(2, "0"))].join(":");
}

export const tunnelMark = (id: TunnelId): number => (id << TUNNEL_MARK.shift) >>> 0;

const hex = (value: number): string => `0x${value.toString(16)}`;
const markText = (id: TunnelId): string => `${hex(tunnelMark(id))}/${hex(TUNNEL_MARK.mask)}`;

export type IpCommands = Readonly<Record<IpFamily, readonly string[]>>;

/**
 * Lines for `ip -batch`, then for `ip -6 -batch`. The range of source ports is one port wide, so that all packets have
 * one outer 5-tuple; the kernel takes a range of nothing for none at all, hence the second number.
 */
export function createCommands(names: TunnelNames, tunnel: Tunnel): IpCommands {
  const device = names.device(tunnel.id);
  const table = names.routeTable(tunnel.id);
  const neighbour = macOf(tunnel.remote, tunnel.id);
  const inner = (family: IpFamily): readonly string[] => [
    `neigh replace ${NEXT_HOP[family]} lladdr ${neighbour} dev ${device} nud permanent`,
    `route replace default via ${NEXT_HOP[family]} dev ${device} onlink table ${table} proto ${PROTOCOL_NUMBER}`,
    `rule add fwmark ${markText(tunnel.id)} lookup ${table} pref ${FIRST_PREFERENCE + tunnel.id} protocol ${PROTOCOL_NUMBER}`,
  ];
  // The outer packet still has the mark: without this it would be sent into its own tunnel.
  const outer = `route replace throw ${tunnel.remote} table ${table} proto ${PROTOCOL_NUMBER}`;
  const before = (family: IpFamily): readonly string[] => (familyOf(tunnel.remote) === family ? [outer] : []);
  return {
    4: [
      `link add ${device} mtu ${tunnel.mtu} address ${macOf(tunnel.local, tunnel.id)} type vxlan id ${tunnel.id} ` +
        `local ${tunnel.local} remote ${tunnel.remote} dstport ${tunnel.destinationPort} ` +
        `srcport ${tunnel.sourcePort} ${tunnel.sourcePort + 1} tos inherit ttl ${TTL} nolearning`,
      `link set ${device} alias ${names.alias(tunnel)}`,
      `link set ${device} up`,
      ...before(4),
      ...inner(4),
    ],
    6: [...before(6), ...inner(6)],
  };
}

/** What there is of a tunnel; neighbours, and the routes that lead into the device, go with it. */
export interface TunnelParts {
  readonly device: boolean;
  readonly rules: Readonly<Record<IpFamily, number>>;
  /** Destinations that its route table leaves to the tables after it. */
  readonly throws: Readonly<Record<IpFamily, readonly string[]>>;
}

export const NO_PARTS: TunnelParts = { device: false, rules: { 4: 0, 6: 0 }, throws: { 4: [], 6: [] } };

/** Rules first: no packet is sent to a table that leads nowhere. */
export function deleteCommands(names: TunnelNames, id: TunnelId, parts: TunnelParts): IpCommands {
  const rule =
    `rule del fwmark ${markText(id)} lookup ${names.routeTable(id)} ` +
    `pref ${FIRST_PREFERENCE + id} protocol ${PROTOCOL_NUMBER}`;
  const lists = (family: IpFamily): readonly string[] => [
    ...new Array<string>(parts.rules[family]).fill(rule),
    ...parts.throws[family].map(
      (address) => `route del throw ${address} table ${names.routeTable(id)} proto ${PROTOCOL_NUMBER}`,
    ),
  ];
  return { 4: [...lists(4), ...(parts.device ? [`link del ${names.device(id)}`] : [])], 6: lists(6) };
}

/** As `ip -d -j link` tells it, as far as we read it. */
export interface VxlanDevice {
  readonly name: string;
  readonly alias: string;
  readonly mtu: number;
  readonly up: boolean;
  readonly id: number;
  readonly local: string;
  readonly remote: string;
  readonly destinationPort: number;
  readonly sourcePort: number;
}

/** Undefined for a device that is not as we make it. */
export function tunnelOf(names: TunnelNames, device: VxlanDevice): Tunnel | undefined {
  const id = names.idOfDevice(device.name);
  const name = id === undefined ? undefined : names.nameOfAlias(device.alias, id);
  const local = parseAddress(device.local);
  const remote = parseAddress(device.remote);
  if (id === undefined || name === undefined || local === undefined || remote === undefined) return undefined;
  if (device.id !== id || !device.up) return undefined;
  const { destinationPort, sourcePort } = device;
  return { id, name, kind: "vxlan", local, remote, sourcePort, destinationPort, mtu: device.mtu as Octets };
}

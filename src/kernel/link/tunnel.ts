/**
 * A tunnel as Linux has it: a device, a route table that leads into it, a rule that sends packets of a mark there, and, for
 * IP in UDP, a port that receives. Pure.
 *
 * Whose it is can be told of each object: the device's name is made from the table's name and its alias says it all; the
 * route table's number carries the signature; routes and rules carry our protocol number; a port is connected to both ends.
 */
import { familyOf, type IpFamily } from "../../model/ip.js";
import type { Tunnel, TunnelId } from "../port.js";
import { deviceCommands, isEthernet } from "./device.js";
import { addFouPort, deleteFouPort, type FouPort, fouPortOf } from "./fou-port.js";
import { macOf, type TunnelNames } from "./names.js";

export { isTunnelId, macOf, TunnelNames } from "./names.js";

/** Bits of the packet mark that name a tunnel; all others belong to whoever set them. */
export const TUNNEL_MARK = { mask: 0x00ff0000, shift: 16 } as const;
/** In routes and rules, where `ip` shows who made them: no routing daemon has this number. */
export const PROTOCOL_NUMBER = 83;
/** Rules before the main table's. */
const FIRST_PREFERENCE = 5300;
/** Next hops that nobody has to know: the far end of the tunnel is the only one behind it. */
const NEXT_HOP: Readonly<Record<IpFamily, string>> = { 4: "169.254.83.1", 6: "fe80::53" };

export const tunnelMark = (id: TunnelId): number => (id << TUNNEL_MARK.shift) >>> 0;

const hex = (value: number): string => `0x${value.toString(16)}`;
const markText = (id: TunnelId): string => `${hex(tunnelMark(id))}/${hex(TUNNEL_MARK.mask)}`;

export type IpCommands = Readonly<Record<IpFamily, readonly string[]>>;

/** Into the device; where it is an Ethernet of its own, by a neighbour that is made known. */
function routeInto(names: TunnelNames, { id, kind, remote }: Tunnel, family: IpFamily): readonly string[] {
  const device = names.device(id);
  const ending = `table ${names.routeTable(id)} proto ${PROTOCOL_NUMBER}`;
  const hop = NEXT_HOP[family];
  if (!isEthernet(kind)) return [`route replace default dev ${device} ${ending}`];
  return [
    `neigh replace ${hop} lladdr ${macOf(remote, id)} dev ${device} nud permanent`,
    `route replace default via ${hop} dev ${device} onlink ${ending}`,
  ];
}

/** Lines for `ip -batch`, then for `ip -6 -batch`. What only one end needs comes before what sends packets there. */
export function createCommands(names: TunnelNames, tunnel: Tunnel): IpCommands {
  const { id, remote } = tunnel;
  const table = names.routeTable(id);
  const inner = (family: IpFamily): readonly string[] => [
    ...routeInto(names, tunnel, family),
    `rule add fwmark ${markText(id)} lookup ${table} pref ${FIRST_PREFERENCE + id} protocol ${PROTOCOL_NUMBER}`,
  ];
  const port = fouPortOf(tunnel);
  const outer = [
    ...(port === undefined ? [] : [addFouPort(port)]),
    // The outer packet still has the mark: without this it would be sent into its own tunnel.
    `route replace throw ${remote} table ${table} proto ${PROTOCOL_NUMBER}`,
  ];
  const before = (family: IpFamily): readonly string[] => (familyOf(remote) === family ? outer : []);
  return { 4: [...deviceCommands(names, tunnel), ...before(4), ...inner(4)], 6: [...before(6), ...inner(6)] };
}

/** What there is of a tunnel; neighbours, and the routes that lead into the device, go with it. */
export interface TunnelParts {
  readonly device: boolean;
  readonly rules: Readonly<Record<IpFamily, number>>;
  /** Destinations that its route table leaves to the tables after it. */
  readonly throws: Readonly<Record<IpFamily, readonly string[]>>;
  readonly ports: readonly FouPort[];
}

export const NO_PARTS: TunnelParts = { device: false, rules: { 4: 0, 6: 0 }, throws: { 4: [], 6: [] }, ports: [] };

/** Rules first: no packet is sent to a table that leads nowhere. Ports before what tells whose they are. */
export function deleteCommands(names: TunnelNames, id: TunnelId, parts: TunnelParts): IpCommands {
  const table = names.routeTable(id);
  const pref = FIRST_PREFERENCE + id;
  const rule = `rule del fwmark ${markText(id)} lookup ${table} pref ${pref} protocol ${PROTOCOL_NUMBER}`;
  const lists = (family: IpFamily): readonly string[] => [
    ...new Array<string>(parts.rules[family]).fill(rule),
    ...parts.ports.filter((port) => port.family === family).map(deleteFouPort),
    ...parts.throws[family].map((address) => `route del throw ${address} table ${table} proto ${PROTOCOL_NUMBER}`),
  ];
  return { 4: [...lists(4), ...(parts.device ? [`link del ${names.device(id)}`] : [])], 6: lists(6) };
}

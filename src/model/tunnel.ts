/** Encapsulations that carry the sessions of a pool between two edges as one outer flow, and what each costs. */
import type { IpFamily } from "./ip.js";
import { type Octets, octets } from "./units.js";

/** The smallest overhead first. */
export const TUNNEL_KINDS = ["ipip", "gre", "fou", "gue", "vxlan"] as const;

/**
 * `ipip`: RFC 2003, RFC 2473, RFC 4213 §3. `gre`: RFC 2784 with the key of RFC 2890. `fou`, `gue`: IP in UDP without and with a
 * header of its own. `vxlan`: RFC 7348.
 */
export type TunnelKind = (typeof TUNNEL_KINDS)[number];

const UDP = 8;
/** After the outer IP header, as far as the inner IP header. */
const AFTER_IP: Readonly<Record<TunnelKind, number>> = { ipip: 0, gre: 8, fou: UDP, gue: UDP + 4, vxlan: UDP + 8 + 14 };
const IP: Readonly<Record<IpFamily, number>> = { 4: 20, 6: 40 };

/** What a tunnel adds to each packet, layer 3. @param outer - family of its ends */
export const tunnelOverhead = (kind: TunnelKind, outer: IpFamily): Octets => octets(IP[outer] + AFTER_IP[kind]);

/**
 * Largest inner packet whose outer one still fits, layer 3.
 * @param outer - family of the tunnel's ends
 * @param pathMtu - what the path between them carries, layer 3; more than the overhead
 */
export const tunnelMtu = (kind: TunnelKind, outer: IpFamily, pathMtu: Octets): Octets =>
  octets(pathMtu - tunnelOverhead(kind, outer));

/** Whether the outer packets have ports. */
export const hasPorts = (kind: TunnelKind): boolean => kind !== "ipip" && kind !== "gre";

/**
 * IP protocol of the outer packet, by the family of the inner one: with the ports, where it has any, that is one 5-tuple.
 * Only `ipip` makes two flows of a tunnel that carries both families.
 */
export const OUTER_PROTOCOL: Readonly<Record<TunnelKind, Readonly<Record<IpFamily, number>>>> = {
  ipip: { 4: 4, 6: 41 },
  gre: { 4: 47, 6: 47 },
  fou: { 4: 17, 6: 17 },
  gue: { 4: 17, 6: 17 },
  vxlan: { 4: 17, 6: 17 },
};

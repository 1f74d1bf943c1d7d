/**
 * Where a request goes that only its sender wants to go there. A proxy that follows any Route, or any Request-URI, sends what
 * strangers write to whom they like, also to what stands behind it and speaks no SIP. Pure.
 */
import { type IpAddress, type IpPrefix, parseAddress, parsePrefix, prefixContains } from "../../model/ip.js";
import type { HostPort } from "../message/grammar.js";
import { DEFAULT_PORT } from "../transport/via-routing.js";
import type { RoutingTable } from "./options.js";

/** `known`: whatever its address is. `open`: if `isOpen` says so of what the name leads to. */
export type Leave = "known" | "open" | "closed";

export class Reach {
  private readonly places: ReadonlySet<string>;
  private readonly hops: ReadonlySet<IpAddress>;
  private readonly dns: boolean;
  private readonly prefixes: readonly IpPrefix[];

  constructor({ users, routes, dns, dnsPrefixes = [] }: RoutingTable) {
    this.places = new Set([...users.values(), ...routes.values()].map(keyOf));
    this.hops = new Set([...routes.values()].flatMap(({ host }) => parseAddress(host) ?? []));
    this.dns = dns === true;
    this.prefixes = dnsPrefixes;
  }

  /** @param named - by the party of the request's dialog that it goes to */
  leave(place: HostPort, named: readonly HostPort[]): Leave {
    const key = keyOf(place);
    if (this.places.has(key) || named.some((own) => keyOf(own) === key)) return "known";
    const address = parseAddress(place.host);
    return this.dns && (address === undefined || this.isOpen(address)) ? "open" : "closed";
  }

  /** True for addresses of the public internet, and for those that the configuration adds. */
  isOpen(address: IpAddress): boolean {
    return isPublic(address) || this.prefixes.some((prefix) => prefixContains(prefix, address));
  }

  /** True for the address of a hop of `routes`, whatever the port. A hop that has a name only is never told by it. */
  isHop(address: IpAddress): boolean {
    return this.hops.has(address);
  }
}

const keyOf = ({ host, port }: HostPort): string =>
  `${parseAddress(host) ?? host.toLowerCase()} ${port ?? DEFAULT_PORT}`;

const prefixesOf = (...texts: readonly string[]): readonly IpPrefix[] =>
  texts.flatMap((text) => parsePrefix(text) ?? []);

/** RFC 6890: this network, private use, carriers' translators, loopback, link-local, protocols, tests, multicast, reserved. */
const NOT_PUBLIC_4 = prefixesOf(
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "224.0.0.0/3",
);
/** RFC 4291 §2.4: of IPv6 this is what has been given to be reached from everywhere. */
const GLOBAL_6 = prefixesOf("2000::/3");
/** RFC 4380, RFC 3056: they hold IPv4 addresses that may be any. */
const WRAPPED_4 = prefixesOf("2001::/32", "2002::/16");

function isPublic(address: IpAddress): boolean {
  const isIn = (prefixes: readonly IpPrefix[]): boolean => prefixes.some((prefix) => prefixContains(prefix, address));
  return address.includes(":") ? isIn(GLOBAL_6) && !isIn(WRAPPED_4) : !isIn(NOT_PUBLIC_4);
}

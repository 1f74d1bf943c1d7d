/**
 * The maps of our table that send forwarded packets of aggregates to their class: one for each code point, with the
 * outgoing interface as its key, and for flows some for each interface, with what names a flow as their key. (nft can print
 * no key of more than five fields, and none in which a code point is beside another.) A map is there while a pool needs it.
 */
import { familyOf, type IpFamily } from "../../model/ip.js";
import { type Dscp, dscp } from "../../model/units.js";
import type { AggregateMatch, ManagedInterface, PoolClass } from "../port.js";

/** Which ports are in the key. */
export type CarriedPorts = "both" | "destination" | "none";

export type CarrySet =
  | { readonly by: "codePoint"; readonly name: string; readonly dscp: Dscp }
  | {
      readonly by: "flow";
      readonly name: string;
      readonly interface: string;
      readonly family: IpFamily;
      readonly ports: CarriedPorts;
    };

export type FlowMatch = Extract<AggregateMatch, { by: "flow" }>;
type Links = readonly Pick<ManagedInterface, "name">[];

/** The exact ones first: the order in which a packet meets them. */
const PORTS: readonly CarriedPorts[] = ["both", "destination", "none"];
const SUFFIX: Readonly<Record<CarriedPorts, string>> = { both: "", destination: "any", none: "bare" };
const CODE_POINT_MAP = /^carry_dscp_(\d{1,2})$/;
const FLOW_MAP = /^carry([46])(any|bare)?_([A-Za-z0-9_.-]{1,15})$/;
/** Interfaces that a router may have. */
const MOST_LINKS = 1024;
const MOST_FLOWS = 4096;

const codePointSet = (code: Dscp): CarrySet => ({ by: "codePoint", name: `carry_dscp_${code}`, dscp: code });

const flowSet = (link: string, family: IpFamily, ports: CarriedPorts): CarrySet => ({
  by: "flow",
  name: `carry${family}${SUFFIX[ports]}_${link}`,
  interface: link,
  family,
  ports,
});

const portsOf = ({ source, destination }: FlowMatch): CarriedPorts =>
  destination.port === undefined ? "none" : source.port === undefined ? "destination" : "both";

export const carrySetOf = (match: AggregateMatch, link: string): CarrySet =>
  match.by === "codePoint"
    ? codePointSet(match.dscp)
    : flowSet(link, familyOf(match.destination.address) ?? 4, portsOf(match));

/** Interfaces on which a pool carries. */
export const carryingLinks = ({ only }: PoolClass, links: Links): readonly string[] =>
  only === undefined ? links.map(({ name }) => name) : [only];

/** Those that these pools need, each once. */
export function carrySetsOf(pools: Iterable<PoolClass>, links: Links): readonly CarrySet[] {
  const sets = new Map<string, CarrySet>();
  for (const pool of pools) {
    if (pool.carries === undefined) continue;
    for (const link of carryingLinks(pool, links)) {
      for (const match of pool.carries) {
        const set = carrySetOf(match, link);
        sets.set(set.name, set);
      }
    }
  }
  return [...sets.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
}

/** Undefined for a name that we never give. */
export function parseCarrySet(name: string): CarrySet | undefined {
  const code = CODE_POINT_MAP.exec(name)?.[1];
  if (code !== undefined && Number(code) < 64) return codePointSet(dscp(Number(code)));
  const [, family, suffix = "", link] = FLOW_MAP.exec(name) ?? [];
  const ports = PORTS.find((each) => SUFFIX[each] === suffix);
  if (family === undefined || link === undefined || ports === undefined) return undefined;
  return flowSet(link, family === "4" ? 4 : 6, ports);
}

function keyType(set: CarrySet): string {
  if (set.by === "codePoint") return "ifname";
  const address = `ipv${set.family}_addr`;
  const fields: Readonly<Record<CarriedPorts, string>> = {
    both: `${address} . inet_service . ${address} . inet_service`,
    destination: `${address} . ${address} . inet_service`,
    none: `${address} . ${address}`,
  };
  return `inet_proto . ${fields[set.ports]}`;
}

export function carryMapText(set: CarrySet): string {
  const size = set.by === "codePoint" ? MOST_LINKS : MOST_FLOWS;
  return [`\tmap ${set.name} {`, `\t\ttype ${keyType(set)} : classid`, `\t\tsize ${size}`, "\t}"].join("\n");
}

/** What the rules look up in a map, in nft's words. */
export function carriedKey(set: CarrySet): string {
  if (set.by === "codePoint") return "oifname";
  const ip = set.family === 4 ? "ip" : "ip6";
  const fields: Readonly<Record<CarriedPorts, string>> = {
    both: `${ip} saddr . th sport . ${ip} daddr . th dport`,
    destination: `${ip} saddr . ${ip} daddr . th dport`,
    none: `${ip} saddr . ${ip} daddr`,
  };
  return `meta l4proto . ${fields[set.ports]}`;
}

/** In the order in which a packet meets them. */
export const inPacketOrder = (sets: readonly CarrySet[]): readonly CarrySet[] =>
  [...sets].sort((left, right) => rankOf(left) - rankOf(right));

const rankOf = (set: CarrySet): number => (set.by === "codePoint" ? PORTS.length : PORTS.indexOf(set.ports));

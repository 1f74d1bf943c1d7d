/** Where communities, links and pools are: what is asked for each session, as tables. */
import type { FlowDirection } from "../../model/flow.js";
import type { IpAddress } from "../../model/ip.js";
import type { Octets } from "../../model/units.js";
import { PrefixTable } from "./prefix-table.js";

/** Users between whom and others bandwidth is set aside. */
export interface Community {
  readonly name: string;
  /** Apart from those of every other community. */
  readonly prefixes: readonly string[];
  readonly domains: readonly string[];
  /** Its edge router. */
  readonly router: string;
}

/** A link that the communities `behind` it need to reach the others: it is on the way of a session if one end is behind it. */
export interface Link {
  readonly name: string;
  readonly behind: readonly string[];
}

/** A pool between two communities, for one service class. */
export interface CommunityPool {
  readonly name: string;
  readonly from: string;
  readonly to: string;
  readonly class: string;
  /** `forward`: for packets from `from` to `to` only. */
  readonly direction: "both" | "forward";
  /** Names of the links that it lies in; if undefined, all between its communities. */
  readonly links?: readonly string[] | undefined;
  /** What its tunnel adds to each packet, layer 3; absent: it is carried in none. */
  readonly tunnelOverhead?: Octets | undefined;
}

/** A pool or link that packets of one direction of a session take from, and which of its two directions. */
export interface Take {
  readonly pool: string;
  /** Of a link: `up` leaves the communities behind it. Of a pool between communities: `up` is from `from` to `to`. */
  readonly direction: FlowDirection;
}

export interface PoolMapOptions {
  readonly communities: readonly Community[];
  readonly links: readonly Link[];
  /** Those without `from`, `to` and `class` are between no communities, and left out. */
  readonly pools: readonly AnyPool[];
}

type AnyPool = Pick<CommunityPool, "name"> & { readonly [Key in keyof CommunityPool]?: CommunityPool[Key] | undefined };

interface FoundPool {
  readonly pool: CommunityPool;
  readonly direction: FlowDirection;
}

export class PoolMap {
  readonly #prefixes = new PrefixTable<Community>();
  readonly #domains = new Map<string, Community>();
  readonly #links: ReadonlyMap<string, Link>;
  /** Names of the links that a community is behind. */
  readonly #behind = new Map<string, Set<string>>();
  readonly #pools = new Map<string, FoundPool>();

  constructor({ communities, links, pools }: PoolMapOptions) {
    for (const community of communities) {
      for (const prefix of community.prefixes) this.#prefixes.set(prefix, community);
      for (const domain of community.domains) this.#domains.set(domain, community);
    }
    this.#links = new Map(links.map((link) => [link.name, link]));
    for (const { name, behind } of links) {
      for (const community of behind) this.#linksBehind(community).add(name);
    }
    for (const pool of pools) if (isBetween(pool)) this.#add(pool);
  }

  /** The community of an address; of a domain only as long as no address is known. */
  communityOf(end: { readonly address?: IpAddress | undefined; readonly domain: string }): Community | undefined {
    return end.address === undefined ? this.#domains.get(end.domain) : this.#prefixes.get(end.address);
  }

  /** The pool of packets from one community to another. */
  poolFrom(from: string, to: string, serviceClass: string): FoundPool | undefined {
    return this.#pools.get(keyOf(from, to, serviceClass));
  }

  /** The links between two places, those at `from` first; undefined stands for a place in no community. */
  linksFrom(from: string | undefined, to: string | undefined): readonly Take[] {
    const [near, far] = [this.#at(from), this.#at(to)];
    return [
      ...[...near].filter((name) => !far.has(name)).map((pool): Take => ({ pool, direction: "up" })),
      ...[...far].filter((name) => !near.has(name)).map((pool): Take => ({ pool, direction: "down" })),
    ];
  }

  /** The given links, each in the direction that packets from `from` have in it. */
  linksNamed(names: readonly string[], from: string): readonly Take[] {
    const near = this.#at(from);
    return names
      .filter((name) => this.#links.has(name))
      .map((pool) => ({ pool, direction: near.has(pool) ? "up" : "down" }));
  }

  #at(community: string | undefined): ReadonlySet<string> {
    return (community === undefined ? undefined : this.#behind.get(community)) ?? NOWHERE;
  }

  #linksBehind(community: string): Set<string> {
    const known = this.#behind.get(community) ?? new Set();
    this.#behind.set(community, known);
    return known;
  }

  #add(pool: CommunityPool): void {
    this.#pools.set(keyOf(pool.from, pool.to, pool.class), { pool, direction: "up" });
    if (pool.direction === "both") {
      this.#pools.set(keyOf(pool.to, pool.from, pool.class), { pool, direction: "down" });
    }
  }
}

const NOWHERE: ReadonlySet<string> = new Set();

/** Names have no spaces. */
const keyOf = (from: string, to: string, serviceClass: string): string => `${from} ${to} ${serviceClass}`;

const isBetween = (pool: AnyPool): pool is CommunityPool =>
  pool.from !== undefined && pool.to !== undefined && pool.class !== undefined && pool.direction !== undefined;

/** No communities: every session takes from the pool of its class. */
export const NO_COMMUNITIES = new PoolMap({ communities: [], links: [], pools: [] });

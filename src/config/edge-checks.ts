/** What pools that end at edge routers need of their communities: those that are reserved, and those in tunnels. */
import { familyOf } from "../model/ip.js";
import type { CrossProblem } from "./common.js";
import type { PdpConfig } from "./pdp.js";

type Pool = PdpConfig["pools"][number];
type Community = PdpConfig["communities"][number];

/** Why a pool needs edges: the key that says so, and what it means for who reads the problem. */
interface Need {
  readonly key: "reserve" | "carry";
  readonly nobody: string;
  readonly upTo: (pool: string) => string;
}

const RESERVED: Need = {
  key: "reserve",
  nobody: "there is nobody to reserve towards",
  upTo: (pool) => `pool "${pool}" is reserved up to it`,
};
const TUNNELLED: Need = {
  key: "carry",
  nobody: "its tunnel leads nowhere",
  upTo: (pool) => `the tunnel of pool "${pool}" ends there`,
};

/** Unknown communities and classes are told by the pools' own checks. */
export function checkEdges(config: PdpConfig): readonly CrossProblem[] {
  const communities = new Map(config.communities.map((community, index) => [community.name, { community, index }]));
  const told = new Set<string>();
  return config.pools.flatMap((pool, index): readonly CrossProblem[] => {
    const need = pool.reserve !== "none" ? RESERVED : pool.carry !== "marked" ? TUNNELLED : undefined;
    if (need === undefined) return [];
    const [from, to] = [communities.get(pool.from ?? ""), communities.get(pool.to ?? "")];
    if (pool.from === undefined || pool.to === undefined) return [notBetween(pool, index, need)];
    if (from === undefined || to === undefined || pool.from === pool.to) return [];
    const missing = [from, to].filter(({ community }) => community.edge === undefined && !told.has(community.name));
    for (const { community } of missing) told.add(community.name);
    if (missing.length > 0)
      return missing.map(({ community, index: place }) => noEdge(community, place, { pool, need }));
    return checkPair(from.community, to.community, { pool, index, need });
  });
}

const notBetween = ({ name }: Pool, index: number, { key, nobody }: Need): CrossProblem => ({
  path: ["pools", index, key],
  message: `pool "${name}" is not between communities, so ${nobody}`,
  remedy: `add from, to and class, or take ${key} away`,
});

interface NeedyPool {
  readonly pool: Pool;
  readonly need: Need;
}

const noEdge = ({ name }: Community, index: number, { pool, need }: NeedyPool): CrossProblem => ({
  path: ["communities", index, "name"],
  message: `community "${name}" has no edge, and ${need.upTo(pool.name)}`,
  remedy: 'add "edge: 10.1.0.1", the address of its edge router',
});

function checkPair(
  from: Community,
  to: Community,
  { pool, index, need: { key } }: NeedyPool & { readonly index: number },
): readonly CrossProblem[] {
  if (from.edge === undefined || to.edge === undefined) return [];
  const path = ["pools", index, key];
  if (from.edge === to.edge || from.router === to.router) {
    const message = `both ends of pool "${pool.name}" are at one edge`;
    return [{ path, message, remedy: `take ${key} away: nothing lies between them` }];
  }
  if (familyOf(from.edge) === familyOf(to.edge)) return [];
  const message = `the edges of pool "${pool.name}" are ${from.edge} and ${to.edge}: of two IP versions`;
  return [{ path, message, remedy: "give both communities an edge of the same" }];
}

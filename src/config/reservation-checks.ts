/** What must fit together where pools are reserved in the network. */
import { familyOf } from "../model/ip.js";
import { dscpOf } from "../model/phb.js";
import type { CrossProblem } from "./common.js";
import type { PdpConfig } from "./pdp.js";

type Pool = PdpConfig["pools"][number];
type Community = PdpConfig["communities"][number];

/** Unknown communities and classes are told by the pools' own checks. */
export function checkReservations(config: PdpConfig): readonly CrossProblem[] {
  const communities = new Map(config.communities.map((community, index) => [community.name, { community, index }]));
  const taken = new Map<string, string>();
  const told = new Set<string>();
  return config.pools.flatMap((pool, index): readonly CrossProblem[] => {
    if (pool.reserve === "none") return [];
    const [from, to] = [communities.get(pool.from ?? ""), communities.get(pool.to ?? "")];
    if (pool.from === undefined || pool.to === undefined) return [notBetween(pool, index)];
    if (from === undefined || to === undefined || pool.from === pool.to) return [];
    const missing = [from, to].filter(({ community }) => community.edge === undefined && !told.has(community.name));
    for (const { community } of missing) told.add(community.name);
    if (missing.length > 0) return missing.map(({ community, index: place }) => noEdge(community, place, pool));
    return [
      ...checkEdges(from.community, to.community, pool, index),
      ...checkAggregate(config, { pool, index, taken }),
    ];
  });
}

const notBetween = ({ name }: Pool, index: number): CrossProblem => ({
  path: ["pools", index, "reserve"],
  message: `pool "${name}" is not between communities, so there is nobody to reserve towards`,
  remedy: "add from, to and class, or take reserve away",
});

const noEdge = ({ name }: Community, index: number, pool: Pool): CrossProblem => ({
  path: ["communities", index, "name"],
  message: `community "${name}" has no edge, and pool "${pool.name}" is reserved up to it`,
  remedy: 'add "edge: 10.1.0.1", the address of its edge router',
});

function checkEdges(from: Community, to: Community, pool: Pool, index: number): readonly CrossProblem[] {
  if (from.edge === undefined || to.edge === undefined) return [];
  const path = ["pools", index, "reserve"];
  if (from.edge === to.edge || from.router === to.router) {
    const message = `both ends of pool "${pool.name}" are at one edge`;
    return [{ path, message, remedy: "take reserve away: nothing lies between them" }];
  }
  if (familyOf(from.edge) === familyOf(to.edge)) return [];
  const message = `the edges of pool "${pool.name}" are ${from.edge} and ${to.edge}: of two IP versions`;
  return [{ path, message, remedy: "give both communities an edge of the same" }];
}

interface PoolInOrder {
  readonly pool: Pool;
  readonly index: number;
  /** Pools by their aggregate. */
  readonly taken: Map<string, string>;
}

/** RFC 3175 §3.3: an aggregate is known by its far edge and its code point, so two pools cannot have one each. */
function checkAggregate(config: PdpConfig, { pool, index, taken }: PoolInOrder): readonly CrossProblem[] {
  const { communities, classes } = config;
  const serviceClass = classes.find(({ name }) => name === pool.class);
  if (serviceClass === undefined) return [];
  const edge = (name: string | undefined): string =>
    communities.find((community) => community.name === name)?.edge ?? "";
  const dscp = dscpOf(serviceClass.phb);
  const [from, to] = [edge(pool.from), edge(pool.to)];
  const ways =
    pool.direction === "both" ? [`${from} ${to} ${dscp}`, `${to} ${from} ${dscp}`] : [`${from} ${to} ${dscp}`];
  const clash = ways.map((way) => taken.get(way)).find((other) => other !== undefined);
  for (const way of ways) taken.set(way, taken.get(way) ?? pool.name);
  if (clash === undefined) return [];
  const message = `pool "${pool.name}" is between the edges of pool "${clash}" and has its DSCP: one reservation for both`;
  return [{ path: ["pools", index, "reserve"], message, remedy: "make one pool of them, or give one another PHB" }];
}

/** Which pools a session takes from on its way. Pure. */
import type { Refusal } from "../../model/decision.js";
import type { FlowDirection, FlowKey, TrafficSpec } from "../../model/flow.js";
import type { IpAddress } from "../../model/ip.js";
import type { Octets } from "../../model/units.js";
import type { CommunityPool, PoolMap, Take } from "./pool-map.js";

/** A flow, or what is known of it before its key is. */
export interface WayFlow {
  readonly direction: FlowDirection;
  readonly traffic: TrafficSpec;
  readonly key?: FlowKey | undefined;
  /** Its own service class; that of the session if undefined. */
  readonly class?: WayClass | undefined;
}

export interface WayClass {
  readonly name: string;
  /** For flows that no pool between communities is for. */
  readonly pool?: string | undefined;
}

/** One party of a session. */
export interface PartyEnd {
  /** Of its address of record. */
  readonly domain: string;
  /** Where its media is, if that is known. */
  readonly address?: IpAddress | undefined;
}

export interface WayRequest {
  /** Of flows that have none of their own. */
  readonly class: WayClass;
  /** The party in the access network, and the other; what a flow's own addresses say goes before. */
  readonly local: PartyEnd;
  readonly far: PartyEnd;
  readonly flows: readonly WayFlow[];
}

/** The way of one flow. */
export interface FlowWay {
  /** The pool whose queue its packets go through. */
  readonly pool: string;
  /** What it takes from, that pool included, in the order of its packets. */
  readonly takes: readonly Take[];
  /** What a tunnel adds to each packet on the way, layer 3; absent: there is none. */
  readonly tunnelOverhead?: Octets;
}

/** A way for each flow, in the same order. */
export type WayChoice = { readonly admitted: true; readonly ways: readonly FlowWay[] } | Refusal;

/**
 * Chooses for each flow the pool between its two communities, or the class's own pool where there is none, and the
 * links on the way. Refuses (`noRoom`) a flow for which nothing is set aside.
 */
export function choosePools(map: PoolMap, request: WayRequest): WayChoice {
  const known = request.flows.find(({ key }) => key !== undefined);
  const ways: FlowWay[] = [];
  // Most flows of a session go the same way as one before.
  const found = new Map<string, FlowWay | undefined>();
  for (const flow of request.flows) {
    // What has no key yet, such as RTCP, is taken to go where the session's other flows go.
    const { local, far } = endsOf(flow.key === undefined ? known : flow, request);
    const [from, to] = flow.direction === "up" ? [local, far] : [far, local];
    const serviceClass = flow.class ?? request.class;
    const kind = `${serviceClass.name} ${from.address} ${to.address} ${flow.direction}`;
    if (!found.has(kind)) found.set(kind, wayBetween(map, serviceClass, { direction: flow.direction, from, to }));
    const way = found.get(kind);
    if (way === undefined) return noPool(map, serviceClass.name, from, to);
    ways.push(way);
  }
  return { admitted: true, ways };
}

function endsOf(flow: WayFlow | undefined, { local, far }: WayRequest): Pick<WayRequest, "local" | "far"> {
  if (flow?.key === undefined) return { local, far };
  const { source, destination } = flow.key;
  const [near, away] = flow.direction === "up" ? [source, destination] : [destination, source];
  return { local: { ...local, address: near.address }, far: { ...far, address: away.address } };
}

interface Passage {
  /** As the access network sees it. */
  readonly direction: FlowDirection;
  readonly from: PartyEnd;
  readonly to: PartyEnd;
}

function wayBetween(map: PoolMap, { name, pool: own }: WayClass, passage: Passage): FlowWay | undefined {
  const [from, to] = [map.communityOf(passage.from)?.name, map.communityOf(passage.to)?.name];
  const found = from === undefined || to === undefined ? undefined : map.poolFrom(from, to, name);
  if (from !== undefined && found !== undefined) {
    const { pool, direction } = found;
    const links = pool.links === undefined ? map.linksFrom(from, to) : map.linksNamed(pool.links, from);
    return { ...along(links, { pool: pool.name, direction }), ...addedBy(pool) };
  }
  return own === undefined ? undefined : along(map.linksFrom(from, to), { pool: own, direction: passage.direction });
}

const addedBy = ({ tunnelOverhead }: CommunityPool): Pick<FlowWay, "tunnelOverhead"> =>
  tunnelOverhead === undefined ? {} : { tunnelOverhead };

/** The links at the sender's end, the pool, the links at the receiver's end. */
const along = (links: readonly Take[], pool: Take): FlowWay => ({
  pool: pool.pool,
  takes: [
    ...links.filter(({ direction }) => direction === "up"),
    pool,
    ...links.filter(({ direction }) => direction === "down"),
  ],
});

function noPool(map: PoolMap, serviceClass: string, from: PartyEnd, to: PartyEnd): Refusal {
  const place = (end: PartyEnd): string => map.communityOf(end)?.name ?? end.address ?? end.domain;
  const text = `there is no pool for ${serviceClass} from ${place(from)} to ${place(to)}`;
  return { admitted: false, reason: "noRoom", text };
}

/** Every pool and link that a session takes from, as `explain` writes it. */
export function describeWay(ways: readonly FlowWay[]): string {
  const names = [...new Set(ways.flatMap(({ takes }) => takes.map(({ pool }) => pool)))];
  return names.length === 1 ? `pool ${names[0]}` : `pools ${names.join(", ")}`;
}

/**
 * Aggregate reservations as rows of our own PIB classes: what a router is told to reserve, and what it says of it.
 * Pools count at layer 2, reservations at layer 3.
 */
import type { Binding } from "../../cops/pr/bindings.js";
import { splitPrid, ZERO_OID } from "../../cops/pr/oid.js";
import { pib } from "../../cops/pr/pib/index.js";
import { decodeRow, encodeRow, pridOf, type RowOf } from "../../cops/pr/prc.js";
import { addressToBytes, type IpAddress } from "../../model/ip.js";
import { type BitsPerSecond, bitsPerSecond, type Dscp, kilobitsPerSecond, type Octets } from "../../model/units.js";

/** A reservation towards another edge. */
export interface PolicyAggregate {
  /** Number of its pool. */
  readonly pool: number;
  readonly remote: IpAddress;
  readonly dscp: Dscp;
  /** Layer 3, whole kbit/s. */
  readonly rate: BitsPerSecond;
  readonly burst: Octets;
  /** Of the largest packets, layer 3. */
  readonly packetSize: Octets;
  /** 1..2^32-1; another for each request of the pool. */
  readonly request: number;
  /**
   * The most that each edge reserves where the other wants more than itself; layer 3, whole kbit/s. Absent: each direction
   * stands for itself.
   */
  readonly ceiling?: BitsPerSecond;
  /** Number of the tunnel whose outer flow it is for: the instance of its sluiceTunnel row. */
  readonly tunnel?: number;
}

/** What a router says of an aggregate. Layer 3; undefined while nothing is known of a direction. */
export interface AggregateReport {
  readonly pool: number;
  readonly outgoing: BitsPerSecond | undefined;
  readonly incoming: BitsPerSecond | undefined;
  readonly state: RowOf<typeof pib.sluiceAggregateState>["state"];
  /** The request that it answers. */
  readonly request: number;
  readonly reason: string;
}

export function aggregateRow(aggregate: PolicyAggregate): Binding {
  const { pool, remote, dscp, rate, burst, packetSize, request, ceiling = 0, tunnel } = aggregate;
  const remoteAddr = addressToBytes(remote);
  return encodeRow(pib.sluiceAggregate, pool, {
    pool: pridOf(pib.sluicePool, pool),
    addrType: remoteAddr.length === 4 ? "ipv4" : "ipv6",
    remoteAddr,
    dscp,
    rate: Math.max(1, Math.ceil(rate / 1000)),
    burstSize: Math.ceil(burst),
    packetSize,
    request,
    ceiling: Math.ceil(ceiling / 1000),
    tunnel: tunnel === undefined ? ZERO_OID : pridOf(pib.sluiceTunnel, tunnel),
  });
}

/** The aggregates that an accounting report is about; rows that cannot be read are left out. */
export function aggregateReports(bindings: readonly Binding[]): readonly AggregateReport[] {
  return bindings.flatMap(({ prid, values }) => {
    const place = splitPrid(prid);
    if (place?.entry !== pib.sluiceAggregateState.entry) return [];
    const decoded = decodeRow(pib.sluiceAggregateState, place.instance, values);
    if (!decoded.ok) return [];
    const { outgoing, incoming, state, request, reason } = decoded.row;
    return [{ pool: place.instance, outgoing: rateOf(outgoing), incoming: rateOf(incoming), state, request, reason }];
  });
}

const rateOf = (kilobits: number | null): BitsPerSecond | undefined =>
  kilobits === null ? undefined : kilobitsPerSecond(kilobits);

/** How packets of a pool become larger on a link. Octets. */
export interface PacketShape {
  /** Of the largest packets, layer 3. */
  readonly packetSize: Octets;
  /** What the link adds to each packet. */
  readonly linkOverhead: Octets;
}

/**
 * What has to be reserved at layer 3 so that sessions may take `rate` at layer 2: rate × size / (size + overhead), for
 * the largest packets, of which the link's part is smallest; whole kbit/s, rounded up.
 */
export function reservedFor(rate: BitsPerSecond, { packetSize, linkOverhead }: PacketShape): BitsPerSecond {
  const kilobits = (rate * packetSize) / ((packetSize + linkOverhead) * 1000);
  return kilobitsPerSecond(Math.max(1, Math.ceil(kilobits)));
}

/** The other way round: what sessions may take at layer 2 of a layer-3 reservation; whole bit/s, rounded down. */
export const roomIn = (reserved: BitsPerSecond, { packetSize, linkOverhead }: PacketShape): BitsPerSecond =>
  bitsPerSecond(Math.floor((reserved * (packetSize + linkOverhead)) / packetSize));

/** Measurements as rows of our own PIB classes: what a router is told to measure, and what it says that it found. */
import type { Binding } from "../../cops/pr/bindings.js";
import { splitPrid } from "../../cops/pr/oid.js";
import { pib } from "../../cops/pr/pib/index.js";
import { decodeRow, encodeRow, pridOf, type RowOf } from "../../cops/pr/prc.js";
import { addressToBytes, type IpAddress } from "../../model/ip.js";
import { type Dscp, type Millis, millis } from "../../model/units.js";

/** A measurement in a pool's queue towards another edge. */
export interface PolicyProbe {
  /** Number of its pool. */
  readonly pool: number;
  /** Where packets are reflected. */
  readonly remote: IpAddress;
  readonly port: number;
  readonly dscp: Dscp;
  /** Between packets, 10 ms to 1 min. */
  readonly interval: Millis;
}

/** One direction in a report. */
export interface ReportedDirection {
  /** Packets that were lost in this direction. */
  readonly lost: number;
  /** Packets that set out in this direction: on the way back, those that arrived at the other edge. */
  readonly sent: number;
  /** One-way, 95th percentile; absent where no packet came back. */
  readonly latency?: Millis;
  readonly jitter?: Millis;
}

/** What a router found since its report before. */
export interface PathQualityReport {
  readonly pool: number;
  /** From our edge to the other. */
  readonly out: ReportedDirection;
  readonly in: ReportedDirection;
  readonly clocks: RowOf<typeof pib.sluicePathQuality>["clocks"];
}

export function probeRow({ pool, remote, port, dscp, interval }: PolicyProbe): Binding {
  const remoteAddr = addressToBytes(remote);
  return encodeRow(pib.sluiceProbe, pool, {
    pool: pridOf(pib.sluicePool, pool),
    addrType: remoteAddr.length === 4 ? "ipv4" : "ipv6",
    remoteAddr,
    remotePort: port,
    dscp,
    interval,
  });
}

/** The measurements that an accounting report is about; rows that cannot be read are left out. */
export function qualityReports(bindings: readonly Binding[]): readonly PathQualityReport[] {
  return bindings.flatMap(({ prid, values }) => {
    const place = splitPrid(prid);
    if (place?.entry !== pib.sluicePathQuality.entry) return [];
    const decoded = decodeRow(pib.sluicePathQuality, place.instance, values);
    return decoded.ok ? [reportOf(place.instance, decoded.row)] : [];
  });
}

function reportOf(pool: number, row: RowOf<typeof pib.sluicePathQuality>): PathQualityReport {
  const lostOut = Math.min(row.lostOut, row.sent);
  const arrived = row.sent - lostOut;
  return {
    pool,
    out: { lost: lostOut, sent: row.sent, ...times(row.latencyOut, row.jitterOut) },
    in: { lost: Math.min(row.lostIn, arrived), sent: arrived, ...times(row.latencyIn, row.jitterIn) },
    clocks: row.clocks,
  };
}

/** @param latency - in microseconds, as the jitter */
function times(latency: number | null, jitter: number | null): Pick<ReportedDirection, "latency" | "jitter"> {
  return {
    ...(latency === null ? {} : { latency: millis(latency / 1000) }),
    ...(jitter === null ? {} : { jitter: millis(jitter / 1000) }),
  };
}

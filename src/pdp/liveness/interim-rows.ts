/** The interim part of an accounting report: what flows have carried so far. */
import type { Binding } from "../../cops/pr/bindings.js";
import { splitPrid } from "../../cops/pr/oid.js";
import { pib } from "../../cops/pr/pib/index.js";
import { decodeRow } from "../../cops/pr/prc.js";
import { octets } from "../../model/units.js";
import type { FlowCounters } from "../../model/usage.js";

/** By the router's number; rows that cannot be read are left out. Octets at layer 3. */
export function interimCounters(bindings: readonly Binding[]): ReadonlyMap<number, FlowCounters> {
  const counters = new Map<number, FlowCounters>();
  for (const { prid, values } of bindings) {
    const place = splitPrid(prid);
    if (place?.entry !== pib.sluiceInterim.entry) continue;
    const decoded = decodeRow(pib.sluiceInterim, place.instance, values);
    if (decoded.ok) counters.set(place.instance, countersOf(decoded.row));
  }
  return counters;
}

function countersOf(row: {
  readonly inProfilePackets: bigint;
  readonly inProfileOctets: bigint;
  readonly outOfProfilePackets: bigint;
  readonly outOfProfileOctets: bigint;
}): FlowCounters {
  return {
    inProfile: { packets: whole(row.inProfilePackets), octets: octets(whole(row.inProfileOctets)) },
    outOfProfile: { packets: whole(row.outOfProfilePackets), octets: octets(whole(row.outOfProfileOctets)) },
  };
}

/** A counter beyond what a number holds exactly is no count of packets. */
const whole = (value: bigint): number => Number(value > MAX ? MAX : value);

const MAX = BigInt(Number.MAX_SAFE_INTEGER);

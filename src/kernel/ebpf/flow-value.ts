/**
 * Values of the flow maps: what the program needs for a packet first, in one cache line; behind it what only a reading after
 * a restart needs. Pure.
 */
import { parseSessionId } from "../../model/session.js";
import {
  bytesPerSecond,
  type Dscp,
  type Octets,
  toBitsPerSecond,
  toBytesPerSecond,
  octets as toOctets,
} from "../../model/units.js";
import { type FlowCounters, ZERO_FLOW_COUNTERS } from "../../model/usage.js";
import type { FlowId, FlowRule, ObservedFlow, OutOfProfile } from "../port.js";
import { minorOfPool } from "../tc/tree.js";
import { bucketOf } from "./bucket.js";
import { decodeFlowKey } from "./flow-key.js";
import { LITTLE, putU64, u64At, viewOf } from "./host-octets.js";

export const FLOW_VALUE_LENGTH = 112;
/** Major number of our HTB trees. */
const MAJOR = 0x10000;
const MAX_DSCP = 63;

const AT = {
  depth: 8,
  cost: 16,
  classid: 24,
  dscp: 28,
  excessDscp: 29,
  excessAction: 30,
  inPackets: 32,
  inOctets: 40,
  outPackets: 48,
  outOctets: 56,
  id: 64,
  session: 72,
  rate: 80,
  burst: 88,
  packetSize: 92,
  pool: 96,
} as const;
const SESSION_LENGTH = 8;
const ACTION = { drop: 0, remark: 1 } as const;

/** As tc writes it, 1:minor. */
export const classIdOf = (minor: number): number => MAJOR | minor;

/** The bucket is full. @param counters what it starts from, zero by default. */
export function encodeFlowValue(rule: FlowRule, counters: FlowCounters = ZERO_FLOW_COUNTERS): Uint8Array {
  const octets = Buffer.alloc(FLOW_VALUE_LENGTH);
  const view = viewOf(octets);
  const { depth, cost } = bucketOf(rule);
  putU64(view, AT.depth, depth);
  putU64(view, AT.cost, cost);
  view.setUint32(AT.classid, classIdOf(minorOfPool(rule.pool)), LITTLE);
  octets[AT.dscp] = rule.dscp;
  octets[AT.excessDscp] = rule.outOfProfile.action === "remark" ? rule.outOfProfile.dscp : 0;
  octets[AT.excessAction] = ACTION[rule.outOfProfile.action];
  putCounters(view, counters);
  putU64(view, AT.id, rule.id);
  octets.write(rule.session, AT.session, SESSION_LENGTH, "hex");
  putU64(view, AT.rate, toBytesPerSecond(rule.rate));
  view.setUint32(AT.burst, rule.burst, LITTLE);
  view.setUint32(AT.packetSize, rule.packetSize ?? 0, LITTLE);
  view.setUint16(AT.pool, rule.pool, LITTLE);
  return octets;
}

function putCounters(view: DataView, { inProfile, outOfProfile }: FlowCounters): void {
  putU64(view, AT.inPackets, inProfile.packets);
  putU64(view, AT.inOctets, inProfile.octets);
  putU64(view, AT.outPackets, outOfProfile.packets);
  putU64(view, AT.outOctets, outOfProfile.octets);
}

/** The same flow with other counters. */
export function withCounters(value: Uint8Array, counters: FlowCounters): Uint8Array {
  const changed = Uint8Array.from(value);
  putCounters(viewOf(changed), counters);
  return changed;
}

export const flowIdAt = (view: DataView, at = 0): FlowId => u64At(view, at + AT.id);

export const countersAt = (view: DataView, at = 0): FlowCounters => ({
  inProfile: { packets: u64At(view, at + AT.inPackets), octets: u64At(view, at + AT.inOctets) as Octets },
  outOfProfile: { packets: u64At(view, at + AT.outPackets), octets: u64At(view, at + AT.outOctets) as Octets },
});

function outOfProfileAt(octets: Uint8Array, at: number): OutOfProfile | undefined {
  const code = octets[at + AT.excessDscp] ?? 0;
  switch (octets[at + AT.excessAction]) {
    case ACTION.drop:
      return { action: "drop" };
    case ACTION.remark:
      return code > MAX_DSCP ? undefined : { action: "remark", dscp: code as Dscp };
    default:
      return undefined;
  }
}

/** Keys and values of one family, one after the other. */
export interface Packed {
  readonly family: 4 | 6;
  readonly keys: Uint8Array;
  readonly values: Uint8Array;
}

function ruleAt({ family, keys, values }: Packed, keyAt: number, at: number): FlowRule | undefined {
  const view = viewOf(values);
  const key = decodeFlowKey(family, keys, keyAt);
  const session = parseSessionId(
    Buffer.from(values.buffer, values.byteOffset + at + AT.session, SESSION_LENGTH).toString("hex"),
  );
  const outOfProfile = outOfProfileAt(values, at);
  const code = values[at + AT.dscp] ?? 0;
  const id = flowIdAt(view, at);
  const rate = u64At(view, at + AT.rate);
  const wrong = id < 1 || !Number.isSafeInteger(id) || rate < 1 || rate > 1e12 || code > MAX_DSCP;
  if (key === undefined || session === undefined || outOfProfile === undefined || wrong) return undefined;
  const packetSize = view.getUint32(at + AT.packetSize, LITTLE);
  const rule = {
    id,
    session,
    key,
    dscp: code as Dscp,
    pool: view.getUint16(at + AT.pool, LITTLE),
    rate: toBitsPerSecond(bytesPerSecond(rate)),
    burst: toOctets(view.getUint32(at + AT.burst, LITTLE)),
    outOfProfile,
  };
  return packetSize === 0 ? rule : { ...rule, packetSize: toOctets(packetSize) };
}

/** Octets that are the same as long as a flow lives: neither its bucket's state nor its counters. */
const CONSTANT = [
  [AT.depth, AT.inPackets],
  [AT.id, FLOW_VALUE_LENGTH],
] as const;

/** Undefined for what is not one whole flow, exactly as we make it. */
export function decodeFlow(packed: Packed, keyAt = 0, at = 0): ObservedFlow | undefined {
  const rule = ruleAt(packed, keyAt, at);
  if (rule === undefined) return undefined;
  const made = encodeFlowValue(rule);
  const found = packed.values.subarray(at, at + FLOW_VALUE_LENGTH);
  if (CONSTANT.some(([begin, end]) => Buffer.compare(made.subarray(begin, end), found.subarray(begin, end)) !== 0))
    return undefined;
  return { rule, counters: countersAt(viewOf(packed.values), at) };
}

/**
 * The packet mark: how the session maps tell the rest of the ruleset what to do with a packet.
 *
 *     31 30 29    24 23     16 15 14          0
 *     +-----+--------+---------+--+------------+
 *     |kind |  DSCP  | (route) | 0|    pool    |
 *     +-----+--------+---------+--+------------+
 *     kind 10 in profile, 11 re-marked, 01 dropped, 00 not a session
 */
import { type Dscp, dscp } from "../model/units.js";
import type { OutOfProfile, PoolId } from "./port.js";

export const MARK = {
  /** Tells a session's packet from one that another program marked. */
  kindMask: 0xc0000000,
  inProfile: 0x80000000,
  remarked: 0xc0000000,
  dropped: 0x40000000,
  /** Set for every session packet that goes on. */
  session: 0x80000000,
  /** Kind and code point: the key of the action map. */
  actionMask: 0xff000000,
  poolMask: 0x00007fff,
} as const;

export const MAX_POOL: PoolId = 0x7fff;

export type Mark =
  | { readonly kind: "inProfile"; readonly dscp: Dscp; readonly pool: PoolId }
  | { readonly kind: "outOfProfile"; readonly outOfProfile: OutOfProfile };

export const inProfileMark = (code: Dscp, pool: PoolId): number =>
  (MARK.inProfile | (code << 24) | (pool & MARK.poolMask)) >>> 0;

/** Carries no pool: what is out of profile has no claim on one. */
export const outOfProfileMark = (rule: OutOfProfile): number =>
  rule.action === "drop" ? MARK.dropped : (MARK.remarked | (rule.dscp << 24)) >>> 0;

/** Undefined for a mark that is none of ours. */
export function decodeMark(mark: number): Mark | undefined {
  const kind = (mark & MARK.kindMask) >>> 0;
  const code = dscp((mark >>> 24) & 0x3f);
  const rest = mark & 0x00ffffff;
  if (kind === MARK.inProfile && (rest & ~MARK.poolMask) === 0) return { kind: "inProfile", dscp: code, pool: rest };
  if (rest !== 0) return undefined;
  if (kind === MARK.remarked) return { kind: "outOfProfile", outOfProfile: { action: "remark", dscp: code } };
  if (mark === MARK.dropped) return { kind: "outOfProfile", outOfProfile: { action: "drop" } };
  return undefined;
}

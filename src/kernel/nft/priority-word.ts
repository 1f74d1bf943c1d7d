/**
 * How the session maps tell the rest of the ruleset what to do with a packet: a word that stands in its priority
 * (skb->priority) from the lookup until the last rule has made the class of it. Packet marks are other programs': they
 * are neither read nor written, and a packet of no session keeps its priority too.
 *
 *     31 30 29    24 23  22      16 15          0
 *     +-----+--------+--+----------+------------+
 *     |kind |  DSCP  |T |size class| HTB minor  |
 *     +-----+--------+--+----------+------------+
 *     kind 10 in profile, 11 re-marked, 01 dropped; T: policed by packets, none larger than its size class
 */
import { type Dscp, dscp } from "../../model/units.js";
import type { OutOfProfile, PoolId } from "../port.js";
import { CLASS, minorOfPool, poolOfMinor } from "../tc/tree.js";
import { MAX_SIZE_CLASS } from "./size-class.js";

export const WORD = {
  kindMask: 0xc0000000,
  inProfile: 0x80000000,
  remarked: 0xc0000000,
  dropped: 0x40000000,
  tight: 0x00800000,
  /** Kind, code point and T: the key of the action map. */
  actionMask: 0xff800000,
  codeMask: 0x3f000000,
  sizeMask: 0x007f0000,
  minorMask: 0x0000ffff,
} as const;

const SIZE_SHIFT = 16;

export const sizeWord = (sizeClass: number): number => sizeClass << SIZE_SHIFT;

export type Word =
  | { readonly kind: "inProfile"; readonly dscp: Dscp; readonly pool: PoolId; readonly sizeClass: number | undefined }
  | { readonly kind: "outOfProfile"; readonly outOfProfile: OutOfProfile };

/** @param sizeClass of a flow that is policed by packets; absent where octets are policed. */
export function inProfileWord(code: Dscp, pool: PoolId, sizeClass?: number): number {
  const size = sizeClass === undefined ? 0 : WORD.tight | sizeWord(sizeClass);
  return (WORD.inProfile | (code << 24) | size | minorOfPool(pool)) >>> 0;
}

/** What is out of profile has no claim on a pool: it goes to the default class. */
export const outOfProfileWord = (rule: OutOfProfile): number =>
  rule.action === "drop" ? WORD.dropped : (WORD.remarked | (rule.dscp << 24) | CLASS.default) >>> 0;

/** Undefined for a word that we never make. */
export function decodeWord(word: number): Word | undefined {
  const kind = (word & WORD.kindMask) >>> 0;
  const code = dscp((word >>> 24) & 0x3f);
  const minor = word & WORD.minorMask;
  const sizeClass = (word & WORD.sizeMask) >>> SIZE_SHIFT;
  const isTight = (word & WORD.tight) !== 0;
  if (kind === WORD.inProfile) {
    const pool = poolOfMinor(minor);
    if (pool === undefined || isTight !== sizeClass > 0 || sizeClass > MAX_SIZE_CLASS) return undefined;
    return { kind: "inProfile", dscp: code, pool, sizeClass: isTight ? sizeClass : undefined };
  }
  if (word === WORD.dropped) return { kind: "outOfProfile", outOfProfile: { action: "drop" } };
  const outOfProfile: OutOfProfile = { action: "remark", dscp: code };
  return word === outOfProfileWord(outOfProfile) ? { kind: "outOfProfile", outOfProfile } : undefined;
}

/**
 * The slot of a packet: the lower half of its priority under DSMARK's handle, which becomes skb->tc_index. It says both what
 * DSMARK writes and which HTB class carries the packet. Pure.
 *
 *     15         7  6  5       0
 *     +-----------+---+---------+
 *     | HTB minor | W |  DSCP   |      W: write the code point; 0: leave the packet as it is
 *     +-----------+---+---------+
 *
 * DSMARK looks at the lower seven bits alone, for it has 128 indices and masks what is beyond; tcindex shifts them out, and
 * what is left is the minor number. So 64 entries and one filter serve every pool and every code point, and neither a flow
 * nor a pool that comes or goes changes any of them.
 */
import type { PoolId } from "../port.js";
import { CLASS, signatureOf } from "../tc/tree.js";

/** Of DSMARK, at the root. The tree in it keeps the numbers that it has without DSMARK. */
export const EDGE_MAJOR = 2;
export const EDGE_HANDLE = EDGE_MAJOR << 16;

/** DSMARK's table: a power of two. */
export const INDICES = 128;
const WRITE = 0x40;
const CODE_POINTS = 64;
export const CLASS_SHIFT = 7;
/** All that a slot has room for; it is also what is left of the default class, and no class has this number. */
const NO_CLASS = 0x1ff;
export const CLASS_MASK = NO_CLASS << CLASS_SHIFT;
/** One entry for each value: tcindex then needs no search. */
export const CLASS_VALUES = NO_CLASS + 1;

/** The last pool whose class has room in a slot. */
export const MOST_POOL: PoolId = NO_CLASS - 1 - CLASS.firstPool;

/** What DSMARK does with the octet of code point and ECN: (octet & mask) | value. */
export interface Mark {
  readonly mask: number;
  readonly value: number;
}

/** Every index starts so, and an index that is so is not listed. */
export const UNTOUCHED: Mark = { mask: 0xff, value: 0 };

/** RFC 3168 §5: the two bits below the code point are ECN's, and stay. */
const ECN = 0x03;

export const indexOf = (code: number): number => WRITE | code;

/** Index and entry of each code point. */
export const MARKS: ReadonlyMap<number, Mark> = new Map(
  Array.from({ length: CODE_POINTS }, (_, code) => [indexOf(code), { mask: ECN, value: code << 2 }]),
);

/** Where a packet of this HTB class goes to be sent with this code point. */
export const slotOf = (minor: number, code: number): number => ((minor & NO_CLASS) << CLASS_SHIFT) | indexOf(code);

/**
 * The slot of packets that nobody gave one: untouched, and in the default class. Six bits of it are free, and so sign the root
 * while the tree that bears the whole signature is not yet in it.
 */
export const defaultSlot = (table: string): number => defaultSlotOf(signatureOf(table));
export const defaultSlotOf = (signature: number): number => CLASS_MASK | (signature & (CODE_POINTS - 1));

/** Pieces of nft's language that every part of our table is written in. Pure. */
import { BLOCK_MASK } from "./port-use.js";
import type { SessionSet } from "./sets.js";

export const hex = (value: number): string => `0x${(value >>> 0).toString(16).padStart(8, "0")}`;

/** A value of the priority, as nft writes class ids. */
export const classId = (word: number): string =>
  `${((word >>> 16) & 0xffff).toString(16)}:${(word & 0xffff).toString(16)}`;

export const chain = (name: string, lines: readonly string[]): string =>
  [`\tchain ${name} {`, ...lines.map((line) => `\t\t${line}`), "\t}"].join("\n");

/** Matches packets to a block of ports of this set. */
export const inBlocks = (set: string): string => `th dport and ${BLOCK_MASK} @${set}`;

/** The lookup takes the packet on with its word, or, where nothing is found or a limit exceeded, leaves all as it is. */
export function lookup(set: SessionSet, next: string): string {
  const ip = set.family === 4 ? "ip" : "ip6";
  const source = set.anySourcePort ? `${ip} saddr` : `${ip} saddr . th sport`;
  return `meta priority set meta l4proto . ${source} . ${ip} daddr . th dport map @${set.name} goto ${next}`;
}

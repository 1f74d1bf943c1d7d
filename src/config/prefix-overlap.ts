/** Addresses that two owners claim. */
import { addressToBytes, parsePrefix } from "../model/ip.js";

export interface OwnedPrefix {
  /** As `parseIpPrefix` gives it. */
  readonly prefix: string;
  /** Equal for prefixes that may overlap. */
  readonly owner: string | number;
}

export interface PrefixOverlap<Item> {
  readonly inner: Item;
  /** As wide as the inner one, or wider. */
  readonly outer: Item;
}

interface Span<Item> {
  readonly item: Item;
  /** Family and first address, so that the order of texts is the order of addresses. */
  readonly start: string;
  readonly end: string;
}

/**
 * Each prefix that lies in one of another owner. Two prefixes are apart or one holds the other, so that
 * sorting is enough: n log n for n prefixes.
 */
export function prefixOverlaps<Item extends OwnedPrefix>(items: readonly Item[]): readonly PrefixOverlap<Item>[] {
  const spans = items.map(spanOf).sort((a, b) => order(a.start, b.start) || order(b.end, a.end));
  const overlaps: PrefixOverlap<Item>[] = [];
  let around: Span<Item>[] = [];
  for (const span of spans) {
    around = around.filter((outer) => outer.end >= span.start);
    const foreign = around.find((outer) => outer.item.owner !== span.item.owner);
    if (foreign !== undefined) overlaps.push({ inner: span.item, outer: foreign.item });
    // One more of the same owner around it can show nothing new.
    if (!around.some((outer) => outer.item.owner === span.item.owner)) around.push(span);
  }
  return overlaps;
}

function spanOf<Item extends OwnedPrefix>(item: Item): Span<Item> {
  const { address = "", length = 0 } = parsePrefix(item.prefix) ?? {};
  const first = addressToBytes(address);
  const last = first.map((octet, index) => octet | (0xff >> Math.min(8, Math.max(0, length - index * 8))));
  const text = (octets: Uint8Array): string => `${first.length}:${Buffer.from(octets).toString("hex")}`;
  return { item, start: text(first), end: text(last) };
}

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

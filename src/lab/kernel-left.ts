/** Counts what is left of sessions in a router's kernel, from what nft itself prints. Pure. */

interface ListedMap {
  readonly map?: { readonly type: string | readonly string[]; readonly elem?: readonly unknown[] };
}

/**
 * Elements in the session maps of a table, as `nft -j list table` prints it. Session maps are those whose
 * key is a concatenation: protocol, addresses, ports. Maps with a plain key are structure (pools).
 */
export function sessionElements(json: string): number {
  const { nftables } = JSON.parse(json) as { readonly nftables: readonly ListedMap[] };
  return nftables
    .flatMap(({ map }) => (map !== undefined && Array.isArray(map.type) ? [map.elem?.length ?? 0] : []))
    .reduce((sum, count) => sum + count, 0);
}

/** What a router says in its request that it understands. */
import { decodeClientSi } from "../../cops/pr/bindings.js";
import { type Oid, splitPrid } from "../../cops/pr/oid.js";
import { pib } from "../../cops/pr/pib/index.js";
import { decodeRow } from "../../cops/pr/prc.js";

/**
 * Entries of the classes that a request names (RFC 3318 frwkPrcSupport).
 * @throws DecodeError if the request cannot be read
 */
export function supportedClasses(named: readonly Buffer[]): ReadonlySet<Oid> {
  const entries = decodeClientSi(named).flatMap(({ prid, values }) => {
    const place = splitPrid(prid);
    if (place?.entry !== pib.frwkPrcSupport.entry) return [];
    const decoded = decodeRow(pib.frwkPrcSupport, place.instance, values);
    return decoded.ok ? [decoded.row.supportedPrc] : [];
  });
  return new Set(entries);
}

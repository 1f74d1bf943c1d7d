/**
 * Rows as they are kept: their EPD without the InstanceId, which whoever keeps them knows, in one string of characters
 * 0..255. V8 holds such a string in one octet each and sixteen more; the decoded row costs ten times that.
 */
import { InternalError } from "../../model/errors.js";
import { decodeBer } from "./ber.js";
import { BerWriter } from "./ber-writer.js";
import { attributesInOrder, type Prc } from "./prc.js";
import { SyntaxProblem } from "./syntax.js";

export type Row = Readonly<Record<string, unknown>>;
export type PackedRow = string & { readonly __packedRow: true };

const WRITER = new BerWriter();

/** @param row - of this class, as `decodeRow` gave it */
export function packRow(prc: Prc, row: Row): PackedRow {
  return WRITER.encodeText(attributesInOrder(prc).map(([name, { syntax }]) => syntax.encode(row[name]))) as PackedRow;
}

/** The row that was packed. @throws InternalError if it was of another class */
export function unpackRow(prc: Prc, packed: PackedRow): Row {
  const values = decodeBer(Buffer.from(packed, "latin1"));
  const row: Record<string, unknown> = {};
  attributesInOrder(prc).forEach(([name, { syntax, whenAbsent }], index) => {
    const value = values[index];
    const decoded = value === undefined || value.type === "null" ? whenAbsent : syntax.decode(value);
    if (decoded === undefined || decoded instanceof SyntaxProblem) {
      throw new InternalError("PRI_PACKED", `${prc.name}: what was kept has no ${name}`);
    }
    row[name] = decoded;
  });
  return row;
}

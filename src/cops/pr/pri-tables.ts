/**
 * Committed instances, packed (packed-row.ts), with who points to whom. A router holds six rows for each flow, and
 * a policy server may install a hundred thousand flows: what is not asked for is octets.
 */
import { childOid, isPrefixOf, type Oid, type Prid, splitPrid } from "./oid.js";
import { type PackedRow, packRow, type Row, unpackRow } from "./packed-row.js";
import { type Prc, pointingAttributes, referencesOf } from "./prc.js";
import { CommittedView, type Pri } from "./pri-view.js";

interface Table {
  readonly prc: Prc;
  /** Has attributes that point to other instances. */
  readonly pointing: boolean;
  readonly rows: Map<number, PackedRow>;
}

/** So many instances stay decoded: more than the rows that flows share, which every decision asks for. */
const MAX_DECODED = 256;

export class PriTables extends CommittedView {
  readonly #tables = new Map<Oid, Table>();
  /**
   * How many instances point to one with another number. Those with its own number, which are nearly all, are
   * looked up when it is removed: to keep a count of them would cost as much as the rows.
   */
  readonly #pointers = new Map<Prid, number>();
  readonly #decoded = new Map<Prid, Pri>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  override has(prid: Prid): boolean {
    const place = splitPrid(prid);
    return place !== undefined && this.#tables.get(place.entry)?.rows.has(place.instance) === true;
  }

  override get(prid: Prid): Pri | undefined {
    const decoded = this.#decoded.get(prid);
    if (decoded !== undefined) return decoded;
    const place = splitPrid(prid);
    const table = place === undefined ? undefined : this.#tables.get(place.entry);
    return place === undefined || table === undefined ? undefined : this.#at(table, place.instance, prid);
  }

  override *instances(prc: Prc): Iterable<Pri> {
    const table = this.#tables.get(prc.entry);
    if (table !== undefined) yield* this.#all(table);
  }

  /** Everything under an OID prefix; a class's entry or an instance are prefixes too. */
  *under(prefix: Oid): Iterable<Pri> {
    for (const [entry, table] of this.#tables) {
      if (isPrefixOf(prefix, entry)) yield* this.#all(table);
    }
    const exact = this.get(prefix);
    if (exact !== undefined) yield exact;
  }

  /** An instance with the number of `prid` that points to it, other than those that `changes` names. */
  siblingPointingTo(prid: Prid, changes: ReadonlyMap<Prid, unknown>): Prid | undefined {
    const place = splitPrid(prid);
    if (place === undefined) return undefined;
    for (const [entry, table] of this.#tables) {
      if (!table.pointing || !table.rows.has(place.instance)) continue;
      const sibling = childOid(entry, place.instance);
      if (changes.has(sibling)) continue;
      const row = this.#at(table, place.instance, sibling)?.row;
      if (row !== undefined && pointsTo(table.prc, row, prid)) return sibling;
    }
    return undefined;
  }

  /** How many instances with other numbers point to `prid`. */
  pointersTo(prid: Prid): number {
    return this.#pointers.get(prid) ?? 0;
  }

  set({ prid, prc, instance, row }: Pri): void {
    this.delete(prid);
    let table = this.#tables.get(prc.entry);
    if (table === undefined) {
      const pointing = pointingAttributes(prc).length > 0;
      table = { prc, pointing, rows: new Map() };
      this.#tables.set(prc.entry, table);
    }
    table.rows.set(instance, packRow(prc, row));
    this.#size += 1;
    if (table.pointing) this.#count(prc, instance, row, 1);
  }

  delete(prid: Prid): void {
    const pri = this.get(prid);
    if (pri === undefined) return;
    const table = this.#tables.get(pri.prc.entry);
    if (table?.pointing) this.#count(pri.prc, pri.instance, pri.row, -1);
    table?.rows.delete(pri.instance);
    this.#decoded.delete(prid);
    this.#size -= 1;
  }

  #count(prc: Prc, instance: number, row: Row, by: 1 | -1): void {
    for (const target of pointersElsewhere(prc, instance, row)) {
      const count = this.pointersTo(target) + by;
      if (count === 0) this.#pointers.delete(target);
      else this.#pointers.set(target, count);
    }
  }

  *#all(table: Table): Iterable<Pri> {
    for (const instance of table.rows.keys()) {
      const pri = this.#at(table, instance, childOid(table.prc.entry, instance));
      if (pri !== undefined) yield pri;
    }
  }

  #at({ prc, rows }: Table, instance: number, prid: Prid): Pri | undefined {
    const known = this.#decoded.get(prid);
    if (known !== undefined) return known;
    const packed = rows.get(instance);
    if (packed === undefined) return undefined;
    if (this.#decoded.size >= MAX_DECODED) this.#decoded.clear();
    const pri = new KeptPri(prid, prc, instance, packed);
    this.#decoded.set(prid, pri);
    return pri;
  }
}

/** The instances with other numbers that a row points to; each once for each attribute that does. */
export function pointersElsewhere(prc: Prc, instance: number, row: Row): readonly Prid[] {
  const targets = referencesOf(prc, row).map(({ prid }) => prid);
  return targets.filter((prid) => splitPrid(prid)?.instance !== instance);
}

const pointsTo = (prc: Prc, row: Row, target: Prid): boolean =>
  referencesOf(prc, row).some(({ prid }) => prid === target);

/** Decodes its row when it is asked for: of what is removed, mostly nobody asks. */
class KeptPri implements Pri {
  readonly prid: Prid;
  readonly prc: Prc;
  readonly instance: number;
  readonly #packed: PackedRow;
  #row: Row | undefined;

  constructor(prid: Prid, prc: Prc, instance: number, packed: PackedRow) {
    this.prid = prid;
    this.prc = prc;
    this.instance = instance;
    this.#packed = packed;
  }

  get row(): Row {
    this.#row ??= unpackRow(this.prc, this.#packed);
    return this.#row;
  }
}

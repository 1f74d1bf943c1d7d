/** Instances by class and number: one committed state, or one with a transaction laid over it. */
import { childOid, isPrefixOf, type Oid, type Prid, splitPrid } from "./oid.js";
import type { Prc, RowOf } from "./prc.js";

/** An installed instance. `row` is typed by `prc`; use `PriView.row` to get it so. */
export interface Pri {
  readonly prid: Prid;
  readonly prc: Prc;
  readonly instance: number;
  readonly row: Readonly<Record<string, unknown>>;
}

export interface PriView {
  get(prid: Prid): Pri | undefined;
  row<P extends Prc>(prc: P, instance: number): RowOf<P> | undefined;
  /** The row that a Prid attribute points to, if it is of this class. */
  follow<P extends Prc>(prc: P, prid: Prid): { readonly instance: number; readonly row: RowOf<P> } | undefined;
  rows<P extends Prc>(prc: P): Iterable<readonly [instance: number, row: RowOf<P>]>;
}

abstract class TypedView implements PriView {
  abstract get(prid: Prid): Pri | undefined;
  abstract instances(prc: Prc): Iterable<Pri>;

  row<P extends Prc>(prc: P, instance: number): RowOf<P> | undefined {
    return this.get(childOid(prc.entry, instance))?.row as RowOf<P> | undefined;
  }

  follow<P extends Prc>(prc: P, prid: Prid): { readonly instance: number; readonly row: RowOf<P> } | undefined {
    const pri = this.get(prid);
    return pri?.prc.entry === prc.entry ? { instance: pri.instance, row: pri.row as RowOf<P> } : undefined;
  }

  *rows<P extends Prc>(prc: P): Iterable<readonly [number, RowOf<P>]> {
    for (const pri of this.instances(prc)) yield [pri.instance, pri.row as RowOf<P>];
  }
}

/** Committed instances, with who points to whom. */
export class PriTables extends TypedView {
  readonly #classes = new Map<Oid, Map<number, Pri>>();
  /** Pointed-to instance -> those that point to it. */
  readonly #referrers = new Map<Prid, Set<Prid>>();
  readonly #references: (pri: Pri) => readonly Prid[];
  #size = 0;

  constructor(references: (pri: Pri) => readonly Prid[]) {
    super();
    this.#references = references;
  }

  get size(): number {
    return this.#size;
  }

  override get(prid: Prid): Pri | undefined {
    const place = splitPrid(prid);
    return place === undefined ? undefined : this.#classes.get(place.entry)?.get(place.instance);
  }

  override instances(prc: Prc): Iterable<Pri> {
    return this.#classes.get(prc.entry)?.values() ?? [];
  }

  /** Everything under an OID prefix; a class's entry or an instance are prefixes too. */
  *under(prefix: Oid): Iterable<Pri> {
    for (const [entry, instances] of this.#classes) {
      if (isPrefixOf(prefix, entry)) yield* instances.values();
    }
    const exact = this.get(prefix);
    if (exact !== undefined) yield exact;
  }

  referrersOf(prid: Prid): Iterable<Prid> {
    return this.#referrers.get(prid) ?? [];
  }

  set(pri: Pri): void {
    this.delete(pri.prid);
    let instances = this.#classes.get(pri.prc.entry);
    if (instances === undefined) {
      instances = new Map();
      this.#classes.set(pri.prc.entry, instances);
    }
    instances.set(pri.instance, pri);
    this.#size += 1;
    for (const target of this.#references(pri)) {
      const referrers = this.#referrers.get(target);
      if (referrers === undefined) this.#referrers.set(target, new Set([pri.prid]));
      else referrers.add(pri.prid);
    }
  }

  delete(prid: Prid): void {
    const pri = this.get(prid);
    if (pri === undefined) return;
    this.#classes.get(pri.prc.entry)?.delete(pri.instance);
    this.#size -= 1;
    for (const target of this.#references(pri)) {
      const referrers = this.#referrers.get(target);
      referrers?.delete(prid);
      if (referrers?.size === 0) this.#referrers.delete(target);
    }
  }
}

/** Tables as they will be once the changes are committed. `undefined` in `changes` is a removal. */
export class PriOverlay extends TypedView {
  readonly changes = new Map<Prid, Pri | undefined>();
  readonly #tables: PriTables;

  constructor(tables: PriTables) {
    super();
    this.#tables = tables;
  }

  override get(prid: Prid): Pri | undefined {
    return this.changes.has(prid) ? this.changes.get(prid) : this.#tables.get(prid);
  }

  override *instances(prc: Prc): Iterable<Pri> {
    for (const pri of this.#tables.instances(prc)) if (!this.changes.has(pri.prid)) yield pri;
    for (const pri of this.changes.values()) if (pri?.prc.entry === prc.entry) yield pri;
  }
}

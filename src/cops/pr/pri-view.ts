/** Instances by class and number: one committed state, or one with a transaction laid over it. */
import { childOid, type Prid } from "./oid.js";
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

export abstract class TypedView implements PriView {
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

/** What a transaction is laid over. */
export abstract class CommittedView extends TypedView {
  abstract has(prid: Prid): boolean;
}

/** Tables as they will be once the changes are committed. `undefined` in `changes` is a removal. */
export class PriOverlay extends TypedView {
  readonly changes = new Map<Prid, Pri | undefined>();
  readonly #tables: CommittedView;

  constructor(tables: CommittedView) {
    super();
    this.#tables = tables;
  }

  has(prid: Prid): boolean {
    return this.changes.has(prid) ? this.changes.get(prid) !== undefined : this.#tables.has(prid);
  }

  override get(prid: Prid): Pri | undefined {
    return this.changes.has(prid) ? this.changes.get(prid) : this.#tables.get(prid);
  }

  override *instances(prc: Prc): Iterable<Pri> {
    for (const pri of this.#tables.instances(prc)) if (!this.changes.has(pri.prid)) yield pri;
    for (const pri of this.changes.values()) if (pri?.prc.entry === prc.entry) yield pri;
  }
}

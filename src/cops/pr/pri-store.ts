/**
 * The instances of one request state, changed one DEC at a time (RFC 3084 §3.2). `prepare` checks and
 * changes nothing, so that the role can put the result into force first; `commit` makes it the state.
 */
import { InternalError } from "../../model/errors.js";
import type { Binding, PrReport, Removal } from "./bindings.js";
import type { Provisioning } from "./decision.js";
import { CPERR, GPERR, type PriError } from "./errors.js";
import { childOid, type Oid, type Prid, splitPrid } from "./oid.js";
import { decodeRow, type Prc, type RowOf, referencesOf } from "./prc.js";
import { PriTables, pointersElsewhere } from "./pri-tables.js";
import { type Pri, PriOverlay, type PriView } from "./pri-view.js";

export interface PriStoreOptions {
  /** Classes that can be installed here; others are answered with unknownPrc. */
  readonly classes: readonly Prc[];
  /** Most instances of all classes together. */
  readonly maxInstances: number;
}

export type PriChange =
  | { readonly kind: "install"; readonly pri: Pri; readonly previous?: Pri }
  | { readonly kind: "remove"; readonly pri: Pri };

/** Checked, and not yet in force. */
export interface PriTransaction {
  /** What differs from the committed state; instances re-installed with the same row included. */
  readonly changes: readonly PriChange[];
  /** The state as it will be. Good until the next commit. */
  readonly after: PriView;
  /** To be sent with the Success report (RFC 3084 §5.3.1). */
  readonly warnings: readonly PriError[];
}

export type Prepared =
  | { readonly ok: true; readonly transaction: PriTransaction }
  /** Nothing of the DEC may be applied: report these with Failure. */
  | { readonly ok: false; readonly errors: readonly PriError[] };

/** A store reports so many errors of one DEC at most: enough to understand, not enough to flood. */
const MAX_ERRORS = 32;

export class PriStore implements PriView {
  readonly #classes: ReadonlyMap<Oid, Prc>;
  readonly #extensions = new Map<Oid, Prc[]>();
  readonly #maxInstances: number;
  readonly #tables = new PriTables();
  #revision = 0;
  readonly #preparedAt = new WeakMap<PriTransaction, number>();

  constructor(options: PriStoreOptions) {
    this.#classes = new Map(options.classes.map((prc) => [prc.entry, prc]));
    this.#maxInstances = options.maxInstances;
    for (const prc of options.classes) {
      if (prc.extends === undefined) continue;
      this.#extensions.set(prc.extends, [...(this.#extensions.get(prc.extends) ?? []), prc]);
    }
  }

  get size(): number {
    return this.#tables.size;
  }

  get(prid: Prid): Pri | undefined {
    return this.#tables.get(prid);
  }

  row<P extends Prc>(prc: P, instance: number): RowOf<P> | undefined {
    return this.#tables.row(prc, instance);
  }

  follow<P extends Prc>(prc: P, prid: Prid): { readonly instance: number; readonly row: RowOf<P> } | undefined {
    return this.#tables.follow(prc, prid);
  }

  rows<P extends Prc>(prc: P): Iterable<readonly [instance: number, row: RowOf<P>]> {
    return this.#tables.rows(prc);
  }

  /** Checks a whole DEC. Takes time in the size of the DEC and of what it removes, not of the store. */
  prepare({ removals, bindings }: Provisioning): Prepared {
    const overlay = new PriOverlay(this.#tables);
    const warnings: PriError[] = [];
    const errors: PriError[] = [];
    // RFC 3084 §3.2: what is removed and installed by the same DEC is installed in the end.
    // Each name once: a prefix repeated a thousand times must not cost a thousand walks.
    const named = new Map(removals.map((removal) => ["prid" in removal ? removal.prid : removal.prefix, removal]));
    for (const removal of named.values()) this.#remove(removal, overlay, warnings);
    for (const binding of bindings) this.#install(binding, overlay, { warnings, errors });
    // RFC 3084 §3.2: one transaction, so what points where is looked at when all of it is there.
    if (errors.length === 0) this.#checkWhole(overlay, errors);
    if (errors.length > 0) return { ok: false, errors: errors.slice(0, MAX_ERRORS) };
    const changes = this.#changesOf(overlay);
    const transaction = { changes, after: overlay, warnings: warnings.slice(0, MAX_ERRORS) };
    this.#preparedAt.set(transaction, this.#revision);
    return { ok: true, transaction };
  }

  /** @throws InternalError if another commit came between: the checks would not hold any more */
  commit(transaction: PriTransaction): void {
    if (this.#preparedAt.get(transaction) !== this.#revision) {
      throw new InternalError("PRI_STALE", "a transaction was committed after another that it did not know of");
    }
    this.#revision += 1;
    for (const change of transaction.changes) {
      if (change.kind === "install") this.#tables.set(change.pri);
      else this.#tables.delete(change.pri.prid);
    }
  }

  /** `prepare` and `commit` in one, for those with nothing to put into force between. */
  apply(provisioning: Provisioning): Prepared {
    const prepared = this.prepare(provisioning);
    if (prepared.ok) this.commit(prepared.transaction);
    return prepared;
  }

  #changesOf({ changes }: PriOverlay): readonly PriChange[] {
    const list: PriChange[] = [];
    for (const [prid, pri] of changes) {
      const previous = this.#tables.get(prid);
      if (pri === undefined) {
        if (previous !== undefined) list.push({ kind: "remove", pri: previous });
      } else list.push(previous === undefined ? { kind: "install", pri } : { kind: "install", pri, previous });
    }
    return list;
  }

  #remove(removal: Removal, overlay: PriOverlay, warnings: PriError[]): void {
    const named = "prid" in removal ? removal.prid : removal.prefix;
    const found = "prid" in removal ? single(this.#tables.get(removal.prid)) : this.#tables.under(removal.prefix);
    let any = false;
    for (const pri of found) {
      any = true;
      overlay.changes.set(pri.prid, undefined);
      // RFC 3159: an extension does not outlive its base.
      for (const extension of this.#extensions.get(pri.prc.entry) ?? []) {
        const prid = childOid(extension.entry, pri.instance);
        if (this.#tables.has(prid)) overlay.changes.set(prid, undefined);
      }
    }
    // Removing what is not there is worth a warning; the PDP got what it wanted.
    if (!any) warnings.push(priError(named, CPERR.priInstanceInvalid, 0, "removed, but was not installed"));
  }

  #install({ prid, values }: Binding, overlay: PriOverlay, out: { warnings: PriError[]; errors: PriError[] }): void {
    const place = splitPrid(prid);
    const prc = place === undefined ? undefined : this.#classes.get(place.entry);
    if (prc === undefined || place === undefined) {
      out.errors.push(priError(prid, CPERR.unknownPrc, 0, "class not supported"));
      return;
    }
    if (prc.access === "notify" || prc.access === "report-only") {
      out.errors.push(priError(prid, CPERR.priNotifyOnly, 0, `${prc.name} is for requests and reports only`));
      return;
    }
    const decoded = decodeRow(prc, place.instance, values);
    if (!decoded.ok) {
      out.errors.push(...decoded.errors);
      return;
    }
    out.warnings.push(...decoded.warnings);
    // RFC 3084 §6: an install of what is there overwrites it.
    overlay.changes.set(prid, { prid, prc, instance: place.instance, row: decoded.row });
  }

  #checkWhole(overlay: PriOverlay, errors: PriError[]): void {
    let growth = 0;
    const leaving = new Leaving(this.#tables, overlay);
    for (const [prid, pri] of overlay.changes) {
      const known = this.#tables.has(prid);
      if (pri === undefined) {
        growth -= known ? 1 : 0;
        const referrer = this.#tables.siblingPointingTo(prid, overlay.changes) ?? leaving.referrerOf(prid);
        // RFC 3084 §4.5 deletedInRef. Instances of the DEC itself are looked at by `checkReferences`.
        if (referrer !== undefined)
          errors.push(priError(prid, CPERR.deletedInRef, 0, `still referenced by ${referrer}`));
      } else {
        growth += known ? 0 : 1;
        checkReferences(pri, overlay, errors);
      }
      if (errors.length >= MAX_ERRORS) return;
    }
    if (growth > 0 && this.#tables.size + growth > this.#maxInstances) {
      const [first] = overlay.changes.keys();
      const text = `${this.#tables.size + growth} instances, at most ${this.#maxInstances}`;
      if (first !== undefined) errors.push(priError(first, CPERR.priSpaceExhausted, 0, text));
    }
  }
}

/** The committed instances that a transaction changes or removes, and what they point to no longer. */
class Leaving {
  readonly #tables: PriTables;
  readonly #overlay: PriOverlay;
  /** Made when it is needed: what is removed is seldom pointed to by other numbers. */
  #pointers: Map<Prid, number> | undefined;

  constructor(tables: PriTables, overlay: PriOverlay) {
    this.#tables = tables;
    this.#overlay = overlay;
  }

  /** Who will still point to `prid` from under another number; for a person. */
  referrerOf(prid: Prid): string | undefined {
    const pointing = this.#tables.pointersTo(prid);
    if (pointing === 0) return undefined;
    this.#pointers ??= this.#count();
    const staying = pointing - (this.#pointers.get(prid) ?? 0);
    return staying === 0 ? undefined : `${staying} instances`;
  }

  #count(): Map<Prid, number> {
    const pointers = new Map<Prid, number>();
    for (const changed of this.#overlay.changes.keys()) {
      const pri = this.#tables.get(changed);
      if (pri === undefined) continue;
      for (const target of pointersElsewhere(pri.prc, pri.instance, pri.row)) {
        pointers.set(target, (pointers.get(target) ?? 0) + 1);
      }
    }
    return pointers;
  }
}

/** RFC 3084 §4.5 attrReferenceUnknown; and an extension needs its base (RFC 3159). */
function checkReferences(pri: Pri, overlay: PriOverlay, errors: PriError[]): void {
  for (const { number, prid } of referencesOf(pri.prc, pri.row)) {
    if (!overlay.has(prid)) {
      errors.push(priError(pri.prid, CPERR.attrReferenceUnknown, number, `${pri.prc.name}: ${prid} does not exist`));
    }
  }
  if (pri.prc.extends !== undefined && !overlay.has(childOid(pri.prc.extends, pri.instance))) {
    errors.push(priError(pri.prid, CPERR.priInstanceInvalid, 0, `${pri.prc.name} without the instance it extends`));
  }
}

const single = (pri: Pri | undefined): Iterable<Pri> => (pri === undefined ? [] : [pri]);

const priError = (prid: Prid, code: number, subCode: number, text: string): PriError => ({
  prid,
  cperr: { code, subCode },
  text: `${prid}: ${text}`,
});

/** What to say in the RPT about these: warnings with Success, errors with Failure (RFC 3084 §5.3.1). */
export function reportOf(problems: readonly PriError[]): PrReport {
  const errors = problems.map(({ prid, cperr }) => ({ prid, cperr, bindings: [] }));
  const unknown = problems.some(({ cperr }) => cperr.code === CPERR.unknownPrc);
  return unknown ? { gperr: { code: GPERR.unknownPibData, subCode: 0 }, errors } : { errors };
}

/** What is wanted against what the kernel is believed to hold, kept up to date one change at a time. Pure. */
import { MergedMap } from "./merged-map.js";

/** Objects of a reading that are looked at without a pause. */
const SLICE = 2000;

/** Values of one transaction, noted when it was sent: what is wanted may change while the kernel works. */
export interface Sent<Id, Value> {
  /** What the kernel holds of each when the transaction goes through; undefined: nothing. */
  readonly outcome: ReadonlyMap<Id, Value | undefined>;
}

/** A dump of the kernel that is under way. */
export interface Reading<Id> {
  /** What changed since it began: the dump may show it as it was, or as it became. */
  readonly touched: Set<Id>;
}

/**
 * Every object is in one of the places of this picture, and a change moves only the object that it is about: its cost
 * does not depend on how many there are.
 *
 * ```
 *        wanted                 held by the kernel
 *   ┌──────────────────┬─────────┬───────────────────┐
 *   │ pending updates  │ agreed  │ pending deletions │
 *   │ (to be added)    │         │ (to be removed)   │
 *   └──────────────────┴─────────┴───────────────────┘
 *   wanted as A, held as B: A is a pending update, and B a pending deletion, under one id
 * ```
 *
 * The belief comes from transactions that were acknowledged, and from readings. A reading takes time, and changes go on
 * meanwhile; so each reading notes what was touched since it began, and says nothing about that, nor about what is in a
 * transaction without an answer:
 *
 * ```
 *   reading   ├───────────────────────┤
 *   a   ├─sent──acknowledged─┤                touched: not compared
 *   b                  ├─sent────────────┤    no answer yet: not compared
 *   c   sent, acknowledged before             compared
 * ```
 */
export class DeltaTracker<Id, Value> {
  readonly #same: (left: Value, right: Value) => boolean;
  readonly #agreed = new Map<Id, Value>();
  readonly #updates = new Map<Id, Value>();
  readonly #deletions = new Map<Id, Value>();
  /** In how many transactions without an answer. */
  readonly #inFlight = new Map<Id, number>();
  /** In a transaction whose outcome nobody knows; cleared by a reading or by a transaction that went through. */
  readonly #uncertain = new Set<Id>();
  readonly #readings = new Set<Reading<Id>>();

  constructor(same: (left: Value, right: Value) => boolean) {
    this.#same = same;
  }

  /** A live view, as is `held`. */
  readonly desired: ReadonlyMap<Id, Value> = new MergedMap(this.#agreed, this.#updates);
  readonly held: ReadonlyMap<Id, Value> = new MergedMap(this.#agreed, this.#deletions);
  /** Wanted, and not held as it is wanted. */
  readonly pendingUpdates: ReadonlyMap<Id, Value> = this.#updates;
  /** Held, and not wanted as it is held. */
  readonly pendingDeletions: ReadonlyMap<Id, Value> = this.#deletions;
  readonly uncertain: ReadonlySet<Id> = this.#uncertain;

  /** Objects that are not as they are wanted. */
  get pending(): number {
    let both = 0;
    const [fewer, more] =
      this.#updates.size < this.#deletions.size ? [this.#updates, this.#deletions] : [this.#deletions, this.#updates];
    for (const id of fewer.keys()) if (more.has(id)) both += 1;
    return this.#updates.size + this.#deletions.size - both;
  }

  isPending(id: Id): boolean {
    return this.#updates.has(id) || this.#deletions.has(id);
  }

  set(id: Id, value: Value): void {
    this.#place(id, value, this.held.get(id));
  }

  delete(id: Id): void {
    this.#place(id, undefined, this.held.get(id));
  }

  /** Takes what is held as what is wanted, as it is. */
  adopt(): void {
    this.#updates.clear();
    for (const [id, value] of this.#deletions) this.#agreed.set(id, value);
    this.#deletions.clear();
  }

  /** These go into a transaction that makes them as they are wanted now. */
  send(ids: Iterable<Id>): Sent<Id, Value> {
    const outcome = new Map<Id, Value | undefined>();
    for (const id of ids) {
      if (outcome.has(id)) continue;
      outcome.set(id, this.desired.get(id));
      this.#inFlight.set(id, (this.#inFlight.get(id) ?? 0) + 1);
    }
    return { outcome };
  }

  applied({ outcome }: Sent<Id, Value>): void {
    for (const [id, value] of outcome) {
      this.#answered(id);
      this.#uncertain.delete(id);
      this.#place(id, this.desired.get(id), value);
    }
  }

  /** `unknown`: nobody can say whether it went through; else nothing changed. */
  failed({ outcome }: Sent<Id, Value>, unknown: boolean): void {
    for (const id of outcome.keys()) {
      this.#answered(id);
      if (unknown) this.#uncertain.add(id);
    }
  }

  begin(): Reading<Id> {
    const reading: Reading<Id> = { touched: new Set() };
    this.#readings.add(reading);
    return reading;
  }

  /** The reading failed: nothing is learned from it. */
  abandon(reading: Reading<Id>): void {
    this.#readings.delete(reading);
  }

  /** Whether this reading can say something about an object. */
  tells(reading: Reading<Id>, id: Id): boolean {
    return !this.#inFlight.has(id) && !reading.touched.has(id);
  }

  /** Believes the reading, but for what it cannot tell. @param take - the value in what the reading found. */
  end<Found>(reading: Reading<Id>, contents: ReadonlyMap<Id, Found>, take: (found: Found) => Value): void {
    for (const _ of this.ending(reading, contents, take)) {
      // All at once.
    }
  }

  /** As `end`, with a pause every some thousand objects: what is touched in a pause is left out, too. */
  *ending<Found>(
    reading: Reading<Id>,
    contents: ReadonlyMap<Id, Found>,
    take: (found: Found) => Value,
  ): Generator<undefined, undefined, unknown> {
    let steps = 0;
    for (const id of this.held.keys()) {
      if (!contents.has(id) && this.tells(reading, id)) this.#place(id, this.desired.get(id), undefined);
      if (++steps % SLICE === 0) yield;
    }
    for (const [id, found] of contents) {
      if (this.tells(reading, id)) this.#place(id, this.desired.get(id), take(found));
      if (++steps % SLICE === 0) yield;
    }
    for (const id of [...this.#uncertain]) if (this.tells(reading, id)) this.#uncertain.delete(id);
    this.#readings.delete(reading);
  }

  #answered(id: Id): void {
    const rest = (this.#inFlight.get(id) ?? 1) - 1;
    if (rest === 0) this.#inFlight.delete(id);
    else this.#inFlight.set(id, rest);
    for (const { touched } of this.#readings) touched.add(id);
  }

  #place(id: Id, desired: Value | undefined, held: Value | undefined): void {
    if (desired !== undefined && held !== undefined && this.#same(desired, held)) {
      this.#updates.delete(id);
      this.#deletions.delete(id);
      // The wanted one is kept: what was read can be let go.
      this.#agreed.set(id, desired);
      return;
    }
    this.#agreed.delete(id);
    if (desired === undefined) this.#updates.delete(id);
    else this.#updates.set(id, desired);
    if (held === undefined) this.#deletions.delete(id);
    else this.#deletions.set(id, held);
  }
}

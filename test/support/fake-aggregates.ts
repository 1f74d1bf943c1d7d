/** A network in memory that reserves between this edge and others: it grants, refuses and takes back when it is told to. */
import { type BitsPerSecond, bitsPerSecond } from "../../src/model/units.js";
import type { AggregateState, Aggregates, WantedAggregate } from "../../src/pep/router/aggregates.js";

export class FakeAggregates implements Aggregates {
  readonly wanted = new Map<number, WantedAggregate>();
  /** Each call of `set`. */
  readonly sets: (readonly WantedAggregate[])[] = [];
  /** Grants what is asked for at once, up to this much; undefined: waits for `grant` or `refuse`. */
  room: BitsPerSecond | undefined;
  readonly #states = new Map<number, AggregateState>();
  readonly #listeners: ((state: AggregateState) => void)[] = [];

  set(wanted: readonly WantedAggregate[]): void {
    this.sets.push(wanted);
    const before = new Map(this.wanted);
    this.wanted.clear();
    for (const aggregate of wanted) {
      this.wanted.set(aggregate.pool, aggregate);
      if (before.get(aggregate.pool)?.rate !== aggregate.rate && this.room !== undefined) this.answer(aggregate.pool);
    }
    for (const pool of this.#states.keys()) if (!this.wanted.has(pool)) this.#states.delete(pool);
  }

  states(): readonly AggregateState[] {
    return [...this.#states.values()];
  }

  onChange(listener: (state: AggregateState) => void): void {
    this.#listeners.push(listener);
  }

  /** Layer 3, the smaller of both directions. */
  granted(pool: number): BitsPerSecond {
    const state = this.#states.get(pool);
    return bitsPerSecond(Math.min(state?.outgoing ?? 0, state?.incoming ?? 0));
  }

  /** What is wanted now, if there is room; else what was there stays. */
  answer(pool: number): void {
    const rate = this.wanted.get(pool)?.rate;
    if (rate === undefined) return;
    if (rate <= (this.room ?? Number.POSITIVE_INFINITY)) this.grant(pool, rate);
    else this.refuse(pool);
  }

  /** Both directions, or each its own. */
  grant(pool: number, outgoing: number, incoming = outgoing): void {
    this.#become({ pool, outgoing: bitsPerSecond(outgoing), incoming: bitsPerSecond(incoming) });
  }

  refuse(pool: number, failure = "admission control: no room"): void {
    const { outgoing = bitsPerSecond(0), incoming = bitsPerSecond(0) } = this.#states.get(pool) ?? {};
    this.#become({ pool, outgoing, incoming, failure });
  }

  #become(state: AggregateState): void {
    this.#states.set(state.pool, state);
    for (const listener of this.#listeners) listener(state);
  }
}

/**
 * Tells the policy server what the network grants of the aggregates that it wants: each change, each answer, and all of
 * them after each policy.
 */
import { isDeepStrictEqual } from "node:util";
import type { Binding } from "../../cops/pr/bindings.js";
import { pib } from "../../cops/pr/pib/index.js";
import { encodeRow, type RowOf } from "../../cops/pr/prc.js";
import { type BitsPerSecond, toBytesPerSecond } from "../../model/units.js";
import type { ProvisionedAggregate } from "./aggregate-view.js";
import type { AggregateState, Aggregates, WantedAggregate } from "./aggregates.js";

type StateRow = RowOf<typeof pib.sluiceAggregateState>;

interface Entry {
  aggregate: ProvisionedAggregate;
  state: AggregateState | undefined;
  /** The network has answered since it was asked for what is wanted now. */
  answered: boolean;
  /** The network has granted what is wanted now. */
  confirmed: boolean;
  /** There was something towards the other edge, and from it: nothing is known before, as after a restart. */
  outgoing: boolean;
  incoming: boolean;
}

export class AggregateReports {
  readonly #aggregates: Aggregates;
  readonly #send: (rows: readonly Binding[]) => void;
  readonly #entries = new Map<number, Entry>();
  #setting = false;

  /** @param send - as accounting; called while no policy server is there as well */
  constructor(aggregates: Aggregates, send: (rows: readonly Binding[]) => void) {
    this.#aggregates = aggregates;
    this.#send = send;
    aggregates.onChange((state) => this.#changed(state));
  }

  /** All that are wanted from now on. Reports nothing: `tell` is for when the decision has been reported. */
  set(all: readonly ProvisionedAggregate[]): void {
    const before = new Map(this.#entries);
    this.#entries.clear();
    for (const aggregate of all) {
      const { pool } = aggregate.wanted;
      this.#entries.set(pool, nextEntry(before.get(pool), aggregate));
    }
    this.#setting = true;
    try {
      this.#aggregates.set(all.map(({ wanted }) => wanted));
    } finally {
      this.#setting = false;
    }
    for (const state of this.#aggregates.states()) this.#note(state);
  }

  /** Reports every aggregate as it is. */
  tell(): void {
    this.#send([...this.#entries.values()].map(stateRow));
  }

  #changed(state: AggregateState): void {
    const entry = this.#note(state);
    if (entry === undefined) return;
    entry.answered = true;
    if (!this.#setting) this.#send([stateRow(entry)]);
  }

  #note(state: AggregateState): Entry | undefined {
    const entry = this.#entries.get(state.pool);
    if (entry === undefined) return undefined;
    entry.state = state;
    entry.outgoing ||= state.outgoing > 0;
    entry.incoming ||= state.incoming > 0;
    entry.confirmed ||= reaches(state.outgoing, entry.aggregate.wanted.rate);
    return entry;
  }
}

function nextEntry(before: Entry | undefined, aggregate: ProvisionedAggregate): Entry {
  const { wanted } = aggregate;
  const known = before?.aggregate.wanted;
  if (before === undefined || known === undefined || !isBetweenSame(known, wanted)) {
    return { aggregate, state: undefined, answered: false, confirmed: false, outgoing: false, incoming: false };
  }
  if (!isSame(known, wanted)) return { ...before, aggregate, answered: false, confirmed: false };
  // What was refused is asked of the network again.
  const isRepeated = known.request !== wanted.request && !before.confirmed;
  return isRepeated ? { ...before, aggregate, answered: false } : { ...before, aggregate };
}

const isBetweenSame = (one: WantedAggregate, other: WantedAggregate): boolean =>
  one.remote === other.remote && one.dscp === other.dscp && isDeepStrictEqual(one.tunnel, other.tunnel);

const isSame = (one: WantedAggregate, other: WantedAggregate): boolean =>
  one.rate === other.rate && one.burst === other.burst && one.packetSize === other.packetSize;

function stateRow(entry: Entry): Binding {
  const { row, instance, wanted } = entry.aggregate;
  const state = kindOf(entry);
  const { outgoing, incoming, failure } = entry.state ?? NO_STATE;
  // A failure of what was wanted before is none of what is wanted now.
  const reason = state === "refused" || state === "lost" ? printable(failure ?? "") : "";
  return encodeRow(pib.sluiceAggregateState, instance, {
    pool: row.pool,
    outgoing: entry.outgoing || state !== "pending" ? kilobits(outgoing, wanted.rate) : null,
    incoming: entry.incoming ? kilobits(incoming, wanted.rate) : null,
    state,
    answers: row.rate,
    request: row.request,
    reason,
  });
}

const NO_STATE = { outgoing: 0, incoming: 0, failure: undefined } as const;

function kindOf({ aggregate, state, answered, confirmed }: Entry): StateRow["state"] {
  if (state !== undefined && reaches(state.outgoing, aggregate.wanted.rate)) return "confirmed";
  if (confirmed) return "lost";
  return answered && state?.failure !== undefined ? "refused" : "pending";
}

/** RSVP carries octets per second in single precision (RFC 2210 §3.2): a rate that went through it may have become less. */
const reaches = (rate: number, wanted: BitsPerSecond): boolean =>
  Math.fround(rate / 8) >= Math.fround(toBytesPerSecond(wanted));

/** Whole kbit/s, rounded down. */
const kilobits = (rate: number, wanted: BitsPerSecond): number =>
  Math.floor(Math.min(0xffffffff, (reaches(rate, wanted) ? Math.max(rate, wanted) : rate) / 1000));

const REASON_MAX = 255;

/** As the PIB has it: no control characters, and so many octets at most. */
function printable(text: string): string {
  const clean = text.replaceAll(/[^\x20-\x7e]/g, " ");
  return clean.slice(0, REASON_MAX);
}

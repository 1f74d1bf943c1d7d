/** What became of test packets, for the operator. */

export type StampCounter =
  | "sent"
  | "unsent"
  /** Answers to packets of our own, by what they were good for. */
  | "reply.first"
  | "reply.duplicate"
  | "reply.late"
  | "reply.foreign"
  | "reply.timeless"
  | "reply.unreadable"
  | "reflected"
  /** Packets of others that were not answered: too short, without a use, not allowed, too many, no room for more sessions. */
  | "dropped.unreadable"
  | "dropped.source"
  | "dropped.rate"
  | "dropped.full"
  | "dropped.unsent";

export class StampCounters {
  readonly #counts = new Map<StampCounter, number>();

  add(counter: StampCounter): void {
    this.#counts.set(counter, this.get(counter) + 1);
  }

  get(counter: StampCounter): number {
    return this.#counts.get(counter) ?? 0;
  }

  all(): ReadonlyMap<StampCounter, number> {
    return this.#counts;
  }
}

/** Aggregates that have an end here, by their keys and by the sessions that some of them share. */
import type { BytesPerSecond } from "../../../model/units.js";
import { filterKey, sessionKey } from "../../../rsvp/codec/keys.js";
import type { SenderTemplate, Session } from "../../../rsvp/codec/objects.js";
import type { AggregateName } from "./aggregate-name.js";
import type { AggregatorEnd } from "./aggregator-end.js";
import type { DeaggregatorEnd } from "./deaggregator-end.js";
import type { Wish } from "./wishes.js";

export interface End {
  readonly session: Session;
  /** The sender: here, or at the other edge. */
  readonly template: SenderTemplate;
}

/** An aggregate that begins here. */
export interface Outgoing extends End {
  readonly wish: Wish;
  readonly end: AggregatorEnd;
}

/** An aggregate that ends here. */
export interface Incoming extends End {
  readonly name: AggregateName;
  readonly end: DeaggregatorEnd;
  /** What the aggregator wants of the way back, if it says so. */
  readonly back?: BytesPerSecond;
}

/** As others see it. */
export type EndsView<Kind extends End> = Pick<Ends<Kind>, "get" | "of" | "find" | "keys" | "values" | "size">;

export class Ends<Kind extends End> {
  readonly #byKey = new Map<string, Kind>();
  readonly #bySession = new Map<string, Set<string>>();

  get size(): number {
    return this.#byKey.size;
  }

  keys(): IterableIterator<string> {
    return this.#byKey.keys();
  }

  values(): IterableIterator<Kind> {
    return this.#byKey.values();
  }

  get(key: string): Kind | undefined {
    return this.#byKey.get(key);
  }

  /** That of one sender of a session. */
  find(session: Session, template: SenderTemplate): Kind | undefined {
    const key = filterKey(template);
    return this.of(session).find(([, end]) => filterKey(end.template) === key)?.[1];
  }

  /** In place of what had the key, which was of the same session. */
  set(key: string, end: Kind): void {
    const session = sessionKey(end.session);
    this.#byKey.set(key, end);
    this.#bySession.set(session, (this.#bySession.get(session) ?? new Set()).add(key));
  }

  delete(key: string): void {
    const end = this.#byKey.get(key);
    if (end === undefined) return;
    this.#byKey.delete(key);
    const session = sessionKey(end.session);
    const keys = this.#bySession.get(session);
    keys?.delete(key);
    if (keys?.size === 0) this.#bySession.delete(session);
  }

  /** A list of its own: it may change meanwhile. */
  of(session: Session): readonly (readonly [key: string, end: Kind])[] {
    return [...(this.#bySession.get(sessionKey(session)) ?? [])].flatMap((key) => {
      const end = this.#byKey.get(key);
      return end === undefined ? [] : [[key, end] as const];
    });
  }
}

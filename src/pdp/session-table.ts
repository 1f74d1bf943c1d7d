/** Sessions that hold something, in memory and on disk, and one turn at a time for each. */
import type { SessionId } from "../model/session.js";
import type { InstalledFlow, SessionRecord } from "./session-record.js";
import type { SessionStore } from "./session-store.js";

export class SessionTable {
  readonly #store: SessionStore;
  readonly #live = new Map<SessionId, SessionRecord>();
  readonly #byInstance = new Map<number, SessionId>();
  readonly #queues = new Map<SessionId, Promise<unknown>>();

  /** Takes up what the store holds. */
  constructor(store: SessionStore) {
    this.#store = store;
    for (const record of store.holding()) this.#remember(record);
  }

  /** A session that holds something. */
  get(id: SessionId): SessionRecord | undefined {
    return this.#live.get(id);
  }

  /** Any session that is remembered at all. */
  find(id: SessionId): SessionRecord | undefined {
    return this.#live.get(id) ?? this.#store.find(id);
  }

  values(): Iterable<SessionRecord> {
    return this.#live.values();
  }

  /** The session whose flow the router knows by this number. */
  ofInstance(instance: number): SessionRecord | undefined {
    const id = this.#byInstance.get(instance);
    return id === undefined ? undefined : this.#live.get(id);
  }

  /** Durable when it returns. */
  save(record: SessionRecord): void {
    this.#store.save(record);
    this.#remember(record);
  }

  /** Flows that are on their way to the router: their counters may come before the record has them. */
  expect(id: SessionId, flows: readonly InstalledFlow[]): void {
    for (const { instance } of flows) this.#byInstance.set(instance, id);
  }

  /** Closes a session for good, together with what `also` writes. */
  close(record: SessionRecord, also: () => void): void {
    this.#store.database.transaction(() => {
      this.#store.save(record);
      also();
    })();
    this.#live.delete(record.id);
    for (const { instance } of [...record.flows, ...record.past]) this.#byInstance.delete(instance);
  }

  /** Runs `work` when all earlier work on the same session is done. */
  serial<T>(id: SessionId, work: () => Promise<T>): Promise<T> {
    const before = this.#queues.get(id) ?? Promise.resolve();
    const turn = before.then(work, work);
    const settled = turn
      .catch(() => undefined)
      .finally(() => {
        if (this.#queues.get(id) === settled) this.#queues.delete(id);
      });
    this.#queues.set(id, settled);
    return turn;
  }

  #remember(record: SessionRecord): void {
    this.#live.set(record.id, record);
    this.expect(record.id, [...record.flows, ...record.past]);
  }
}

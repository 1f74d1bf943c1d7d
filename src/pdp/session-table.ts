/** Sessions that hold something, in memory and on disk, and one turn at a time for each. */
import type { SessionId } from "../model/session.js";
import { type InstalledFlow, isLive, localUser, type SessionRecord } from "./session-record.js";
import type { SessionStore } from "./session-store.js";

export class SessionTable {
  readonly #store: SessionStore;
  readonly #live = new Map<SessionId, SessionRecord>();
  readonly #byInstance = new Map<number, SessionId>();
  /** Of users of our network, the sessions that live: asked for each INVITE. */
  readonly #byUser = new Map<string, Set<SessionId>>();
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

  /** How many sessions of a user of our network live, beside `id`. */
  countOf(user: string, id: SessionId): number {
    const own = this.#byUser.get(user);
    return own === undefined ? 0 : own.size - (own.has(id) ? 1 : 0);
  }

  /** The sessions of a user of our network that live. */
  ofUser(user: string): readonly SessionRecord[] {
    return [...(this.#byUser.get(user) ?? [])].flatMap((id) => this.#live.get(id) ?? []);
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
    this.#forgetUser(record.id);
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
    this.#forgetUser(record.id);
    this.#live.set(record.id, record);
    this.expect(record.id, [...record.flows, ...record.past]);
    if (!isLive(record)) return;
    const user = localUser(record);
    this.#byUser.set(user, (this.#byUser.get(user) ?? new Set()).add(record.id));
  }

  #forgetUser(id: SessionId): void {
    const before = this.#live.get(id);
    if (before === undefined) return;
    const user = localUser(before);
    const own = this.#byUser.get(user);
    own?.delete(id);
    if (own?.size === 0) this.#byUser.delete(user);
  }
}

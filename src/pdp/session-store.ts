/** Durable sessions. What `save` took survives a kill at any later moment (WAL, synchronous=FULL). */
import type { SessionId } from "../model/session.js";
import { type Database, type Migration, openDatabase, type Statement } from "../store/database.js";
import { OUTBOX_MIGRATION } from "../store/outbox.js";
import { REPLAY_MIGRATION } from "./replay-store.js";
import { holdsResources, type SessionRecord } from "./session-record.js";
import { USAGE_RECORD_MIGRATION } from "./usage-records.js";

const MIGRATIONS: readonly Migration[] = [
  {
    name: "sessions",
    up: `CREATE TABLE session (
     id TEXT PRIMARY KEY,
     call_id TEXT NOT NULL,
     holds INTEGER NOT NULL,
     created REAL NOT NULL,
     record TEXT NOT NULL
   ) STRICT;
   CREATE INDEX session_holds ON session (holds) WHERE holds = 1;
   CREATE INDEX session_call_id ON session (call_id);
   CREATE INDEX session_created ON session (created);
   CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;`,
  },
  OUTBOX_MIGRATION,
  REPLAY_MIGRATION,
  USAGE_RECORD_MIGRATION,
];

/** Callers choose Call-IDs, and may take one again. */
const OF_CALL_MAX = 16;
/** How many numbers are set aside in one write. */
const BLOCK = 1000;

interface Row {
  readonly record: string;
}

export class SessionStore {
  readonly database: Database;
  readonly #upsert: Statement<[string, string, number, number, string]>;
  readonly #byId: Statement<[string], Row>;
  readonly #byCallId: Statement<[string], Row>;
  readonly #numbers = new Map<string, { next: number; end: number }>();

  constructor(path: string) {
    this.database = openDatabase(path, MIGRATIONS);
    // Asked for every message of every session: prepared once.
    this.#upsert = this.database.prepare(
      `INSERT INTO session (id, call_id, holds, created, record) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET holds = excluded.holds, created = excluded.created, record = excluded.record`,
    );
    this.#byId = this.database.prepare("SELECT record FROM session WHERE id = ?");
    this.#byCallId = this.database.prepare(
      `SELECT record FROM session WHERE call_id = ? ORDER BY created DESC LIMIT ${OF_CALL_MAX}`,
    );
  }

  save(record: SessionRecord): void {
    const holds = holdsResources(record) ? 1 : 0;
    this.#upsert.run(record.id, record.callId, holds, record.created, JSON.stringify(record));
  }

  find(id: SessionId): SessionRecord | undefined {
    return recordOf(this.#byId.get(id));
  }

  /** The newest session of a Call-ID. */
  findByCallId(callId: string): SessionRecord | undefined {
    return recordOf(this.#byCallId.get(callId));
  }

  /** Sessions of a Call-ID, the newest first: of a call between two users of this server there is one for each. */
  ofCallId(callId: string): readonly SessionRecord[] {
    return this.#byCallId.all(callId).map(({ record }) => JSON.parse(record) as SessionRecord);
  }

  /** Every session that still holds something: what a restarted server begins with. */
  holding(): readonly SessionRecord[] {
    const rows = this.database.prepare("SELECT record FROM session WHERE holds = 1").all() as Row[];
    return rows.map(({ record }) => JSON.parse(record) as SessionRecord);
  }

  /** Forgets sessions that hold nothing and began before `time` (epoch ms). */
  prune(time: number): void {
    this.database.prepare("DELETE FROM session WHERE holds = 0 AND created < ?").run(time);
  }

  recent(limit: number): readonly SessionRecord[] {
    const rows = this.database.prepare("SELECT record FROM session ORDER BY created DESC LIMIT ?").all(limit) as Row[];
    return rows.map(({ record }) => JSON.parse(record) as SessionRecord);
  }

  /** A number never given before, also across restarts: a block is set aside on disk before its first is used. */
  nextNumber(name: string): number {
    let block = this.#numbers.get(name);
    if (block === undefined || block.next > block.end) {
      const start = this.#setAside(name);
      block = { next: start, end: start + BLOCK - 1 };
      this.#numbers.set(name, block);
    }
    return block.next++;
  }

  close(): void {
    this.database.close();
  }

  #setAside(name: string): number {
    const row = this.database
      .prepare(
        `INSERT INTO counter (name, value) VALUES (?, ?)
         ON CONFLICT (name) DO UPDATE SET value = value + ? RETURNING value`,
      )
      .get(name, BLOCK, BLOCK) as { value: number };
    return row.value - BLOCK + 1;
  }
}

const recordOf = (row: Row | undefined): SessionRecord | undefined =>
  row === undefined ? undefined : (JSON.parse(row.record) as SessionRecord);

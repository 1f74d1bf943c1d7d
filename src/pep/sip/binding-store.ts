/**
 * Registrations that outlive a restart, and who has ever had one. Written together a moment after they were made: an agent whose last refresh was
 * lost with the power is known by the one before, and refreshes again.
 */
import type { Clock, Timer } from "../../model/clock.js";
import type { Logger } from "../../model/log.js";
import { millis, seconds } from "../../model/units.js";
import type { AddressOfRecord, Binding } from "../../sip/registrar/binding.js";
import type { BindingStore } from "../../sip/registrar/registrar.js";
import { type Database, type Migration, openDatabase, type Statement } from "../../store/database.js";

const MIGRATIONS: readonly Migration[] = [
  {
    name: "bindings",
    up: "CREATE TABLE user (aor TEXT PRIMARY KEY, bindings TEXT NOT NULL) STRICT",
  },
  {
    name: "users without bindings",
    up: "ALTER TABLE user ADD COLUMN seen REAL NOT NULL DEFAULT 0",
  },
];

const NONE = "[]";
/** A user who was not seen for so long is a name that nobody has: 400 days. */
const FORGET_AFTER = seconds(400 * 86_400);

/** Between two writes: what comes meanwhile shares a transaction. */
const PAUSE = millis(50);

export interface SqliteBindingStoreOptions {
  /** The file, or `:memory:`. */
  readonly path: string;
  readonly clock: Clock;
  readonly log: Logger;
}

export class SqliteBindingStore implements BindingStore {
  readonly #options: SqliteBindingStoreOptions;
  readonly #database: Database;
  readonly #upsert: Statement<[string, string, number]>;
  readonly #waiting = new Map<AddressOfRecord, readonly Binding[]>();
  #timer: Timer | undefined;

  constructor(options: SqliteBindingStoreOptions) {
    this.#options = options;
    this.#database = openDatabase(options.path, MIGRATIONS);
    this.#upsert = this.#database.prepare(
      `INSERT INTO user (aor, bindings, seen) VALUES (?, ?, ?)
       ON CONFLICT (aor) DO UPDATE SET bindings = excluded.bindings, seen = excluded.seen`,
    );
    const forgotten = options.clock.now() - FORGET_AFTER;
    this.#database.prepare("DELETE FROM user WHERE bindings = ? AND seen < ?").run(NONE, forgotten);
  }

  users(): readonly AddressOfRecord[] {
    const rows = this.#database.prepare("SELECT aor FROM user ORDER BY seen").all() as { aor: AddressOfRecord }[];
    return rows.map(({ aor }) => aor);
  }

  load(): readonly Binding[] {
    const rows = this.#database.prepare("SELECT bindings FROM user").all() as { bindings: string }[];
    return rows.flatMap((row) => JSON.parse(row.bindings) as Binding[]);
  }

  save(aor: AddressOfRecord, bindings: readonly Binding[]): void {
    this.#waiting.set(aor, bindings);
    this.#timer ??= this.#options.clock.after(PAUSE, () => this.#write());
  }

  /** Writes what is left. */
  close(): void {
    this.#timer?.cancel();
    this.#write();
    this.#database.close();
  }

  #write(): void {
    this.#timer = undefined;
    const changes = [...this.#waiting];
    this.#waiting.clear();
    const write = this.#database.transaction(() => {
      const now = this.#options.clock.now();
      for (const [aor, bindings] of changes) this.#upsert.run(aor, JSON.stringify(bindings), now);
    });
    try {
      write.immediate();
    } catch (error) {
      // Calls go on without it; after a restart these agents are found when they refresh.
      this.#options.log.error("proxy.registrations-not-kept", { users: changes.length, error });
    }
  }
}

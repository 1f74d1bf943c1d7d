/** Log-ins in SQLite, so that a restart logs nobody out. */
import type { Timestamp } from "../../model/units.js";
import { type Database, type Migration, openDatabase, type Statement } from "../../store/database.js";
import { GroupCommit } from "../../store/group-commit.js";
import type { LoginSession } from "./machine.js";
import type { SessionKey } from "./session-id.js";

const VERSION_1 = `
CREATE TABLE logins (
  key TEXT PRIMARY KEY,
  user TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  opened_at REAL NOT NULL,
  seen_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
`;

const MIGRATIONS: readonly Migration[] = [{ name: "portal", up: VERSION_1 }];

interface Row {
  readonly key: SessionKey;
  readonly user: string;
  readonly fingerprint: string;
  readonly opened_at: Timestamp;
  readonly seen_at: Timestamp;
}

export class SessionStore {
  readonly #database: Database;
  readonly #commits: GroupCommit;
  readonly #put: Statement<[Row]>;
  readonly #delete: Statement<[SessionKey]>;

  /** @param path - the file, or `:memory:` @throws SystemError as `openDatabase` */
  constructor(path: string) {
    this.#database = openDatabase(path, MIGRATIONS);
    this.#commits = new GroupCommit(this.#database);
    this.#put = this.#database.prepare(
      "INSERT OR REPLACE INTO logins VALUES (@key, @user, @fingerprint, @opened_at, @seen_at)",
    );
    this.#delete = this.#database.prepare("DELETE FROM logins WHERE key = ?");
  }

  all(): readonly (readonly [SessionKey, LoginSession])[] {
    const rows = this.#database.prepare<[], Row>("SELECT * FROM logins").all();
    return rows.map(({ key, user, fingerprint, opened_at, seen_at }) => [
      key,
      { user, fingerprint, opened: opened_at, seen: seen_at, stored: seen_at },
    ]);
  }

  /** Resolves when it is on the disk. @throws SystemError as `GroupCommit.run` */
  put(key: SessionKey, { user, fingerprint, opened, seen }: LoginSession): Promise<void> {
    return this.#commits.run(() => {
      this.#put.run({ key, user, fingerprint, opened_at: opened, seen_at: seen });
    });
  }

  /** Likewise. */
  delete(key: SessionKey): Promise<void> {
    return this.#commits.run(() => {
      this.#delete.run(key);
    });
  }

  close(): void {
    this.#commits.close();
    this.#database.close();
  }
}

/** Opens a role's SQLite file: durable at every commit, and only with a schema that this program knows. */
import { chmodSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import Sqlite, { type Database } from "better-sqlite3";
import { InternalError, SystemError } from "../model/errors.js";

export type { Database, Statement } from "better-sqlite3";

/** One step of the schema. Steps are only ever added at the end: their number is the schema's version. */
export interface Migration {
  readonly name: string;
  readonly up: string | ((database: Database) => void);
}

/**
 * Opens or makes the file, and brings its schema up to date, all steps or none.
 * WAL and `synchronous=FULL`: what was committed survives a power cut.
 * @param path - the file, or `:memory:`
 * @throws SystemError when the file cannot be used, is damaged, or was written by a newer version
 */
export function openDatabase(path: string, migrations: readonly Migration[]): Database {
  const database = openFile(path);
  try {
    database.pragma("journal_mode = WAL");
    database.pragma("synchronous = FULL");
    database.pragma("foreign_keys = ON");
    database.pragma("trusted_schema = OFF");
    migrate(database, path, migrations);
    return database;
  } catch (error) {
    database.close();
    if (error instanceof SystemError || error instanceof InternalError) throw error;
    throw unusable(path, error);
  }
}

function openFile(path: string): Database {
  try {
    if (path !== ":memory:") mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    // Another process in the same file is a mistake; waiting long would hide it.
    const database = new Sqlite(path, { timeout: 1000 });
    if (path !== ":memory:") chmodSync(path, 0o600);
    return database;
  } catch (error) {
    throw unusable(path, error);
  }
}

function unusable(path: string, error: unknown): SystemError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
  const remedies: Readonly<Record<string, string>> = {
    SQLITE_NOTADB: "it is no database, or it is damaged: move it away, or restore it",
    SQLITE_CORRUPT: "it is damaged: move it away, or restore it",
    SQLITE_BUSY: "another process has it open: is this role already running?",
    SQLITE_FULL: "the disk is full",
  };
  const remedy = remedies[code] ?? "make its directory writable for this user, or correct `state:`";
  return new SystemError("STORE_UNUSABLE", `cannot use the database ${path} (${code})`, { remedy, cause: error });
}

function migrate(database: Database, path: string, migrations: readonly Migration[]): void {
  const found = Number(database.pragma("user_version", { simple: true }));
  if (found > migrations.length) {
    const message = `the database ${path} has schema ${found}; this version of sluice knows ${migrations.length}`;
    throw new SystemError("STORE_TOO_NEW", message, { remedy: "run the newer version, or restore an older copy" });
  }
  if (found === migrations.length) return;
  const steps = database.transaction(() => {
    for (const { up } of migrations.slice(found)) {
      if (typeof up === "string") database.exec(up);
      else up(database);
    }
    database.pragma(`user_version = ${migrations.length}`);
  });
  steps.immediate();
}

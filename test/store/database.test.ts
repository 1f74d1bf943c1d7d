import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SystemError } from "../../src/model/errors.js";
import { type Migration, openDatabase } from "../../src/store/database.js";

const FIRST: Migration = { name: "first", up: "CREATE TABLE a (x INTEGER) STRICT" };
const SECOND: Migration = {
  name: "second",
  up: (database) => void database.prepare("INSERT INTO a VALUES (?)").run(7),
};

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "sluice-store-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const failure = (act: () => unknown): SystemError => {
  try {
    act();
  } catch (error) {
    if (error instanceof SystemError) return error;
    throw error;
  }
  throw new Error("nothing was wrong");
};

describe("openDatabase", () => {
  it("makes a durable file that only its owner may read", () => {
    const path = join(directory, "state", "x.db");
    const database = openDatabase(path, [FIRST]);
    expect(database.pragma("journal_mode", { simple: true })).toBe("wal");
    expect(database.pragma("synchronous", { simple: true })).toBe(2);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    database.close();
  });

  it("runs each step once, and later steps on an older file", () => {
    const path = join(directory, "x.db");
    openDatabase(path, [FIRST]).close();
    for (let times = 0; times < 2; times += 1) {
      const database = openDatabase(path, [FIRST, SECOND]);
      expect(database.prepare("SELECT x FROM a").all()).toEqual([{ x: 7 }]);
      database.close();
    }
  });

  it("takes no step when a later one fails", () => {
    const path = join(directory, "x.db");
    const bad: Migration = { name: "bad", up: "CREATE TABLE b (x INTEGER); CREATE TABLE a (x INTEGER)" };
    expect(failure(() => openDatabase(path, [FIRST, bad])).code).toBe("STORE_UNUSABLE");
    const database = openDatabase(path, []);
    expect(database.prepare("SELECT count(*) AS n FROM sqlite_schema").get()).toEqual({ n: 0 });
    database.close();
  });

  it("refuses a newer schema with a sentence", () => {
    const path = join(directory, "x.db");
    openDatabase(path, [FIRST, SECOND]).close();
    const error = failure(() => openDatabase(path, [FIRST]));
    expect(error.code).toBe("STORE_TOO_NEW");
    expect(error.message).toContain("has schema 2; this version of sluice knows 1");
  });

  it("says what to do with a file that is no database", () => {
    const path = join(directory, "x.db");
    writeFileSync(path, "this is no database at all, and long enough to be looked at".repeat(20));
    const error = failure(() => openDatabase(path, [FIRST]));
    expect(error.message).toContain("SQLITE_NOTADB");
    expect(error.remedy).toContain("move it away");
    expect(failure(() => openDatabase(join(path, "y.db"), [])).code).toBe("STORE_UNUSABLE");
  });
});

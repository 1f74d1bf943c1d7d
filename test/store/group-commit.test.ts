import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SystemError } from "../../src/model/errors.js";
import { type Database, openDatabase } from "../../src/store/database.js";
import { GroupCommit } from "../../src/store/group-commit.js";
import { compileSource } from "./compile.js";

let directory = "";
let database: Database;
let group: GroupCommit;

const MIGRATIONS = [{ name: "a", up: "CREATE TABLE a (x INTEGER NOT NULL UNIQUE) STRICT" }];
const insert = (x: number) => (db: Database) => db.prepare("INSERT INTO a VALUES (?)").run(x).changes;
const stored = (): number[] => database.prepare<[], number>("SELECT x FROM a ORDER BY x").pluck().all();

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "sluice-group-"));
  database = openDatabase(join(directory, "x.db"), MIGRATIONS);
  group = new GroupCommit(database);
});
afterEach(() => {
  database.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Counts the commits of what is run meanwhile, by the write-ahead log's own statistics. */
async function commitsOf(act: () => Promise<unknown>): Promise<number> {
  let commits = 0;
  const real = database.prepare.bind(database);
  const commit = real("COMMIT");
  const prototype = Object.getPrototypeOf(commit) as { run: (...args: unknown[]) => unknown };
  const run = prototype.run;
  prototype.run = function (this: { source?: string }, ...args: unknown[]) {
    if (this.source === "COMMIT") commits += 1;
    return run.apply(this, args);
  };
  try {
    await act();
  } finally {
    prototype.run = run;
  }
  return commits;
}

describe("GroupCommit", () => {
  it("puts what waits at the same time into one transaction, in order", async () => {
    const order: number[] = [];
    const commits = await commitsOf(() =>
      Promise.all(
        [3, 1, 2].map((x) =>
          group.run((db) => {
            order.push(x);
            return insert(x)(db);
          }),
        ),
      ),
    );
    expect(commits).toBe(1);
    expect(order).toEqual([3, 1, 2]);
    expect(stored()).toEqual([1, 2, 3]);
  });

  it("takes back the changes of a failing operation only", async () => {
    const results = await Promise.allSettled([
      group.run(insert(1)),
      group.run((db) => {
        insert(2)(db);
        throw new RangeError("no room");
      }),
      group.run(insert(1)),
      group.run(insert(3)),
    ]);
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected", "fulfilled"]);
    expect(results[1]).toMatchObject({ reason: expect.any(RangeError) as RangeError });
    expect(stored()).toEqual([1, 3]);
  });

  it("refuses an asynchronous operation, and undoes it", async () => {
    await expect(group.run(async (db) => insert(1)(db))).rejects.toMatchObject({ code: "STORE_ASYNC" });
    expect(stored()).toEqual([]);
  });

  it("rejects all when the transaction is gone, and goes on with the next", async () => {
    const results = await Promise.allSettled([
      group.run(insert(1)),
      group.run((db) => {
        // As SQLite does by itself on a full disk.
        db.exec("ROLLBACK");
        throw new Error("disk full");
      }),
      group.run(insert(2)),
    ]);
    for (const result of results) expect(result).toMatchObject({ reason: { code: "STORE_COMMIT" } });
    await group.run(insert(9));
    expect(stored()).toEqual([9]);
  });

  it("rejects all when the commit fails", async () => {
    database.exec(
      "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p DEFERRABLE INITIALLY DEFERRED)",
    );
    const results = await Promise.allSettled([
      group.run(insert(1)),
      group.run((db) => db.exec("INSERT INTO c VALUES (5)")),
    ]);
    for (const result of results) expect(result).toMatchObject({ reason: { code: "STORE_COMMIT" } });
    expect(stored()).toEqual([]);
  });

  it("bounds what waits and how much one transaction takes", async () => {
    const small = new GroupCommit(database, { maxBatch: 2, maxQueue: 3 });
    const commits = await commitsOf(async () => {
      const results = await Promise.allSettled([1, 2, 3, 4].map((x) => small.run(insert(x))));
      expect(results.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "fulfilled", "rejected"]);
      expect(results[3]).toMatchObject({ reason: expect.any(SystemError) as SystemError });
    });
    expect(commits).toBe(2);
  });

  it("commits what waits when it is closed, and takes no more", async () => {
    const waiting = group.run(insert(1));
    group.close();
    expect(stored()).toEqual([1]);
    await expect(waiting).resolves.toBe(1);
    await expect(group.run(insert(2))).rejects.toMatchObject({ code: "STORE_CLOSED" });
  });

  it("has everything on the disk that it told done before the process was killed", async () => {
    const path = join(directory, "killed.db");
    const source = join(compileSource(directory, ["model", "store"]), "store");
    const script = join(directory, "writer.js");
    writeFileSync(
      script,
      `import { openDatabase } from "${source}/database.js";
       import { GroupCommit } from "${source}/group-commit.js";
       const database = openDatabase(${JSON.stringify(path)}, ${JSON.stringify(MIGRATIONS)});
       const group = new GroupCommit(database);
       let next = 0;
       const worker = async () => {
         for (;;) {
           const x = next++;
           await group.run((db) => db.prepare("INSERT INTO a VALUES (?)").run(x));
           process.stdout.write(x + "\\n");
         }
       };
       for (let i = 0; i < 8; i++) void worker();`,
    );
    const told = await runAndKill(script, 200);
    expect(told.length).toBeGreaterThanOrEqual(200);
    const survivor = openDatabase(path, MIGRATIONS);
    const there = new Set(survivor.prepare<[], number>("SELECT x FROM a").pluck().all());
    survivor.close();
    expect(told.filter((x) => !there.has(x))).toEqual([]);
  });
});

/** Runs a program until it has printed `enough` numbers, kills it, and gives what it printed. */
async function runAndKill(script: string, enough: number): Promise<number[]> {
  const child = spawn(process.execPath, [script]);
  let text = "";
  await new Promise<void>((resolve, reject) => {
    child.stdout.on("data", (data: Buffer) => {
      text += data.toString();
      if (text.split("\n").length > enough) child.kill("SIGKILL");
    });
    let complaint = "";
    child.stderr.on("data", (data: Buffer) => {
      complaint += data.toString();
    });
    child.on("close", (_code, signal) => (signal === "SIGKILL" ? resolve() : reject(new Error(complaint))));
  });
  return text.split("\n").slice(0, -1).map(Number);
}

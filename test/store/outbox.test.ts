import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SILENT_LOGGER } from "../../src/model/log.js";
import { millis, seconds } from "../../src/model/units.js";
import { type Database, openDatabase } from "../../src/store/database.js";
import { type Delivery, OUTBOX_MIGRATION, Outbox, type OutboxOptions } from "../../src/store/outbox.js";
import { FakeClock, settle } from "../support/fake-clock.js";
import { compileSource } from "./compile.js";

let directory = "";
let database: Database;
let clock: FakeClock;
/** What arrived at the peer, and what it answers next. */
let arrived: string[];
let answers: (Delivery | Error)[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "sluice-outbox-"));
  database = openDatabase(join(directory, "x.db"), [OUTBOX_MIGRATION]);
  clock = new FakeClock();
  arrived = [];
  answers = [];
});
afterEach(() => {
  database.close();
  rmSync(directory, { recursive: true, force: true });
});

function outbox(options: Partial<OutboxOptions> = {}): Outbox {
  const deliver = (body: Buffer): Promise<Delivery> => {
    arrived.push(body.toString("latin1"));
    const answer = answers.shift() ?? "acked";
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  };
  return new Outbox({ database, deliver, clock, log: SILENT_LOGGER, random: () => 1, ...options });
}

const bytes = (text: string): Buffer => Buffer.from(text, "latin1");

describe("Outbox", () => {
  it("sends in order, each once", async () => {
    const box = outbox();
    box.start();
    for (const key of ["c", "a", "b"]) box.enqueue(key, bytes(`body ${key}`));
    await clock.pass(0);
    expect(arrived).toEqual(["body c", "body a", "body b"]);
    expect(box.status()).toEqual({ pending: 0, rejected: 0, oldest: undefined });
    await clock.pass(1e9);
    expect(arrived).toHaveLength(3);
    await box.close();
  });

  it("keeps one row per key: the first", async () => {
    const box = outbox();
    expect(box.enqueue("k", bytes("one"))).toBe(true);
    expect(box.enqueue("k", bytes("two"))).toBe(false);
    box.start();
    await clock.pass(0);
    expect(box.enqueue("k", bytes("three"))).toBe(false);
    await clock.pass(0);
    expect(arrived).toEqual(["one"]);
    await box.close();
  });

  it("repeats the same octets with growing pauses, and holds back the next", async () => {
    const box = outbox({ backoff: { first: seconds(1), longest: seconds(5) } });
    answers = ["retry", new Error("no route"), "retry", "retry", "retry"];
    const body = Buffer.from([0, 255, 13, 10, 128]);
    box.enqueue("1", body);
    box.enqueue("2", bytes("second"));
    box.start();
    const pauses: number[] = [];
    for (let attempt = 0; attempt < 5; attempt += 1) {
      await clock.pass(clock.armed[0] ?? Number.NaN);
      await settle();
      pauses.push(...clock.armed);
    }
    expect(pauses).toEqual([1000, 2000, 4000, 5000, 5000]);
    await clock.pass(5000);
    expect(arrived).toEqual([...Array.from({ length: 6 }, () => body.toString("latin1")), "second"]);
    await box.close();
  });

  it("spreads the pauses by chance, downwards to three quarters", async () => {
    const box = outbox({ random: () => 0 });
    answers = ["retry"];
    box.enqueue("1", bytes("x"));
    box.start();
    await clock.pass(0);
    expect(clock.armed).toEqual([750]);
    await box.close();
  });

  it("sets aside what is rejected, and goes on", async () => {
    const box = outbox();
    answers = ["rejected"];
    box.enqueue("1", bytes("bad"));
    box.enqueue("2", bytes("good"));
    box.start();
    await clock.pass(0);
    expect(arrived).toEqual(["bad", "good"]);
    expect(box.status()).toMatchObject({ pending: 0, rejected: 1 });
    await box.close();
  });

  it("sends nothing of a transaction that was taken back", async () => {
    const box = outbox();
    box.start();
    await clock.pass(0);
    const transaction = database.transaction(() => {
      box.enqueue("1", bytes("never"));
      throw new Error("undo");
    });
    expect(transaction).toThrow("undo");
    await clock.pass(1000);
    expect(arrived).toEqual([]);
    database.transaction(() => box.enqueue("1", bytes("now")))();
    await clock.pass(0);
    expect(arrived).toEqual(["now"]);
    await box.close();
  });

  it("sends again after a process died before the answer was stored", async () => {
    const deliver = (body: Buffer): Promise<Delivery> => {
      arrived.push(body.toString());
      return new Promise(() => undefined);
    };
    const dead = outbox({ deliver });
    dead.enqueue("1", bytes("usage"));
    dead.start();
    await clock.pass(0);
    // The process is gone: its promise never settles. The next one opens the same file.
    database.close();
    database = openDatabase(join(directory, "x.db"), [OUTBOX_MIGRATION]);
    clock = new FakeClock();
    const next = outbox();
    expect(next.status().pending).toBe(1);
    next.start();
    await clock.pass(0);
    expect(arrived).toEqual(["usage", "usage"]);
    expect(next.status().pending).toBe(0);
    await next.close();
  });

  it("loses nothing and changes nothing when the process is killed while it sends", async () => {
    const source = join(compileSource(directory, ["model", "store"]), "store");
    const script = join(directory, "sender.js");
    const path = join(directory, "killed.db");
    writeFileSync(
      script,
      `import { openDatabase } from "${source}/database.js";
       import { Outbox, OUTBOX_MIGRATION } from "${source}/outbox.js";
       import { SILENT_LOGGER } from "${join(directory, "dist/model/log.js")}";
       const database = openDatabase(${JSON.stringify(path)}, [OUTBOX_MIGRATION]);
       const deliver = async (body, key) => {
         process.stdout.write(body.toString("hex") + "\\n");
         // The second message reaches the peer, but its answer does not come back.
         return key === "1" ? "acked" : new Promise(() => undefined);
       };
       const outbox = new Outbox({ database, deliver, log: SILENT_LOGGER });
       database.transaction(() => {
         for (const key of ["1", "2", "3"]) outbox.enqueue(key, Buffer.from([Number(key), 0, 255, Math.random() * 256]));
       })();
       outbox.start();
       setInterval(() => undefined, 1000);`,
    );
    const sent = await untilSecondLine(script);
    const killed = database;
    database = openDatabase(path, [OUTBOX_MIGRATION]);
    killed.close();
    const box = outbox();
    box.start();
    await clock.pass(0);
    const hex = arrived.map((body) => bytes(body).toString("hex"));
    expect(hex).toHaveLength(2);
    expect(hex[0]).toBe(sent[1]);
    expect(hex[1]).toMatch(/^0300ff/);
    expect(database.prepare("SELECT key, attempts FROM outbox ORDER BY seq").all()).toEqual([
      { key: "1", attempts: 1 },
      { key: "2", attempts: 2 },
      { key: "3", attempts: 1 },
    ]);
    await box.close();
  });

  it("tells the age of the oldest, tries at once when kicked, and forgets the settled in time", async () => {
    const box = outbox({ keepSettled: seconds(100) });
    answers = ["retry"];
    box.enqueue("1", bytes("x"));
    box.start();
    await clock.pass(0);
    await clock.pass(300);
    expect(box.status().oldest).toBe(millis(300));
    box.kick();
    await clock.pass(0);
    expect(arrived).toEqual(["x", "x"]);
    await box.close();
    await clock.pass(200_000);
    const later = outbox({ keepSettled: seconds(100) });
    later.start();
    expect(database.prepare("SELECT count(*) AS n FROM outbox").get()).toEqual({ n: 0 });
    await later.close();
  });
});

/** Runs a program, kills it when it has printed two lines, and gives the lines. */
async function untilSecondLine(script: string): Promise<string[]> {
  const child = spawn(process.execPath, [script]);
  let text = "";
  let complaint = "";
  await new Promise<void>((resolve, reject) => {
    child.stdout.on("data", (data: Buffer) => {
      text += data.toString();
      if (text.split("\n").length > 2) child.kill("SIGKILL");
    });
    child.stderr.on("data", (data: Buffer) => {
      complaint += data.toString();
    });
    child.on("close", (_code, signal) => (signal === "SIGKILL" ? resolve() : reject(new Error(complaint))));
  });
  return text.trim().split("\n");
}

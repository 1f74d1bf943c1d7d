import { appendFileSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { MessageEvent } from "../../src/model/event.js";
import { SILENT_LOGGER } from "../../src/model/log.js";
import { sessionIdOf } from "../../src/model/session.js";
import { octets } from "../../src/model/units.js";
import { EventLog, type EventLogOptions } from "../../src/telemetry/event-log.js";
import { FakeClock } from "../support/fake-clock.js";

const ONE = sessionIdOf("one", "t");
const TWO = sessionIdOf("two", "t");

let directory = "";
let clock: FakeClock;
let logs: EventLog[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "sluice-events-"));
  clock = new FakeClock();
});
afterEach(() => {
  for (const log of logs) log.close();
  logs = [];
  rmSync(directory, { recursive: true, force: true });
});

function openLog(options: Partial<EventLogOptions> = {}): EventLog {
  const log = new EventLog({ directory: join(directory, "state"), clock, log: SILENT_LOGGER, ...options });
  logs.push(log);
  return log;
}

const event = (session: MessageEvent["session"], message: string): Omit<MessageEvent, "at"> => ({
  session,
  message,
  protocol: "SIP",
  action: "sent",
  from: "10.1.0.5:5060",
  to: "10.1.0.10:5060",
});

const messages = async (log: EventLog, session = ONE): Promise<string[]> =>
  (await log.query(session)).map(({ message }) => message);

describe("EventLog", () => {
  it("gives back the events of one session, in order and with their times", async () => {
    const log = openLog();
    log.record(event(ONE, "INVITE"));
    log.record(event(TWO, "INVITE"));
    await clock.pass(5);
    log.record(event(ONE, "100"));
    expect(await log.query(ONE)).toEqual([
      { at: 1_000_000, ...event(ONE, "INVITE") },
      { at: 1_000_005, ...event(ONE, "100") },
    ]);
    expect(statSync(join(directory, "state", "events.jsonl")).mode & 0o777).toBe(0o600);
  });

  it("survives a kill, also in the middle of a line", async () => {
    const killed = openLog();
    killed.record(event(ONE, "INVITE"));
    await clock.pass(0);
    const file = join(directory, "state", "events.jsonl");
    appendFileSync(file, `{"at":5,"session":"${ONE}","proto`);
    const next = openLog();
    next.record(event(ONE, "180"));
    expect(await messages(next)).toEqual(["INVITE", "180"]);
  });

  it("skips damage: other shapes, no JSON, endless lines, zeros", async () => {
    const log = openLog();
    log.record(event(ONE, "INVITE"));
    await clock.pass(0);
    const file = join(directory, "state", "events.jsonl");
    appendFileSync(file, `{"session":"${ONE}"}\n"${ONE}"\n${"\0".repeat(700_000)}"${ONE}"\n${"x".repeat(9000)}\n`);
    log.record(event(ONE, "BYE"));
    expect(await messages(log)).toEqual(["INVITE", "BYE"]);
  });

  it("keeps its files within their size, and drops the oldest", async () => {
    const log = openLog({ maxFile: octets(2000), keep: 2 });
    for (let n = 0; n < 100; n += 1) {
      log.record(event(ONE, `m${n}`));
      await clock.pass(1);
    }
    const state = join(directory, "state");
    expect(readdirSync(state).sort()).toEqual(["events.1.jsonl", "events.2.jsonl", "events.jsonl"]);
    for (const name of readdirSync(state)) expect(statSync(join(state, name)).size).toBeLessThan(2300);
    const kept = await messages(log);
    expect(kept.at(-1)).toBe("m99");
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, index) => `m${100 - kept.length + index}`));
    expect(kept.length).toBeGreaterThan(20);
  });

  it("knows sessions by Call-ID, also after a restart", async () => {
    const callId = 'a"84b\\@host ü';
    const first = openLog();
    first.alias(callId, TWO);
    first.alias("other", ONE);
    first.alias(callId, ONE);
    first.close();
    const next = openLog();
    expect(await next.resolve(callId)).toBe(ONE);
    expect(await next.resolve(TWO)).toBe(TWO);
    expect(await next.resolve("nobody")).toBeUndefined();
  });

  it("loses events rather than sessions when the disk fails, and recovers", async () => {
    const log = openLog({ maxFile: octets(1) });
    log.record(event(ONE, "a"));
    await clock.pass(0);
    const state = join(directory, "state");
    rmSync(state, { recursive: true });
    writeFileSync(state, "in the way");
    log.record(event(ONE, "b"));
    await clock.pass(0);
    rmSync(state);
    const again = openLog();
    log.record(event(ONE, "c"));
    await clock.pass(0);
    expect(await messages(again)).toEqual(["c"]);
  });

  it("says so when it cannot write at all", () => {
    writeFileSync(join(directory, "state"), "in the way");
    expect(() => openLog()).toThrow(expect.objectContaining({ code: "STATE_UNWRITABLE" }) as Error);
  });
});

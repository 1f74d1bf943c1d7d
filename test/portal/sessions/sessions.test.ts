import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { seconds } from "../../../src/model/units.js";
import type { Account } from "../../../src/portal/accounts/accounts.js";
import { CLEARED_COOKIE, readCookie, sessionCookie } from "../../../src/portal/sessions/cookie.js";
import {
  csrfTokenOf,
  isCsrfToken,
  newSessionSecret,
  parseSessionSecret,
  sessionKeyOf,
} from "../../../src/portal/sessions/session-id.js";
import { SessionStore } from "../../../src/portal/sessions/session-store.js";
import { Sessions } from "../../../src/portal/sessions/sessions.js";
import { FakeClock } from "../../support/fake-clock.js";
import { account } from "../support.js";

let alice: Account;
let store: SessionStore;
let clock: FakeClock;
let sessions: Sessions;
const ended: string[] = [];
const known = new Map<string, Account>();

const start = (): Sessions =>
  new Sessions({
    store,
    limits: { idle: seconds(100), absolute: seconds(1000) },
    clock,
    log: SILENT_LOGGER,
    find: (name) => known.get(name),
    onEnd: (_key, user) => void ended.push(user),
  });

beforeEach(async () => {
  alice = await account("alice");
  known.clear();
  known.set("alice", alice);
  ended.length = 0;
  store = new SessionStore(":memory:");
  clock = new FakeClock();
  sessions = start();
});
afterEach(() => {
  sessions.stop();
  store.close();
});

describe("secrets", () => {
  it("are 256 bits, kept as a hash, and the token does not give the id away", () => {
    const id = newSessionSecret();
    expect(Buffer.from(id, "base64url")).toHaveLength(32);
    expect(parseSessionSecret(id)).toBe(id);
    expect(parseSessionSecret(`${id}=`)).toBeUndefined();
    expect(new Set([id, sessionKeyOf(id), csrfTokenOf(id)]).size).toBe(3);
    expect(isCsrfToken(id, csrfTokenOf(id))).toBe(true);
    for (const wrong of ["", id, csrfTokenOf(newSessionSecret()), `${csrfTokenOf(id)}\0`]) {
      expect(isCsrfToken(id, wrong)).toBe(false);
    }
  });

  it("go through a cookie and back, among any others", () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ maxLength: 20 }).map((text) => text.replace(/__Host-sluice/g, ""))),
        (others) => {
          const id = newSessionSecret();
          const own = sessionCookie(id).split(";")[0]!;
          const header = [...others.map((text) => text.replaceAll(";", "")), own].join("; ");
          expect(readCookie(header)).toBe(id);
          expect(readCookie(`${header}; ${own}`)).toBeUndefined();
        },
      ),
    );
    expect(readCookie(CLEARED_COOKIE.split(";")[0])).toBeUndefined();
  });
});

describe("Sessions", () => {
  it("are found again after a restart, by their hash alone", async () => {
    const { id } = await sessions.open(alice);
    expect(JSON.stringify(store.all())).not.toContain(id);
    sessions.stop();
    sessions = start();
    expect(sessions.use(id)?.account).toBe(alice);
    expect(sessions.use(newSessionSecret())).toBeUndefined();
  });

  it("end by themselves, on the disk too, without anybody asking", async () => {
    await sessions.open(alice);
    await clock.pass(99_000);
    expect(ended).toEqual([]);
    await clock.pass(31_000);
    expect(ended).toEqual(["alice"]);
    expect(store.all()).toEqual([]);
    expect(sessions.size).toBe(0);
  });

  it("do not live longer by being looked at, only by being used", async () => {
    const { id, key } = await sessions.open(alice);
    clock.time += 90_000;
    expect(sessions.holds(key)).toBe(true);
    clock.time += 20_000;
    expect(sessions.use(id)).toBeUndefined();
  });

  it("go with the account", async () => {
    const { id } = await sessions.open(alice);
    known.delete("alice");
    expect(sessions.use(id)).toBeUndefined();
    expect(sessions.has("alice")).toBe(false);
  });

  it("of one user are so many at most: the oldest makes room", async () => {
    const first = await sessions.open(alice);
    for (let index = 0; index < 16; index++) await sessions.open(alice);
    expect(sessions.size).toBe(16);
    expect(sessions.use(first.id)).toBeUndefined();
    await sessions.closeAll("alice");
    expect(sessions.size).toBe(0);
    expect(store.all()).toEqual([]);
  });
});

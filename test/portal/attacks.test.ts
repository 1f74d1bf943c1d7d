/** Who must not get in, against the real server: forged cookies, requests of other pages, guessed passwords. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Logger } from "../../src/model/log.js";
import { tableOf } from "../../src/portal/accounts/accounts.js";
import { newSessionSecret } from "../../src/portal/sessions/session-id.js";
import { FakeClock } from "../support/fake-clock.js";
import { account, ORIGIN, PASSWORD, type RunningPortal, startPortal } from "./support.js";

let running: RunningPortal;
/** One whose time stands still: what it allows in a time does not depend on how fast this machine is. */
let still: RunningPortal;
const clock = new FakeClock();
const lines: string[] = [];
const note = (event: string, fields?: unknown): void => void lines.push(`${event} ${JSON.stringify(fields)}`);
const LOG: Logger = { debug: note, info: note, warn: note, error: note, child: () => LOG };

beforeAll(async () => {
  const names = ["alice", "bob", "eve", "dan"];
  const options = {
    log: LOG,
    // So that a test chooses its source, and what one does to another's limits is seen.
    trustedProxies: ["127.0.0.1"],
    accounts: tableOf(await Promise.all(names.map((name) => account(name)))),
  };
  running = await startPortal(options);
  still = await startPortal({ ...options, clock });
});
afterAll(async () => {
  await running.close();
  const closed = still.close();
  clock.advance(5000);
  await closed;
});

const from = (address: string) => ({ "x-forwarded-for": address });

/** What a portal has counted since, and nothing besides. */
function counting({ portal }: RunningPortal): () => Readonly<Record<string, number>> {
  const before = portal.view().counters;
  return () => {
    const grown = Object.entries(portal.view().counters).map(([name, value]) => [name, value - (before[name] ?? 0)]);
    return Object.fromEntries(grown.filter(([, growth]) => growth !== 0));
  };
}

const countOf = (statuses: readonly number[], wanted: number): number =>
  statuses.filter((status) => status === wanted).length;

describe("cookies", () => {
  it("that are forged, planted, or of a log-out open nothing", async () => {
    const counted = counting(running);
    const browser = running.browser();
    await browser.login("alice");
    const own = browser.cookie;
    const forged = [
      `__Host-sluice=${newSessionSecret()}`,
      `__Host-sluice=${own.slice("__Host-sluice=".length, -1)}`,
      "__Host-sluice=",
      `sluice=${own.slice("__Host-sluice=".length)}`,
      // A second one, which a sibling domain planted.
      `${own}; __Host-sluice=${newSessionSecret()}`,
      `__Host-sluice="${own.slice("__Host-sluice=".length)}"`,
      `__Host-sluice=${"A".repeat(4000)}`,
    ];
    for (const cookie of forged) {
      browser.cookie = cookie;
      expect((await browser.get("/api/session")).json.error.code, cookie).toBe("notLoggedIn");
    }
    browser.cookie = own;
    expect((await browser.get("/api/session")).status).toBe(200);
    await browser.post("/api/logout");
    browser.cookie = own;
    expect((await browser.get("/api/session")).status).toBe(401);
    expect(counted()).toEqual({ loginsAccepted: 1, "refused.notLoggedIn": forged.length + 1 });
  });

  it("are another after each log-in, and the former is worth nothing (session fixation)", async () => {
    const counted = counting(running);
    const browser = running.browser();
    await browser.login("alice");
    const first = browser.cookie;
    await browser.login("alice");
    expect(browser.cookie).not.toBe(first);
    browser.cookie = first;
    expect((await browser.get("/api/session")).status).toBe(401);
    expect(counted()).toEqual({ loginsAccepted: 2, "refused.notLoggedIn": 1 });
  });

  it("are nowhere in the log, and passwords neither", async () => {
    const browser = running.browser();
    await browser.login("bob");
    await browser.post("/api/login", { user: "bob", password: "a wrong secret" });
    const log = lines.join("\n");
    expect(log).toContain("portal.login.accepted");
    for (const secret of [browser.cookie.split("=")[1]!, browser.csrf, PASSWORD, "a wrong secret"]) {
      expect(log).not.toContain(secret);
    }
  });
});

describe("requests of other pages", () => {
  it("change nothing without the token of this very log-in", async () => {
    const counted = counting(running);
    const [alice, bob] = [running.browser(), running.browser()];
    await alice.login("alice");
    await bob.login("bob");
    for (const token of ["", bob.csrf, alice.csrf.slice(1), `${alice.csrf}x`]) {
      const answer = await alice.post("/api/presence", { state: "busy" }, { "x-csrf-token": token });
      expect(answer.json.error.code).toBe("csrf");
    }
    // A body is no place for it where there is no beacon.
    const { csrf } = alice;
    alice.csrf = "";
    expect((await alice.post("/api/presence", { state: "busy", csrf })).json.error.code).toBe("csrf");
    expect(counted()).toEqual({ loginsAccepted: 2, "refused.csrf": 5 });
  });

  it("are refused by where they come from, a log-in too", async () => {
    const counted = counting(running);
    const browser = running.browser();
    const login = { user: "alice", password: PASSWORD };
    const json = { "content-type": "application/json" };
    const foreign: Record<string, string>[] = [
      { origin: "https://evil.example" },
      { origin: "null" },
      { origin: `${ORIGIN}.evil.example` },
      { origin: ORIGIN.replace("https", "http") },
      { origin: ORIGIN, "sec-fetch-site": "cross-site" },
      { origin: ORIGIN, "sec-fetch-site": "same-site" },
      {},
    ];
    for (const headers of foreign) {
      const answer = await browser.ask("POST", "/api/login", { body: login, headers: { ...json, ...headers } });
      expect(answer.json.error.code, JSON.stringify(headers)).toBe("foreignOrigin");
    }
    await browser.login("alice");
    const read = await browser.get("/api/session", { headers: { "sec-fetch-site": "cross-site" } });
    expect(read.json.error.code).toBe("foreignOrigin");
    // No page of others may read answers either.
    expect((await browser.get("/api/session")).headers["access-control-allow-origin"]).toBeUndefined();
    expect((await browser.ask("OPTIONS", "/api/login", { headers: { origin: "https://evil.example" } })).status).toBe(
      405,
    );
    expect(counted()).toEqual({ loginsAccepted: 1, "refused.foreignOrigin": foreign.length + 1, "refused.method": 1 });
  });

  it("cannot be forms", async () => {
    const browser = running.browser();
    const body = { user: "alice", password: PASSWORD };
    const form = await browser.post("/api/login", body, { "content-type": "text/plain" });
    expect(form.status).toBe(415);
    const encoded = await browser.post("/api/login", body, { "content-encoding": "gzip" });
    expect(encoded.status).toBe(415);
  });
});

describe("brute force", () => {
  it("against a name waits longer and longer, and says nothing about which names there are", async () => {
    const counted = counting(still);
    const tries = async (user: string, source: string) => {
      const answers = [];
      for (let index = 0; index < 8; index++) {
        const browser = still.browser();
        const answer = await browser.post(
          "/api/login",
          { user, password: `guess ${index}` },
          from(`${source}${index}`),
        );
        answers.push({ status: answer.status, text: answer.text, retry: answer.headers["retry-after"] });
      }
      return answers;
    };
    const [known, unknown] = [await tries("eve", "192.0.2.1"), await tries("nobody", "192.0.2.2")];
    expect(known.map(({ status }) => status)).toEqual([401, 401, 401, 401, 401, 401, 429, 429]);
    expect(known.at(-1)?.retry).toBe("1");
    expect(unknown).toEqual(known);
    // The right password waits too, from anywhere.
    const owner = await still.browser().post("/api/login", { user: "eve", password: PASSWORD }, from("198.51.100.1"));
    expect(owner.status).toBe(429);
    clock.time += 1000;
    const later = await still.browser().post("/api/login", { user: "eve", password: PASSWORD }, from("198.51.100.1"));
    expect(later.status).toBe(200);
    const [wrong, throttled] = [12, 5];
    expect(counted()).toEqual({
      ...{ loginsAccepted: 1, loginsRefused: wrong, loginsThrottled: throttled },
      ...{ "refused.wrongLogin": wrong, "refused.tooManyLogins": throttled },
    });
  });

  it("from one source is stopped whatever the names, also if all come at once", async () => {
    const counted = counting(still);
    const all = Array.from({ length: 40 }, (_, index) =>
      still.browser().post("/api/login", { user: `u${index}`, password: "guess" }, from("203.0.113.9")),
    );
    const statuses = (await Promise.all(all)).map(({ status }) => status);
    expect(countOf(statuses, 401)).toBeLessThanOrEqual(11);
    expect(countOf(statuses, 429)).toBeGreaterThanOrEqual(29);
    expect(counted()).toMatchObject({
      loginsRefused: countOf(statuses, 401),
      loginsThrottled: countOf(statuses, 429),
      "refused.wrongLogin": countOf(statuses, 401),
    });
    // Neighbours are none the worse for it.
    expect(
      (await still.browser().post("/api/login", { user: "dan", password: PASSWORD }, from("203.0.113.10"))).status,
    ).toBe(200);
  });

  it("has no second source by writing X-Forwarded-For itself", async () => {
    const counted = counting(still);
    const statuses: number[] = [];
    for (let index = 0; index < 14; index++) {
      const claimed = from(`10.0.0.${index}, 203.0.113.77`);
      const answer = await still.browser().post("/api/login", { user: `v${index}`, password: "guess" }, claimed);
      statuses.push(answer.status);
    }
    expect(countOf(statuses, 429)).toBeGreaterThanOrEqual(3);
    expect(counted()).toMatchObject({ loginsRefused: countOf(statuses, 401), loginsThrottled: countOf(statuses, 429) });
  });
});

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { seconds } from "../../src/model/units.js";
import { tableOf } from "../../src/portal/accounts/accounts.js";
import { RoleClient } from "../../src/portal/roles/role-client.js";
import { SessionStore } from "../../src/portal/sessions/session-store.js";
import { FakeClock } from "../support/fake-clock.js";
import { account, type Browser, type FakeRole, INDEX, type RunningPortal, startPortal, startRole } from "./support.js";

const SESSION = {
  session: "0123456789abcdef",
  callId: "call/1@10.1.0.10",
  caller: "alice@a.example",
  callee: "carol@b.example",
  state: "reserved",
  since: 1000,
  class: "game",
};
const GRANT = { index: 0, sessionClass: "game-fps", phb: "EF", result: "granted", toCaller: 64_000, toCallee: 64_000 };
const HEALTH = { role: "pdp", name: "pol1", version: "1", since: 1, status: "ok", problems: [], warnings: [] };

let directory = "";
let pdp: FakeRole;
let proxy: FakeRole;
let running: RunningPortal;
let sessions: object[];
let alice: Browser;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "sluice-roles-"));
  sessions = [SESSION];
  pdp = await startRole(
    join(directory, "pdp.sock"),
    {
      "/v1/health": async () => HEALTH,
      "/v1/show/sessions": async () => sessions,
      "/v1/show/pools": async () => [
        { name: "voice", id: 1, rate: 100, used: 50, free: 50, sessions: 1 },
        { name: "uplink", id: 0, rate: 1000, used: 50, free: 950, sessions: 1 },
      ],
      "/v1/show/usage": async () => [],
      "/v1/show/credentials": async () => "none of the listed views",
      "/v1/explain": async ({ session }) =>
        session === SESSION.session
          ? { session, outcome: "reserved", steps: [{ at: 1, what: "rule", detail: "games" }], grants: [GRANT] }
          : undefined,
      "/v1/events": async () => ({
        session: SESSION.session,
        events: [
          {
            at: 3,
            protocol: "COPS",
            message: "REQ AAA",
            action: "received",
            from: "10.1.0.5:4000",
            to: "10.1.0.6:3288",
          },
        ],
      }),
      "/v1/series": async (query) => ({ pool: query.pool, step: 1000, kept: 1, points: [], given: query }),
    },
    { "/v1/sessions/end": async () => ({}), "/v1/pools/resize": async () => ({}) },
  );
  proxy = await startRole(join(directory, "proxy.sock"), {
    "/v1/events": async () => ({
      session: SESSION.session,
      events: [
        { at: 1, protocol: "SIP", message: "INVITE", action: "received", from: "10.1.0.10:5060", to: "10.1.0.5:5060" },
        { at: 2, protocol: "COPS", message: "REQ AAA", action: "sent", from: "10.1.0.5:4000", to: "10.1.0.6:3288" },
      ],
    }),
  });
  running = await startPortal({
    pdp: new RoleClient(pdp.path),
    proxy: new RoleClient(proxy.path),
    classes: [{ name: "game-fps", label: "Game", latency: 40, jitter: 15, loss: 0.005 }],
    watch: [
      { host: "pol1", role: new RoleClient(pdp.path) },
      { host: "gone", role: new RoleClient(join(directory, "gone.sock")) },
    ],
  });
  alice = running.browser();
});
afterEach(async () => {
  await running.close();
  await Promise.all([pdp.close(), proxy.close()]);
  rmSync(directory, { recursive: true, force: true });
});

describe("the page", () => {
  it("comes with its headers, once and then not again", async () => {
    const first = await alice.get("/");
    expect(first).toMatchObject({ status: 200, text: INDEX });
    expect(first.headers["content-security-policy"]).toBe(
      "default-src 'none'; script-src 'self'; connect-src 'self' wss://sip1.a.example:5443; style-src 'self'; " +
        "img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    );
    expect(first.headers).toMatchObject({
      "strict-transport-security": "max-age=63072000",
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-resource-policy": "same-origin",
      "cache-control": "no-cache",
      "permissions-policy": expect.stringContaining("microphone=(self)"),
    });
    const again = await alice.get("/", { headers: { "if-none-match": first.headers.etag ?? "" } });
    expect(again).toMatchObject({ status: 304, text: "" });
    const asset = await alice.get("/assets/app-1a2b.js");
    expect(asset.headers["cache-control"]).toBe("public, max-age=31536000, immutable");
    const head = await alice.ask("HEAD", "/assets/app-1a2b.js");
    expect(head).toMatchObject({ status: 200, text: "" });
    expect(head.headers["content-length"]).toBe(asset.headers["content-length"]);
  });

  it("is all that there is: the rest is 404 in JSON", async () => {
    for (const path of ["/x", "/assets/", "/assets", "/portal.js", "/assets/.hidden", "/api/x", "/index.html"]) {
      const answer = await alice.get(path);
      expect(answer, path).toMatchObject({ status: 404, json: { error: { code: "notFound" } } });
    }
    expect(await alice.ask("DELETE", "/api/session")).toMatchObject({ status: 405, headers: { allow: "GET" } });
  });
});

describe("a log-in", () => {
  it("gives the session, and it can be asked for again", async () => {
    const answer = await alice.login("alice");
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({
      user: "alice",
      nick: "Al",
      aor: "alice@a.example",
      operator: false,
      directory: false,
      sip: { aor: "alice@a.example", wss: "wss://sip1.a.example:5443", password: "p" },
      classes: [{ name: "game-fps", label: "Game", latency: 40, jitter: 15, loss: 0.005 }],
    });
    expect(answer.json.sip.username).toBe(`${answer.json.sip.expires / 1000}:alice`);
    expect(answer.headers["set-cookie"]?.[0]).toMatch(
      /^__Host-sluice=[A-Za-z0-9_-]{43}; Path=\/; Secure; HttpOnly; SameSite=Strict$/,
    );
    const again = await alice.get("/api/session");
    expect(again.json).toMatchObject({ user: "alice", csrf: answer.json.csrf });
    expect((await alice.post("/api/sip-credentials")).json).toMatchObject({ wss: "wss://sip1.a.example:5443" });
  });

  it("ends with a log-out, here or everywhere", async () => {
    const other = running.browser();
    await alice.login("alice");
    await other.login("alice");
    const third = running.browser();
    await third.login("alice");
    const out = await third.post("/api/logout");
    expect(out.status).toBe(200);
    expect(out.headers["set-cookie"]?.[0]).toContain("Max-Age=0");
    expect((await alice.get("/api/session")).status).toBe(200);
    // Others of the same user go on: their sessions too.
    expect(pdp.asked.filter((line) => line.includes("sessions/end"))).toEqual([]);
    const { cookie } = other;
    expect((await alice.post("/api/logout", { everywhere: true })).status).toBe(200);
    other.cookie = cookie;
    expect((await other.get("/api/session")).status).toBe(401);
    await vi.waitFor(() =>
      expect(pdp.asked).toContain(
        `/v1/sessions/end ${JSON.stringify({ callId: SESSION.callId, session: SESSION.session, cause: "left" })}`,
      ),
    );
  });
});

describe("event streams", () => {
  it("tell who is on-line, first all and then what changes", async () => {
    await alice.login("alice");
    const bob = running.browser();
    await bob.login("bob");
    const first = await alice.events("/api/events");
    expect(first.headers["content-type"]).toBe("text/event-stream");
    await vi.waitFor(() => expect(first.of("presence").length).toBeGreaterThan(0));
    expect(first.of("presence")[0]).toMatchObject([{ nick: "Al", aor: "alice@a.example", state: "online" }]);
    const second = await bob.events("/api/events");
    await vi.waitFor(
      () =>
        expect(first.of("presence").flat()).toContainEqual(expect.objectContaining({ nick: "Bo", state: "online" })),
      { timeout: 10_000 },
    );
    expect((await bob.post("/api/presence", { state: "away" })).status).toBe(200);
    await vi.waitFor(
      () => expect(first.of("presence").flat()).toContainEqual(expect.objectContaining({ nick: "Bo", state: "away" })),
      { timeout: 10_000 },
    );
    expect((await bob.post("/api/presence", { state: "invisible" })).status).toBe(400);
    await bob.post("/api/logout");
    await vi.waitFor(
      () =>
        expect(first.of("presence").flat()).toContainEqual(expect.objectContaining({ nick: "Bo", state: "offline" })),
      { timeout: 10_000 },
    );
    // The log-out ended its stream too.
    await vi.waitFor(() => expect(second.isOver).toBe(true));
    first.close();
  });

  it("tell of one's own sessions as they change, and of nobody else's", async () => {
    await alice.login("alice");
    const bob = running.browser();
    await bob.login("bob");
    const [own, foreign] = [await alice.events("/api/events"), await bob.events("/api/events")];
    await vi.waitFor(() => expect(pdp.asked.length).toBeGreaterThan(0), { timeout: 10_000 });
    sessions = [{ ...SESSION, state: "closed", grants: [GRANT] }];
    await vi.waitFor(
      () => expect(own.of("session")).toEqual([{ callId: SESSION.callId, state: "closed", grants: [GRANT] }]),
      {
        timeout: 10_000,
      },
    );
    expect(foreign.of("session")).toEqual([]);
    own.close();
    foreign.close();
  });
});

describe("sessions and records", () => {
  const path = `/api/sessions/${encodeURIComponent(SESSION.callId)}`;

  it("are told to those who took part", async () => {
    await alice.login("alice");
    expect(await alice.get(path)).toMatchObject({
      status: 200,
      json: {
        callId: SESSION.callId,
        session: SESSION.session,
        state: "reserved",
        class: "game",
        grants: [GRANT],
        steps: [{ at: 1, what: "rule", detail: "games" }],
        ladder: [
          { at: 1, from: "caller", to: "proxy", message: "INVITE" },
          { at: 2, from: "proxy", to: "policy server", message: "REQ AAA" },
        ],
      },
    });
    const bob = running.browser();
    await bob.login("bob");
    expect((await bob.get(path)).status).toBe(404);
    expect((await bob.post("/api/leave", { callId: SESSION.callId })).status).toBe(404);
    expect(pdp.asked.filter((line) => line.includes("sessions/end"))).toEqual([]);
  });

  it("are left by a beacon that carries the token in its body", async () => {
    await alice.login("alice");
    const { csrf } = alice;
    alice.csrf = "";
    const text = { "content-type": "text/plain;charset=UTF-8" };
    expect((await alice.post("/api/leave", { callId: SESSION.callId, csrf }, text)).status).toBe(415);
    expect((await alice.post("/api/leave", { callId: SESSION.callId })).json.error.code).toBe("csrf");
    expect((await alice.post("/api/leave", { callId: SESSION.callId, csrf })).status).toBe(200);
    expect(pdp.asked.at(-1)).toBe(
      `/v1/sessions/end ${JSON.stringify({ callId: SESSION.callId, session: SESSION.session, cause: "left" })}`,
    );
    sessions = [{ ...SESSION, state: "closed" }];
    expect((await alice.post("/api/leave", { callId: SESSION.callId, csrf })).status).toBe(404);
  });

  it("are refused in words when the policy server is away", async () => {
    await alice.login("alice");
    expect((await alice.get("/api/records")).json).toEqual({ records: [], next: null });
    expect((await alice.get("/api/records?limit=1000")).status).toBe(400);
    expect((await alice.get("/api/records?before=5-0123456789abcdef")).status).toBe(200);
    expect((await alice.get("/api/records?before=yesterday")).status).toBe(400);
    await pdp.close();
    const answer = await alice.get("/api/records");
    expect(answer).toMatchObject({ status: 503, json: { error: { code: "unreachable" } } });
    expect(answer.text).not.toContain(directory);
  });
});

describe("operators", () => {
  it("see roles, their views, and a stream of how they are", async () => {
    const olga = running.browser();
    await olga.login("olga");
    expect((await olga.get("/api/ops/roles")).json).toMatchObject([
      { host: "pol1", role: "pdp", health: { status: "ok" } },
      { host: "gone", role: "", health: { status: "unreachable", problems: ["it does not answer"] } },
    ]);
    expect((await olga.get("/api/ops/pol1/show/sessions")).json).toEqual([SESSION]);
    expect((await olga.get(`/api/ops/pol1/explain?session=${SESSION.session}`)).json).toMatchObject({
      outcome: "reserved",
    });
    expect((await olga.get("/api/ops/pol1/events?session=x")).status).toBe(200);
    const series = await olga.get("/api/ops/pol1/series?pool=voice&since=5&x=1");
    expect(series.json.given).toEqual({ pool: "voice", since: "5" });
    const stream = await olga.events("/api/ops/stream");
    await vi.waitFor(() => expect(stream.of("ops").length).toBeGreaterThan(0), { timeout: 10_000 });
    expect(stream.of("ops")[0].hosts).toMatchObject([
      { host: "pol1", pools: [{ name: "voice" }], links: [{ name: "uplink" }], sessions: 1, refusals: 0 },
      { host: "gone", health: { status: "unreachable" } },
    ]);
    stream.close();
  });

  it("change nothing, and see no more than is on the list", async () => {
    const olga = running.browser();
    await olga.login("olga");
    for (const path of [
      "/api/ops/pol1/show/credentials",
      "/api/ops/pol1/show/constructor",
      "/api/ops/pol1/show/..%2f..%2fv1%2fpools",
      "/api/ops/other/show/sessions",
      "/api/ops/pol1/pools/resize",
      `/api/ops/${encodeURIComponent("../pdp.sock")}/show/sessions`,
    ]) {
      expect((await olga.get(path)).status, path).toBe(404);
    }
    expect((await olga.post("/api/ops/pol1/show/sessions")).status).toBe(405);
    expect(pdp.asked).toEqual([]);
    expect((await olga.get(`/api/ops/pol1/explain?session=${"x".repeat(300)}`)).status).toBe(400);
    await alice.login("alice");
    expect((await alice.get("/api/ops/roles")).json.error.code).toBe("forbidden");
    expect((await alice.events("/api/ops/stream")).status).toBe(403);
  });
});

it("a restart logs nobody out, and a log-in ends in time, or with another password", async () => {
  const file = join(directory, "state", "portal.db");
  const clock = new FakeClock();
  const sessions = { idle: seconds(100), absolute: seconds(1000) };
  const accounts = tableOf([await account("alice")]);
  const stores: SessionStore[] = [];
  const open = (table = accounts): Promise<RunningPortal> => {
    const store = new SessionStore(file);
    stores.push(store);
    return startPortal({ store, clock, sessions, accounts: table });
  };
  const close = async (portal: RunningPortal): Promise<void> => {
    await portal.close();
    stores.pop()?.close();
  };
  const first = await open();
  const { cookie } = await first
    .browser()
    .login("alice")
    .then(({ headers }) => ({ cookie: headers["set-cookie"]?.[0] }));
  const status = async (portal: RunningPortal): Promise<number> => {
    const browser = portal.browser();
    browser.cookie = cookie?.split(";")[0] ?? "";
    return (await browser.get("/api/session")).status;
  };
  await close(first);
  const second = await open();
  expect(await status(second)).toBe(200);
  clock.time += 99_000;
  expect(await status(second)).toBe(200);
  await close(second);
  const third = await open(tableOf([await account("alice")]));
  expect(await status(third)).toBe(401);
  await close(third);
  const fourth = await open();
  // What ended once is gone from the disk.
  expect(await status(fourth)).toBe(401);
  const browser = fourth.browser();
  await browser.login("alice");
  clock.time += 101_000;
  expect((await browser.get("/api/session")).status).toBe(401);
  await close(fourth);
});

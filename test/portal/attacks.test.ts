/** What must not work, against the real server. */
import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
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
  const names = ["alice", "bob", "eve", "dan", "fay"];
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

function secure(): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host: "127.0.0.1", port: running.port, rejectUnauthorized: false }, () =>
      resolve(socket),
    );
    socket.on("error", reject);
  });
}

/** What comes back until the server ends the connection. */
function untilEnd(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    socket.on("data", (part: Buffer) => {
      text += part.toString("latin1");
    });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(text));
  });
}

async function raw(request: string): Promise<string> {
  const socket = await secure();
  const answer = untilEnd(socket);
  socket.write(request);
  return answer;
}

describe("cookies", () => {
  it("that are forged, planted, or of a log-out open nothing", async () => {
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
  });

  it("are another after each log-in, and the former is worth nothing (session fixation)", async () => {
    const browser = running.browser();
    await browser.login("alice");
    const first = browser.cookie;
    await browser.login("alice");
    expect(browser.cookie).not.toBe(first);
    browser.cookie = first;
    expect((await browser.get("/api/session")).status).toBe(401);
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
  });

  it("are refused by where they come from, a log-in too", async () => {
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
    expect(still.portal.view().counters.loginsThrottled).toBeGreaterThan(0);
  });

  it("from one source is stopped whatever the names, also if all come at once", async () => {
    const all = Array.from({ length: 40 }, (_, index) =>
      still.browser().post("/api/login", { user: `u${index}`, password: "guess" }, from("203.0.113.9")),
    );
    const statuses = (await Promise.all(all)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 401).length).toBeLessThanOrEqual(11);
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThanOrEqual(29);
    // Neighbours are none the worse for it.
    expect(
      (await still.browser().post("/api/login", { user: "dan", password: PASSWORD }, from("203.0.113.10"))).status,
    ).toBe(200);
  });

  it("has no second source by writing X-Forwarded-For itself", async () => {
    const statuses: number[] = [];
    for (let index = 0; index < 14; index++) {
      const claimed = from(`10.0.0.${index}, 203.0.113.77`);
      const answer = await still.browser().post("/api/login", { user: `v${index}`, password: "guess" }, claimed);
      statuses.push(answer.status);
    }
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThanOrEqual(3);
  });
});

describe("what is too large, too slow or not HTTP", () => {
  it("is refused before it is kept", async () => {
    const browser = running.browser();
    const large = JSON.stringify({ user: "alice", password: "x".repeat(9000) });
    expect((await browser.post("/api/login", { user: "a", password: "x".repeat(9000) })).status).toBe(413);
    const head = `POST /api/login HTTP/1.1\r\nHost: a\r\nOrigin: ${ORIGIN}\r\nContent-Type: application/json\r\n`;
    const chunked = await raw(`${head}Transfer-Encoding: chunked\r\n\r\n${large.length.toString(16)}\r\n${large}\r\n`);
    expect(chunked).toMatch(/^HTTP\/1\.1 413 /);
    expect(await raw(`GET / HTTP/1.1\r\nHost: a\r\nX: ${"y".repeat(10_000)}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431 /);
    expect(await raw("NONSENSE\r\n\r\n")).toMatch(/^HTTP\/1\.1 400 /);
    // Two lengths: one for each of two servers that disagree (RFC 9112 §6.3).
    const smuggled = `${head}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`;
    expect(await raw(smuggled)).toMatch(/^HTTP\/1\.1 400 /);
    for (const body of ["{", "[]", "null", '{"user":1,"password":2}', '{"__proto__":{},"user":"a"}', "\xff\xfe"]) {
      const answer = await browser.ask("POST", "/api/login", {
        raw: Buffer.from(body, "latin1"),
        headers: { origin: ORIGIN, "content-type": "application/json" },
      });
      expect(answer.status, body).toBe(400);
    }
  });

  it("that dribbles is cut off", { timeout: 40_000 }, async () => {
    const started = performance.now();
    const [headers, body, handshake] = [await secure(), await secure(), connectPlain(running.port, "127.0.0.1")];
    const times: number[] = [];
    const ends = [headers, body, handshake].map(async (socket, index) => {
      const text = await untilEnd(socket);
      times[index] = performance.now() - started;
      return text;
    });
    headers.write("GET / HTTP/1.1\r\nHost: a\r\n");
    body.write(`POST /api/login HTTP/1.1\r\nHost: a\r\nOrigin: ${ORIGIN}\r\nContent-Length: 100\r\n\r\n{`);
    const drip = setInterval(() => {
      if (headers.writable) headers.write("X: y\r\n");
      if (body.writable) body.write(" ");
    }, 500);
    const [first, second] = await Promise.all(ends);
    clearInterval(drip);
    expect(first).toMatch(/^HTTP\/1\.1 408 /);
    expect(second).toMatch(/^HTTP\/1\.1 408 /);
    // A body has 5 s, headers and handshake 10 s; the rest is what a busy machine takes.
    expect(times[1]).toBeLessThan(9000);
    expect(Math.max(...times)).toBeLessThan(20_000);
  });
});

describe("paths and headers", () => {
  it("reach no file that is not of the page", async () => {
    const paths = [
      "/../portal.js",
      "/assets/../portal.js",
      "/assets/%2e%2e/portal.js",
      "/assets/..%2fportal.js",
      "/assets/....//portal.js",
      "/%2e%2e/%2e%2e/etc/passwd",
      "/assets/app-1a2b.js%00.css",
      "//etc/passwd",
      "/assets\\..\\portal.js",
      "/api/../assets/app-1a2b.js",
    ];
    for (const path of paths) {
      expect(await raw(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`), path).toMatch(
        /^HTTP\/1\.1 40[04] /,
      );
    }
  });

  it("bring nothing into the answer's headers", async () => {
    const browser = running.browser();
    const injected = "a\r\nSet-Cookie: x=y";
    const answer = await browser.post("/api/login", { user: injected, password: injected });
    expect(answer).toMatchObject({ status: 401 });
    expect(answer.headers["set-cookie"]).toBeUndefined();
    await browser.login("alice");
    const path = encodeURIComponent(injected);
    const found = await browser.get(`/api/sessions/${path}`);
    expect(found.text + JSON.stringify(found.headers)).not.toContain("x=y");
    expect((await browser.get("/api/sessions/%E0%A4%A")).status).toBe(404);
  });
});

describe("floods", () => {
  it("of event streams stop at the user's share", async () => {
    const browser = running.browser();
    await browser.login("fay");
    const streams = await Promise.all(Array.from({ length: 8 }, () => browser.events("/api/events")));
    expect(streams.filter(({ status }) => status === 200)).toHaveLength(3);
    expect(streams.filter(({ status }) => status === 429)).toHaveLength(5);
    expect(streams.find(({ status }) => status === 429)?.headers["retry-after"]).toBe("15");
    for (const stream of streams) stream.close();
    const until = Date.now() + 2000;
    let again = await browser.events("/api/events");
    while (again.status !== 200 && Date.now() < until) again = await browser.events("/api/events");
    expect(again.status).toBe(200);
    again.close();
  });

  it("of questions stop at a rate", async () => {
    const browser = still.browser();
    await browser.login("dan");
    const statuses = async (count: number) =>
      (await Promise.all(Array.from({ length: count }, () => browser.get("/api/session")))).map(({ status }) => status);
    const first = [...(await statuses(40)), ...(await statuses(40))];
    expect(first.filter((status) => status === 200)).toHaveLength(60);
    expect(first.filter((status) => status === 429)).toHaveLength(20);
    expect((await browser.get("/api/session")).headers["retry-after"]).toBe("1");
    clock.time += 1000;
    expect((await statuses(30)).filter((status) => status === 200)).toHaveLength(20);
  });

  it("of connections stop at what one address may have, and at all that there may be", async () => {
    const most = async (connections: number, connectionsPerSource: number) => {
      const small = await startPortal({ limits: { connections, connectionsPerSource, streamsPerUser: 3 } });
      const sockets = Array.from({ length: 60 }, () => connectPlain(small.port, "127.0.0.1"));
      for (const socket of sockets) socket.on("error", () => undefined);
      const { portal } = small;
      await vi.waitFor(() =>
        expect(portal.view().connections + (portal.view().counters.connectionsRefused ?? 0)).toBe(sockets.length),
      );
      const { connections: kept } = portal.view();
      for (const socket of sockets) socket.destroy();
      await vi.waitFor(() => expect(portal.view().connections).toBe(0));
      expect((await small.browser().get("/")).status).toBe(200);
      await small.close();
      return kept;
    };
    expect(await most(200, 20)).toBe(20);
    expect(await most(30, 100)).toBe(30);
  });
});

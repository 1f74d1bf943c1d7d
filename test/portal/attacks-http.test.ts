/** What a server must bear, against the real one: too much, too slow, too often, and names of what it does not give away. */
import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { FakeClock } from "../support/fake-clock.js";
import { ORIGIN, type RunningPortal, startPortal } from "./support.js";

let running: RunningPortal;
/** One whose time stands still: what it allows in a time does not depend on how fast this machine is. */
let still: RunningPortal;
const clock = new FakeClock();

beforeAll(async () => {
  running = await startPortal();
  still = await startPortal({ clock });
});
afterAll(async () => {
  await running.close();
  const closed = still.close();
  clock.advance(5000);
  await closed;
});

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
    await browser.login("bob");
    const streams = await Promise.all(Array.from({ length: 8 }, () => browser.events("/api/events")));
    expect(streams.filter(({ status }) => status === 200)).toHaveLength(3);
    expect(streams.filter(({ status }) => status === 429)).toHaveLength(5);
    expect(streams.find(({ status }) => status === 429)?.headers["retry-after"]).toBe("15");
    expect(running.portal.view().counters["refused.streams"]).toBe(5);
    for (const stream of streams) stream.close();
    const until = Date.now() + 2000;
    let again = await browser.events("/api/events");
    while (again.status !== 200 && Date.now() < until) again = await browser.events("/api/events");
    expect(again.status).toBe(200);
    again.close();
  });

  it("of questions stop at a rate", async () => {
    const browser = still.browser();
    await browser.login("alice");
    const statuses = async (count: number) =>
      (await Promise.all(Array.from({ length: count }, () => browser.get("/api/session")))).map(({ status }) => status);
    const first = [...(await statuses(40)), ...(await statuses(40))];
    expect(first.filter((status) => status === 200)).toHaveLength(60);
    expect(first.filter((status) => status === 429)).toHaveLength(20);
    expect((await browser.get("/api/session")).headers["retry-after"]).toBe("1");
    clock.time += 1000;
    expect((await statuses(30)).filter((status) => status === 200)).toHaveLength(20);
    expect(still.portal.view().counters["refused.rate"]).toBe(20 + 1 + 10);
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

import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { readEntry, readTarget } from "../../../src/clearinghouse/directory/directory-requests.js";
import { DirectoryServer, type DirectoryServerOptions } from "../../../src/clearinghouse/directory/directory-server.js";
import { DEFAULT_NICK_LIMITS, NickNames } from "../../../src/clearinghouse/directory/nick-names.js";
import { parsePrefix } from "../../../src/model/ip.js";
import { type Logger, SILENT_LOGGER } from "../../../src/model/log.js";
import { seconds } from "../../../src/model/units.js";
import { FakeClock } from "../../support/fake-clock.js";
import { http } from "../support.js";

const ANY = { prefix: parsePrefix("127.0.0.0/8")! };
let directory: string;
let clock: FakeClock;
let closing: (() => unknown)[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "sluice-directory-"));
  clock = new FakeClock(1_000_000);
  closing = [];
});
afterEach(async () => {
  for (const close of closing.reverse()) await close();
  rmSync(directory, { recursive: true, force: true });
});

const open = (limits = DEFAULT_NICK_LIMITS): NickNames => {
  const names = new NickNames(join(directory, "directory.db"), clock, limits);
  closing.push(() => names.close());
  return names;
};

async function start(options: Partial<DirectoryServerOptions> = {}) {
  const names = options.names ?? open();
  const server = new DirectoryServer({
    listen: { address: "127.0.0.1", port: 0 },
    clients: [ANY],
    clock,
    log: SILENT_LOGGER,
    ...options,
    names,
  });
  const port = await server.listen();
  closing.push(() => server.close());
  const put = async (nick: string, entry: unknown) =>
    (await http(port, JSON.stringify(entry), { path: `/directory/${encodeURIComponent(nick)}`, method: "PUT" })).status;
  const get = async (path: string) => {
    const { status, body } = await http(port, "", { path, method: "GET" });
    return { status, value: JSON.parse(body.toString()) as unknown };
  };
  return { names, port, put, get, server };
}

describe("the directory", () => {
  it("knows whose a nick name is, and who is on-line, until nothing more is heard", async () => {
    const { put, get } = await start();
    expect(await put("Zoë", { aor: "sip:zoe@A.example", online: true })).toBe(204);
    expect(await put("bob", { aor: "bob@b.example", online: false })).toBe(204);
    const zoe = { nick: "Zoë", aor: "zoe@a.example", online: true, since: 1_000_000 };
    expect(await get("/directory?online=1")).toEqual({ status: 200, value: { entries: [zoe] } });
    clock.time += 40_000;
    await put("Zoë", { aor: "zoe@a.example", online: true });
    clock.time += 59_999;
    expect((await get(`/directory/${encodeURIComponent("ZOË")}`)).value).toEqual(zoe);
    clock.time += 1;
    expect((await get(`/directory/${encodeURIComponent("zoë")}`)).value).toMatchObject({ aor: zoe.aor, online: false });
    expect((await get("/directory?online=1")).value).toEqual({ entries: [] });
    expect((await get("/directory/nobody")).status).toBe(404);
  });

  it("leaves a name to the domain that claimed it first, also after a restart, and in any spelling", async () => {
    const { put, names } = await start();
    expect(await put("Ann", { aor: "ann@a.example", online: false })).toBe(204);
    expect(await put("ANN", { aor: "ann@b.example", online: true })).toBe(409);
    // Full-width letters look like others.
    expect(await put("Ａnn", { aor: "ann@b.example", online: true })).toBe(409);
    expect(await put("ann", { aor: "anna@a.example", online: true })).toBe(204);
    names.close();
    const again = new NickNames(join(directory, "directory.db"), clock);
    closing = [() => again.close(), ...closing.slice(1)];
    expect(again.find("ANN")).toMatchObject({ nick: "ann", aor: "anna@a.example", online: false });
    expect(await again.put("ann", "ann@b.example", true)).toBe("taken");
  });

  it("lets in who is configured, for the domains that it speaks for", async () => {
    const far = await start({ clients: [{ prefix: parsePrefix("192.0.2.0/24")! }] });
    await expect(far.put("a", { aor: "a@a.example", online: true })).rejects.toThrow(/hang up|ECONNRESET/);
    await expect(far.get("/directory?online=1")).rejects.toThrow(/hang up|ECONNRESET/);
    const own = await start({ names: far.names, clients: [{ ...ANY, domains: ["a.example"] }] });
    expect(await own.put("a", { aor: "a@a.example", online: true })).toBe(204);
    expect(await own.put("b", { aor: "b@b.example", online: true })).toBe(403);
  });

  it("keeps the case of users and not that of domains (RFC 3261 §19.1.4)", async () => {
    const { put, get } = await start();
    expect(await put("Zoë", { aor: "sips:Zoe@A.Example", online: true })).toBe(204);
    expect((await get(`/directory/${encodeURIComponent("Zoë")}`)).value).toMatchObject({ aor: "Zoe@a.example" });
    clock.time += 1000;
    // Somebody else of the same provider has the name now.
    expect(await put("Zoë", { aor: "zoe@a.example", online: true })).toBe(204);
    expect((await get("/directory?online=1")).value).toMatchObject({
      entries: [{ aor: "zoe@a.example", since: 1_001_000 }],
    });
  });

  it("has limits for everything", async () => {
    const names = open({ ...DEFAULT_NICK_LIMITS, perDomain: 2, online: 2 });
    const { put, port, server } = await start({ names, requestsPerSecond: 20 });
    const one = (nick: string, domain: string) => put(nick, { aor: `${nick}@${domain}`, online: true });
    expect([await one("a", "a.example"), await one("b", "a.example")]).toEqual([204, 204]);
    expect(await one("c", "b.example")).toBe(503);
    expect(await put("c", { aor: "c@a.example", online: false })).toBe(503);
    expect(await put("c", { aor: "c@b.example", online: false })).toBe(204);
    expect(await put("d", { aor: `${"x".repeat(2000)}@a.example`, online: true })).toBe(413);
    expect(await put("d", "{")).toBe(400);
    expect((await http(port, "", { path: "/directory/a", method: "DELETE" })).status).toBe(405);
    expect((await http(port, "", { path: "/directory?online=1", method: "PUT" })).status).toBe(405);
    const many = await Promise.all(
      Array.from({ length: 60 }, () => http(port, "", { path: "/directory/a", method: "GET" })),
    );
    expect(new Set(many.map(({ status }) => status))).toEqual(new Set([200, 429]));
    const throttled = many.filter(({ status }) => status === 429).length;
    expect(server.counters).toEqual({ connectionsRefused: 0, requests: 69, throttled, entriesRefused: 2 });
  });

  it("does not wait for a body that does not come", async () => {
    const { port } = await start();
    const socket = connect(port, "127.0.0.1");
    closing.push(() => socket.destroy());
    const answer = new Promise<string>((resolve) => socket.once("data", (data) => resolve(String(data))));
    const before = clock.scheduled;
    socket.write("PUT /directory/a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{");
    while (clock.scheduled === before) await new Promise((resolve) => setImmediate(resolve));
    clock.advance(5000);
    expect(await answer).toMatch(/^HTTP\/1\.1 408 /);
  });

  it("serves a thousand users who say every 20 s that they are there, with the disk asleep", async () => {
    const names = open();
    const put = async () => {
      const claims = Array.from({ length: 1000 }, (_, n) => names.put(`user ${n}`, `u${n}@a.example`, true));
      expect(new Set(await Promise.all(claims))).toEqual(new Set(["kept"]));
    };
    await put();
    for (let round = 0; round < 5; round += 1) {
      clock.time += 20_000;
      await put();
    }
    expect(names.online()).toHaveLength(1000);
    expect(names.online().every(({ since }) => since === 1_000_000)).toBe(true);
  });

  it("leaves room for others beside a domain that enters all that it can", async () => {
    const names = open({ ttl: seconds(60), perDomain: 5, online: 6, onlinePerDomain: 3 });
    const put = (nick: string, domain: string, online = true) => names.put(nick, `${nick}@${domain}`, online);
    // At the same time, so that each finds room before any of them is on the disk.
    const claims = await Promise.all(Array.from({ length: 8 }, (_, n) => put(`n${n}`, "evil.example", n < 4)));
    expect(claims).toEqual(["kept", "kept", "kept", "full", "kept", "full", "full", "full"]);
    expect(await put("carol", "b.example")).toBe("kept");
    // Who has gone, or was not heard of for long, leaves a place; the name stays.
    await put("n0", "evil.example", false);
    expect(await put("n4", "evil.example")).toBe("kept");
    expect(await put("n1", "evil.example")).toBe("kept");
    expect(await put("n0", "evil.example")).toBe("full");
    clock.time += 60_000;
    expect(await put("n0", "evil.example")).toBe("kept");
    expect(names.online().map(({ nick }) => nick)).toEqual(["n0"]);
  });

  it("counts names of before a restart", async () => {
    const limits = { ...DEFAULT_NICK_LIMITS, perDomain: 2 };
    const before = open(limits);
    await before.put("a", "a@a.example", true);
    await before.put("b", "b@a.example", true);
    before.close();
    closing = [];
    const names = open(limits);
    expect(await names.put("c", "c@a.example", true)).toBe("full");
    expect(await names.put("B", "b2@a.example", true)).toBe("kept");
  });

  it("gives a name to one of two domains that claim it at once", async () => {
    const names = open();
    const claims = await Promise.all([
      names.put("Ann", "ann@a.example", true),
      names.put("ANN", "ann@b.example", true),
    ]);
    expect(claims).toEqual(["kept", "taken"]);
    expect(names.online()).toMatchObject([{ nick: "Ann", aor: "ann@a.example" }]);
  });
});

describe("strangers", () => {
  it("take no place from those who are configured", { timeout: 20_000 }, async () => {
    const refused: string[] = [];
    const log: Logger = { ...SILENT_LOGGER, warn: (event) => void refused.push(event) };
    const { port, get, server } = await start({ clients: [{ prefix: parsePrefix("127.0.0.1/32")! }], log });
    const strangers = Array.from({ length: 1030 }, () => {
      const socket = connect({ host: "127.0.0.1", port, localAddress: "127.0.0.66" });
      socket.on("error", () => undefined);
      return new Promise<string>((resolve) => {
        let text = "";
        socket.on("connect", () => socket.write("GET /directory?online=1 HTTP/1.1\r\nHost: x\r\n\r\n"));
        socket.on("data", (data) => {
          text += String(data);
        });
        socket.on("close", () => resolve(text));
      });
    });
    expect((await get("/directory?online=1")).status).toBe(200);
    expect(new Set(await Promise.all(strangers))).toEqual(new Set([""]));
    expect(server.counters.connectionsRefused).toBe(1030);
    // Said, but not each time.
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.length).toBeLessThan(10);
  });

  it("are not the only ones with a limit: one client's connections, and what it asks too often", async () => {
    const { port } = await start({ requestsPerSecond: 1 });
    const ask = "GET /directory?online=1 HTTP/1.1\r\nHost: x\r\n\r\n";
    const opened = Array.from({ length: 130 }, () => {
      const socket = connect(port, "127.0.0.1");
      closing.push(() => socket.destroy());
      socket.on("error", () => undefined);
      return socket;
    });
    await vi.waitFor(() => expect(opened.filter(({ closed }) => closed)).toHaveLength(2), { timeout: 5000 });
    const open = opened.find(({ closed }) => !closed)!;
    let text = "";
    open.on("data", (data) => {
      text += String(data);
    });
    const answers = () => text.match(/HTTP\/1\.1 \d+/g) ?? [];
    for (let asked = 1; asked <= 3; asked += 1) {
      open.write(ask);
      await vi.waitFor(() => expect(answers()).toHaveLength(asked));
    }
    expect(answers()).toEqual(["HTTP/1.1 200", "HTTP/1.1 200", "HTTP/1.1 429"]);
    expect(text.slice(text.indexOf(" 429 "))).toContain("Connection: close\r\n");
    await vi.waitFor(() => expect(open.closed).toBe(true));
  });
});

describe("what is asked of it", () => {
  it.each([
    "/",
    "/directory",
    "/directory?online=0",
    "/directory/",
    "/directory/..",
    "/directory/a/b",
    "/directory/%",
    "/directory/%00",
    "/directory/ a",
    "/directory/al%E2%80%8Bice",
    "/directory/%D0%B0lice",
    `/directory/${"a".repeat(65)}`,
    `/directory/${"a".repeat(600)}`,
  ])("%s is nothing", (target) => expect(readTarget(target)).toBeUndefined());

  it("never throws, whatever comes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.uint8Array(), (target, body) => {
        readTarget(target);
        readTarget(`/directory/${target}`);
        readEntry(Buffer.from(body));
      }),
    );
    fc.assert(
      fc.property(fc.json(), (text) => {
        const entry = readEntry(Buffer.from(text));
        if (entry !== undefined) expect(entry.aor).toMatch(/^[^@\s]+@[^@\s]+$/);
      }),
    );
  });

  it.each(["a@b", "sip:Al.ice@A.example"])("%s is an address", (aor) => {
    expect(readEntry(Buffer.from(JSON.stringify({ aor, online: true })))?.aor).toMatch(/^[A-Za-z.]+@[a-z.]+$/);
  });
  it.each(["", "a", "@a.example", "a@", "a b@c", "a@b@c", "a@-b", "a@b.", "<a>@b"])("%s is none", (aor) => {
    expect(readEntry(Buffer.from(JSON.stringify({ aor, online: true })))).toBeUndefined();
  });
});

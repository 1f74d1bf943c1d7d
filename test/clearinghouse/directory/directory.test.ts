import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readEntry, readTarget } from "../../../src/clearinghouse/directory/directory-requests.js";
import { DirectoryServer, type DirectoryServerOptions } from "../../../src/clearinghouse/directory/directory-server.js";
import { DEFAULT_NICK_LIMITS, NickNames } from "../../../src/clearinghouse/directory/nick-names.js";
import { parsePrefix } from "../../../src/model/ip.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
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
  return { names, port, put, get };
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
    expect(again.put("ann", "ann@b.example", true)).toBe("taken");
  });

  it("lets in who is configured, for the domains that it speaks for", async () => {
    const far = await start({ clients: [{ prefix: parsePrefix("192.0.2.0/24")! }] });
    expect([
      await far.put("a", { aor: "a@a.example", online: true }),
      (await far.get("/directory?online=1")).status,
    ]).toEqual([403, 403]);
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
    const { put, port } = await start({ names, requestsPerSecond: 20 });
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
    const put = () => {
      for (let n = 0; n < 1000; n += 1) expect(names.put(`user ${n}`, `u${n}@a.example`, true)).toBe("kept");
    };
    put();
    for (let round = 0; round < 5; round += 1) {
      clock.time += 20_000;
      put();
    }
    expect(names.online()).toHaveLength(1000);
    expect(names.online().every(({ since }) => since === 1_000_000)).toBe(true);
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

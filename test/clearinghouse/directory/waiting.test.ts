/** Reading the directory on condition: what has not changed is not told again, and whoever wants to waits for a change. */
import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readCondition } from "../../../src/clearinghouse/directory/directory-requests.js";
import { DirectoryServer } from "../../../src/clearinghouse/directory/directory-server.js";
import { NickNames } from "../../../src/clearinghouse/directory/nick-names.js";
import { parsePrefix } from "../../../src/model/ip.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { FakeClock } from "../../support/fake-clock.js";

let clock: FakeClock;
let names: NickNames;
let server: DirectoryServer;
let port: number;

beforeEach(async () => {
  clock = new FakeClock(1_000_000);
  names = new NickNames(":memory:", clock);
  const clients = [{ prefix: parsePrefix("127.0.0.0/8")! }];
  server = new DirectoryServer({
    listen: { address: "127.0.0.1", port: 0 },
    clients,
    names,
    clock,
    log: SILENT_LOGGER,
  });
  port = await server.listen();
});
afterEach(async () => {
  const closed = server.close();
  clock.advance(2000);
  await closed;
  names.close();
});

interface Reply {
  readonly status: number;
  readonly tag: string;
  readonly nicks: readonly string[];
}

function ask(headers: Record<string, string> = {}, method = "GET", path = "/directory?online=1", body = "") {
  const asked = request({ host: "127.0.0.1", port, path, method, headers, agent: false });
  const reply = new Promise<Reply>((resolve, reject) => {
    asked.on("error", reject);
    asked.on("response", (response) => {
      let text = "";
      response.on("data", (part) => {
        text += String(part);
      });
      response.on("end", () => {
        const entries = text === "" ? [] : (JSON.parse(text).entries as { nick: string }[]);
        const tag = response.headers.etag ?? "";
        resolve({ status: response.statusCode ?? 0, tag, nicks: entries.map(({ nick }) => nick) });
      });
    });
  });
  asked.end(body);
  return { reply, asked };
}

const waiting = (tag: string) => ask({ "if-none-match": tag, prefer: "wait=8" });

/** Until a question that waits has arrived: it sets timers. */
async function arrived(before: number): Promise<void> {
  while (clock.scheduled < before + 1) await sleep(2);
}

describe("a reader who knows the list", () => {
  it("is told at once that it is still so, unless it wants to wait", async () => {
    await names.put("Al", "al@a.example", true);
    const first = await ask().reply;
    expect(first).toMatchObject({ status: 200, nicks: ["Al"], tag: expect.stringMatching(/^"[\w-]+\.\d+"$/) });
    expect(await ask({ "if-none-match": first.tag }).reply).toMatchObject({ status: 304, tag: first.tag });
    expect(await ask({ "if-none-match": '"other.1"', prefer: "wait=8" }).reply).toMatchObject({ status: 200 });
    // Said again, it is no news.
    await names.put("Al", "al@a.example", true);
    expect(await ask({ "if-none-match": first.tag }).reply).toMatchObject({ status: 304 });
  });

  it("hears at once of one who comes, and of one who goes", async () => {
    const { tag } = await ask().reply;
    let before = clock.scheduled;
    const coming = waiting(tag);
    await arrived(before);
    const entry = JSON.stringify({ aor: "al@a.example", online: true });
    // No timer runs meanwhile: it is the entering itself that tells.
    await ask({}, "PUT", "/directory/Al", entry).reply;
    const came = await coming.reply;
    expect(came).toMatchObject({ status: 200, nicks: ["Al"] });
    before = clock.scheduled;
    const going = waiting(came.tag);
    await arrived(before);
    await ask({}, "PUT", "/directory/Al", JSON.stringify({ aor: "al@a.example", online: false })).reply;
    expect(await going.reply).toMatchObject({ status: 200, nicks: [] });
  });

  it("hears within a second of one of whom nothing more was said", async () => {
    await names.put("Al", "al@a.example", true);
    clock.time += 59_500;
    const { tag } = await ask().reply;
    const before = clock.scheduled;
    const { reply } = waiting(tag);
    await arrived(before);
    clock.advance(1000);
    expect(await reply).toMatchObject({ status: 200, nicks: [] });
  });

  it("is let go when it has waited for as long as it wanted, and no timer is left", async () => {
    const { tag } = await ask().reply;
    const before = clock.scheduled;
    const { reply } = waiting(tag);
    await arrived(before);
    clock.advance(8000);
    expect(await reply).toMatchObject({ status: 304, tag });
    clock.advance(1000);
    const idle = clock.pending;
    expect(idle).toBe(0);
  });

  it("leaves nothing behind when it goes away", async () => {
    const { tag } = await ask().reply;
    const before = clock.scheduled;
    const { reply, asked } = waiting(tag);
    await arrived(before);
    asked.destroy();
    await expect(reply).rejects.toThrow();
    while (clock.pending > 1) await sleep(2);
    clock.advance(1000);
    expect(clock.pending).toBe(0);
  });

  it("does not wait where too many of its source do", async () => {
    const { tag } = await ask().reply;
    const before = clock.scheduled;
    const many = Array.from({ length: 16 }, () => waiting(tag));
    while (clock.scheduled < before + 17) await sleep(2);
    expect(await waiting(tag).reply).toMatchObject({ status: 304 });
    clock.advance(8000);
    expect((await Promise.all(many.map(({ reply }) => reply))).map(({ status }) => status)).toEqual(
      Array(16).fill(304),
    );
  });
});

it("reads conditions of many spellings, and bounds the wait", () => {
  expect(readCondition({})).toEqual({ tags: [], wait: 0 });
  expect(readCondition({ "if-none-match": 'W/"a", "b"', prefer: "respond-async, wait=10" })).toEqual({
    tags: ['"a"', '"b"'],
    wait: 10_000,
  });
  expect(readCondition({ prefer: 'WAIT = "99999"' })).toMatchObject({ wait: 30_000 });
  expect(readCondition({ prefer: "await=5" })).toMatchObject({ wait: 0 });
});

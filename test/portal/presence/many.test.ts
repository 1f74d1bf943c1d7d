/** The list of a busy network, over real HTTP, for pages that read it fast, slowly, and not at all. */
import { createServer, request, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { connect } from "node:net";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Timestamp } from "../../../src/model/units.js";
import type { PresenceEntry } from "../../../src/portal/api/shapes.js";
import { EventStreams } from "../../../src/portal/http/event-streams.js";
import { Presence } from "../../../src/portal/presence/presence.js";
import { FakeClock } from "../../support/fake-clock.js";

const MANY = 20_000;
let clock: FakeClock;
let presence: Presence;
let streams: EventStreams;
let server: Server;
let ends: Socket[];

const entries = (count: number, first = 0) =>
  Array.from({ length: count }, (_, n) => {
    const nick = `A player with a long name ${first + n}`;
    return { nick, aor: `player-${first + n}@${first + n < count / 2 ? "b" : "c"}.example`, since: 5 as Timestamp };
  });

beforeEach(async () => {
  [clock, ends] = [new FakeClock(), []];
  presence = new Presence({ clock, onLocal: () => undefined });
  streams = new EventStreams({ clock, perUser: 4, total: 10, headers: {}, holds: () => true });
  server = createServer((asked, response) => {
    const user = asked.url?.slice(1) ?? "";
    const stream = streams.open(response, { user, owner: user, onClose: () => presence.closed(user, stream) });
    presence.opened({ user, nick: user, aor: `${user}@a.example` }, stream);
  });
  server.on("connection", (socket) => ends.push(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  presence.remote(entries(MANY), () => false);
});
afterEach(() => {
  presence.close();
  streams.close();
  server.closeAllConnections();
  server.close();
});

const port = (): number => (server.address() as AddressInfo).port;

/** A page's list, out of what has come. */
class Reader {
  readonly people = new Map<string, PresenceEntry>();
  longest = 0;
  #begun = "";

  take(text: string): void {
    const blocks = `${this.#begun}${text}`.split("\n\n");
    this.#begun = blocks.pop() ?? "";
    for (const block of blocks) {
      const data = /data: (.*)$/.exec(block)?.[1];
      if (data === undefined) continue;
      this.longest = Math.max(this.longest, Buffer.byteLength(data));
      for (const entry of JSON.parse(data) as PresenceEntry[]) {
        if (entry.state === "offline") this.people.delete(entry.aor);
        else this.people.set(entry.aor, entry);
      }
    }
  }
}

function read(user: string): Reader {
  const reader = new Reader();
  request({ port: port(), host: "127.0.0.1", path: `/${user}`, agent: false }, (response) => {
    response.setEncoding("utf8");
    response.on("data", (part: string) => reader.take(part));
    response.on("error", () => undefined);
  }).end();
  return reader;
}

/** Reads nothing until it is told to. */
async function deaf(user: string): Promise<Socket> {
  const socket = connect(port(), "127.0.0.1");
  socket.on("error", () => undefined);
  socket.pause();
  socket.write(`GET /${user} HTTP/1.1\r\nHost: a\r\n\r\n`);
  const { size } = streams;
  await vi.waitFor(() => expect(streams.size).toBe(size + 1));
  return socket;
}

it("reaches everybody who opens a page, in parts", { timeout: 20_000 }, async () => {
  const readers = ["alice", "bob"].map(read);
  for (const reader of readers) {
    await vi.waitFor(() => expect(reader.people.size).toBeGreaterThan(MANY), { timeout: 10_000 });
    expect(reader.longest).toBeLessThanOrEqual(64 * 1024);
  }
  // All of them change at once.
  presence.remote(entries(MANY / 2, MANY), () => false);
  clock.advance(1000);
  for (const { people } of readers) await vi.waitFor(() => expect(people.size).toBe(MANY / 2 + 2), { timeout: 10_000 });
  expect(streams.dropped).toBe(0);
});

it("waits for one that reads slowly, holds little for it, and tells it what is so in the end", {
  timeout: 30_000,
}, async () => {
  const socket = await deaf("alice");
  let held = 0;
  const reader = new Reader();
  socket.setEncoding("latin1");
  const readSome = async (): Promise<void> => {
    const part = socket.read() as string | null;
    if (part !== null) reader.take(part);
    await new Promise((resolve) => setTimeout(resolve, 1));
  };
  for (let turn = 0; turn < 100; turn += 1) {
    // Half of them go, and some come in their stead.
    if (turn < 6) presence.remote(entries(MANY / 2, turn), () => false);
    // Far longer, in all, than one is waited for that reads nothing.
    if (turn % 10 === 0) clock.advance(15_000);
    await readSome();
    held = Math.max(held, ends[0]!.writableLength);
  }
  clock.advance(1000);
  const until = Date.now() + 20_000;
  while (reader.people.size !== MANY / 2 + 1 && Date.now() < until) await readSome();
  expect(reader.people.size).toBe(MANY / 2 + 1);
  expect(reader.people.has("player-0@b.example")).toBe(false);
  expect(streams.dropped).toBe(0);
  expect(held).toBeLessThan(128 * 1024);
  socket.destroy();
});

it("drops one that reads nothing, holds little for it until then, and serves others", { timeout: 20_000 }, async () => {
  const [socket, reader] = [await deaf("mallory"), read("alice")];
  await vi.waitFor(() => expect(reader.people.size).toBeGreaterThan(MANY), { timeout: 10_000 });
  let [held, beats] = [0, 0];
  // The kernel's buffers take some of it.
  for (; beats < 100 && streams.dropped === 0; beats += 1) {
    presence.remote(entries(MANY, beats % 2), () => false);
    held = Math.max(held, ends[0]!.writableLength);
    clock.advance(15_000);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  expect(streams.dropped).toBe(1);
  expect(beats).toBeGreaterThan(4);
  expect(held).toBeLessThan(128 * 1024);
  await vi.waitFor(() => expect(streams.size).toBe(1));
  socket.destroy();
});

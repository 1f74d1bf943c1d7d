import { createServer, type IncomingMessage, request, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { connect } from "node:net";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { type EventStream, EventStreams, frameOf } from "../../../src/portal/http/event-streams.js";
import { FakeClock } from "../../support/fake-clock.js";

let server: Server;
let streams: EventStreams;
let clock: FakeClock;
let holds = true;
let opened: EventStream[];
let closed: string[];

beforeEach(async () => {
  const ofThis: string[] = [];
  [clock, opened, closed, holds] = [new FakeClock(), [], ofThis, true];
  streams = new EventStreams({ clock, perUser: 2, total: 3, headers: { "X-Own": "1" }, holds: () => holds });
  server = createServer((asked, response) => {
    const user = asked.url?.slice(1) ?? "";
    if (!streams.mayOpen(user)) response.writeHead(429).end();
    else opened.push(streams.open(response, { user, owner: `key of ${user}`, onClose: () => ofThis.push(user) }));
  });
  server.on("connection", (socket) => {
    waiting = () => socket.writableLength;
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterEach(() => {
  streams.close();
  server.closeAllConnections();
  server.close();
});

const port = (): number => (server.address() as AddressInfo).port;

/** What waits in this process for the one that came last. */
let waiting = (): number => 0;

function listen(user: string): Promise<IncomingMessage & { text: () => string }> {
  return new Promise((resolve, reject) => {
    request({ port: port(), host: "127.0.0.1", path: `/${user}`, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => {
        text += part;
      });
      response.on("error", () => undefined);
      resolve(Object.assign(response, { text: () => text }));
    })
      .on("error", reject)
      .end();
  });
}

it("sends events and heartbeats, and counts who listens", async () => {
  const first = await listen("alice");
  expect(first.headers).toMatchObject({
    "content-type": "text/event-stream",
    "x-own": "1",
    "cache-control": "no-store",
  });
  opened[0]?.send(frameOf("x", { text: "a\nb" }));
  await vi.waitFor(() => expect(first.text()).toBe('event: x\ndata: {"text":"a\\nb"}\n\n'));
  clock.advance(15_000);
  await vi.waitFor(() => expect(first.text()).toMatch(/: \n\n$/));
  await listen("alice");
  expect((await listen("alice")).statusCode).toBe(429);
  await listen("bob");
  expect((await listen("carol")).statusCode).toBe(429);
  first.destroy();
  await vi.waitFor(() => expect(closed).toEqual(["alice"]));
  expect((await listen("carol")).statusCode).toBe(200);
});

it("ends with the log-in, at once or at the next heartbeat", async () => {
  const [alice, bob] = [await listen("alice"), await listen("bob")];
  streams.endOwner("key of alice");
  await vi.waitFor(() => expect(alice.complete).toBe(true));
  expect(bob.complete).toBe(false);
  holds = false;
  clock.advance(15_000);
  await vi.waitFor(() => expect(bob.complete).toBe(true));
  await vi.waitFor(() => expect(streams.size).toBe(0));
  expect(closed).toEqual(["alice", "bob"]);
});

/** Asks, and then reads nothing. */
function deaf(user: string): Promise<Socket> {
  const socket = connect(port(), "127.0.0.1", () => socket.write(`GET /${user} HTTP/1.1\r\nHost: a\r\n\r\n`));
  socket.pause();
  socket.on("error", () => undefined);
  const { length } = opened;
  return vi.waitFor(() => expect(opened).toHaveLength(length + 1)).then(() => socket);
}

it("drops one that does not read, by what waits for it, or by the time", async () => {
  const socket = await deaf("alice");
  const frame = frameOf("x", "y".repeat(60_000));
  // The kernel's buffers take some of it.
  for (let index = 0; index < 400 && streams.dropped === 0; index++) opened[0]?.send(frame);
  expect(streams.dropped).toBe(1);
  await vi.waitFor(() => expect(streams.size).toBe(0));
  socket.destroy();
  const second = await deaf("bob");
  // As much as leaves something waiting, but not too much.
  const stream = opened.at(-1)!;
  for (let index = 0; index < 4000 && waiting() < 100_000; index++) {
    stream.send(frameOf("x", "y".repeat(20_000)));
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(waiting()).toBeGreaterThanOrEqual(100_000);
  for (let beat = 0; beat < 4; beat++) clock.advance(15_000);
  expect(streams.dropped).toBe(1);
  for (let beat = 0; beat < 2; beat++) clock.advance(15_000);
  expect(streams.dropped).toBe(2);
  second.destroy();
});

it("drops one whose log-in has ended, and that does not read the end of its stream", async () => {
  const socket = await deaf("alice");
  const stream = opened.at(-1)!;
  for (let index = 0; index < 4000 && waiting() < 100_000; index++) {
    stream.send(frameOf("x", "y".repeat(20_000)));
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(waiting()).toBeGreaterThanOrEqual(100_000);
  holds = false;
  clock.advance(15_000);
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect([streams.size, streams.dropped]).toEqual([1, 0]);
  clock.advance(15_000);
  await vi.waitFor(() => expect(closed).toEqual(["alice"]));
  expect(streams.dropped).toBe(1);
  socket.destroy();
});

it("makes what it is fed with as fast as it is read, and not before", async () => {
  const socket = await deaf("alice");
  let made = 0;
  const next = () => (made < 400 ? frameOf("x", `${made++} ${"y".repeat(60_000)}`) : undefined);
  opened.at(-1)?.feed(next);
  await new Promise((resolve) => setTimeout(resolve, 200));
  const before = made;
  expect(before).toBeLessThan(400);
  expect(waiting()).toBeLessThan(128 * 1024);
  let octets = 0;
  socket.on("data", (part) => {
    octets += part.length;
  });
  socket.resume();
  await vi.waitFor(() => expect(octets).toBeGreaterThan(400 * 60_000), { timeout: 5000 });
  expect([made, streams.dropped]).toEqual([400, 0]);
  socket.destroy();
});

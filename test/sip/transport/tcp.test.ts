import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { SYSTEM_CLOCK } from "../../../src/model/clock.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { millis } from "../../../src/model/units.js";
import type { ConnectionLimits } from "../../../src/sip/transport/limits.js";
import type { Destination, Flow } from "../../../src/sip/transport/transport.js";
import { Transports } from "../../../src/sip/transport/transports.js";

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
});

interface Taken {
  readonly text: string;
  readonly remote: Destination;
}

interface Bench {
  readonly transport: Transports;
  readonly taken: Taken[];
  readonly closed: Flow[];
  readonly port: number;
}

async function bench(limits: Partial<ConnectionLimits> = {}, address = "127.0.0.1"): Promise<Bench> {
  const transport = await Transports.open({
    addresses: [{ address, port: 0 }],
    clock: SYSTEM_CLOCK,
    logger: SILENT_LOGGER,
    limits,
  });
  opened.push(transport);
  const [taken, closed]: [Taken[], Flow[]] = [[], []];
  transport.onMessage((octets, remote) => taken.push({ text: octets.toString("latin1"), remote }));
  transport.onFlowClosed((flow) => closed.push(flow));
  return { transport, taken, closed, port: transport.locals[0]?.port ?? 0 };
}

async function client(port: number, address = "127.0.0.1"): Promise<Socket & { readonly got: string[] }> {
  const got: string[] = [];
  const socket = connect({ host: address, port });
  opened.push({ close: () => socket.destroy() });
  socket.on("data", (data) => got.push(data.toString("latin1")));
  socket.on("error", () => undefined);
  await new Promise((resolve) => socket.once("connect", resolve));
  return Object.assign(socket, { got });
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const gone = (socket: Socket): Promise<unknown> =>
  socket.destroyed ? Promise.resolve() : new Promise((resolve) => socket.once("close", resolve));

const until = async (isTrue: () => boolean): Promise<void> => {
  const end = Date.now() + 4000;
  while (!isTrue()) {
    if (Date.now() > end) throw new Error("it never came to that");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};

const message = (body: string) => `MESSAGE sip:a@b SIP/2.0\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const unexpected = (cause: Error) => expect.unreachable(cause.message);

describe("TcpTransport", () => {
  it("listens on the port that UDP has, in both families", async () => {
    for (const address of ["127.0.0.1", "::1"]) {
      const { transport } = await bench({}, address);
      const [udp, tcp] = transport.locals;
      expect([udp, tcp]).toEqual([
        { address, port: udp?.port, transport: "udp" },
        { address, port: udp?.port, transport: "tcp" },
      ]);
    }
  });

  it("says who has the port that TCP needs, and leaves nothing open", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    opened.push({ close: () => new Promise((resolve) => server.close(resolve)) });
    const { port } = server.address() as AddressInfo;
    const options = { addresses: [{ address: "127.0.0.1", port }], clock: SYSTEM_CLOCK, logger: SILENT_LOGGER };
    const error = await Transports.open(options).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: "SIP_ADDRESS_IN_USE", remedy: expect.stringContaining("ss -ltnp") });
    const udpOnly = await Transports.open({ ...options, tcp: false });
    opened.push(udpOnly);
    expect(udpOnly.locals).toEqual([{ address: "127.0.0.1", port, transport: "udp" }]);
  });

  it("takes a message in pieces, and two in one segment, and answers along the connection", async () => {
    const { transport, taken, port } = await bench();
    const socket = await client(port);
    const text = message("hello");
    for (const piece of [text.slice(0, 5), text.slice(5, 40), text.slice(40)]) {
      socket.write(piece);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    socket.write(message("one") + message("two"));
    await until(() => taken.length === 3);
    expect(taken.map((one) => one.text)).toEqual([text, message("one"), message("two")]);
    const { remote } = taken[0] ?? expect.unreachable();
    expect(remote).toMatchObject({ address: "127.0.0.1", port: socket.localPort, transport: "tcp" });
    expect(transport.flow(remote.flow ?? "")?.remote).toEqual(remote);
    transport.send(Buffer.from("answer"), transport.locals[1] ?? expect.unreachable(), remote, unexpected);
    await until(() => socket.got.join("") === "answer");
  });

  it("answers two line ends with one (RFC 5626 §3.5.1)", async () => {
    const { port, taken } = await bench();
    const socket = await client(port);
    socket.write("\r\n\r\n");
    await until(() => socket.got.join("") === "\r\n");
    expect(taken).toEqual([]);
  });

  it("tells of a connection that is lost in mid-message, once, and of sends to it", async () => {
    const { transport, taken, closed, port } = await bench();
    const socket = await client(port);
    socket.write(message("whole"));
    socket.write(message("not whole").slice(0, -3));
    await until(() => taken.length === 1);
    socket.destroy();
    await until(() => closed.length === 1);
    const { remote } = taken[0] ?? expect.unreachable();
    expect([closed[0]?.id, transport.flow(remote.flow ?? ""), taken.length]).toEqual([remote.flow, undefined, 1]);
    const local = transport.locals[1] ?? expect.unreachable();
    const cause = await new Promise<Error>((resolve) => transport.send(Buffer.from("x"), local, remote, resolve));
    expect(cause).toMatchObject({ code: "SIP_NO_CONNECTION" });
    expect(transport.connections).toBe(0);
  });

  it("opens one connection for all requests to an address, and takes what comes back by it", async () => {
    const [near, far] = [await bench(), await bench()];
    const local = near.transport.locals[1] ?? expect.unreachable();
    const remote = { address: "127.0.0.1", port: far.port, transport: "tcp" } as const;
    for (const body of ["1", "2", "3"]) near.transport.send(Buffer.from(message(body)), local, remote, unexpected);
    await until(() => far.taken.length === 3);
    expect(far.taken.map(({ text }) => text)).toEqual(["1", "2", "3"].map(message));
    expect(new Set(far.taken.map((one) => one.remote.flow)).size).toBe(1);
    expect([near.transport.counters.opened, far.transport.counters.accepted]).toEqual([1, 1]);
    const back = far.taken[0]?.remote ?? expect.unreachable();
    far.transport.send(Buffer.from(message("back")), local, back, unexpected);
    await until(() => near.taken.length === 1);
    expect(await near.transport.reach(local, remote)).toBe(true);
  });

  it("says that nobody takes connections, and does not ask again for a while", async () => {
    const { transport } = await bench();
    const remote = { address: "127.0.0.1", port: await freePort(), transport: "tcp" } as const;
    const local = transport.locals[1] ?? expect.unreachable();
    expect([await transport.reach(local, remote), await transport.reach(local, remote)]).toEqual([false, false]);
    expect(transport.counters.opened).toBe(1);
    const cause = await new Promise<Error>((resolve) => transport.send(Buffer.from("x"), local, remote, resolve));
    expect(cause.message).toMatch(/ECONNREFUSED|closed/);
  });

  it("gives a connection that cannot be opened up after its time", async () => {
    const { transport } = await bench({ connectTime: millis(50) });
    const local = transport.locals[1] ?? expect.unreachable();
    const nowhere = { address: "240.0.0.1", port: 5060, transport: "tcp" } as const;
    expect(await transport.reach(local, nowhere)).toBe(false);
  });
});

describe("TCP against hostile peers", () => {
  it.each([
    ["a huge Content-Length", "M sip:a SIP/2.0\r\nContent-Length: 99999999999\r\n\r\n", 1],
    ["no Content-Length", "M sip:a SIP/2.0\r\n\r\n", 1],
    ["no line end", "A".repeat(40_000), 0],
  ])("ends the connection at %s, and hands on at most what can be answered", async (_name, text, handed) => {
    const { transport, taken, port } = await bench();
    const socket = await client(port);
    socket.write(text + message("never"));
    await gone(socket);
    expect([transport.counters.broken, taken.length]).toEqual([1, handed]);
  });

  it("ends a connection that brings a message too slowly, or none", async () => {
    const { transport, port, taken } = await bench({ messageTime: millis(150) });
    const [slow, silent, good] = [await client(port), await client(port), await client(port)];
    good.write(message("first"));
    const drip = setInterval(() => slow.write("A"), 20);
    await Promise.all([gone(slow), gone(silent)]);
    clearInterval(drip);
    expect(transport.counters.slow).toBe(2);
    // Between messages a connection may be silent.
    expect(good.destroyed).toBe(false);
    good.write(message("second"));
    await until(() => taken.length === 2);
  });

  it("closes what is idle", async () => {
    const { transport, port, taken } = await bench({ idle: millis(120) });
    const socket = await client(port);
    socket.write(message("only"));
    await until(() => taken.length === 1);
    await gone(socket);
    expect(transport.counters.idle).toBe(1);
  });

  it("caps the connections of a source, and of all", async () => {
    const { transport, port, taken } = await bench({ perSource: 5, connections: 8, perMinute: 1000 });
    const sockets = await Promise.all(Array.from({ length: 200 }, () => client(port)));
    await until(() => transport.counters.full === 195);
    expect([transport.connections, transport.counters.accepted]).toEqual([5, 5]);
    // One that ends makes room for another.
    const kept = sockets.find((socket) => !socket.destroyed) ?? expect.unreachable();
    kept.destroy();
    await until(() => transport.connections === 4);
    const late = await client(port);
    late.write(message("late"));
    await until(() => taken.length === 1);
  });

  it("answers thousands of connections with a close, and goes on", async () => {
    const { transport, port, taken } = await bench({ perSource: 1, perMinute: 10_000 });
    const first = await client(port);
    first.write(message("here"));
    for (let round = 0; round < 15; round += 1) {
      await Promise.all(Array.from({ length: 200 }, async () => gone(await client(port))));
    }
    first.write(message("still here"));
    await until(() => taken.length === 2);
    expect(transport.counters).toMatchObject({ accepted: 1, full: 3000 });
    expect(transport.connections).toBe(1);
  }, 30_000);

  it("limits how fast one source connects", async () => {
    const { transport, port } = await bench({ perMinute: 3 });
    for (let count = 0; count < 6; count += 1) (await client(port)).destroy();
    await until(() => transport.counters.accepted + transport.counters.tooFast === 6);
    expect(transport.counters).toMatchObject({ accepted: 3, tooFast: 3 });
  });

  it("gives up a peer that does not read", async () => {
    const { transport, port, taken } = await bench({ queueOctets: 100_000 });
    const socket = await client(port);
    socket.write(message("hello"));
    await until(() => taken.length === 1);
    socket.pause();
    const remote = taken[0]?.remote ?? expect.unreachable();
    const local = transport.locals[1] ?? expect.unreachable();
    const failed: Error[] = [];
    const chunk = Buffer.alloc(60_000);
    for (let count = 0; count < 500 && transport.counters.overflow === 0; count += 1) {
      transport.send(chunk, local, remote, (cause) => failed.push(cause));
      if (count % 10 === 9) await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => failed.length > 0);
    expect(transport.counters.overflow).toBe(1);
    expect(transport.flow(remote.flow ?? "")).toBeUndefined();
  });
});

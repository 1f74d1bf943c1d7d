import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type ClientOptions, WebSocket } from "ws";
import { SYSTEM_CLOCK } from "../../../src/model/clock.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { millis } from "../../../src/model/units.js";
import type { ConnectionLimits } from "../../../src/sip/transport/limits.js";
import type { Destination, Flow, FlowId } from "../../../src/sip/transport/transport.js";
import { Transports, type WebSocketListener } from "../../../src/sip/transport/transports.js";

let folder = "";
const tls = (name = "localhost") => {
  const [key, certificate] = pathsOf(name).map((path) => readFileSync(path));
  return { key: key ?? expect.unreachable(), certificate: certificate ?? expect.unreachable() };
};
const pathsOf = (name: string) => [join(folder, `${name}.key`), join(folder, `${name}.crt`)];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sluice-ws-"));
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "1", "-nodes"];
  for (const name of ["localhost", "renewed"]) {
    const [key = "", certificate = ""] = pathsOf(name);
    const files = ["-keyout", key, "-out", certificate];
    await execa("openssl", ["req", "-x509", ...kind, "-subj", `/CN=${name}`, ...files]);
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
});

const PAGE = "https://portal.a.example";
/** Takes that certificate and no other. */
const trusting = (name: string) => ({ ca: tls(name).certificate, servername: name, rejectUnauthorized: true });

async function bench(listener: Partial<WebSocketListener> = {}, limits: Partial<ConnectionLimits> = {}) {
  const transport = await Transports.open({
    addresses: [{ address: "127.0.0.1", port: 0 }],
    webSocket: { addresses: [{ address: "127.0.0.1", port: 0 }], path: "/sip", origins: [PAGE], ...listener },
    clock: SYSTEM_CLOCK,
    logger: SILENT_LOGGER,
    limits,
  });
  opened.push(transport);
  const taken: { text: string; remote: Destination }[] = [];
  const closed: Flow[] = [];
  transport.onMessage((octets, remote) => taken.push({ text: octets.toString("latin1"), remote }));
  transport.onFlowClosed((flow) => closed.push(flow));
  const local = transport.locals.find((one) => one.transport.startsWith("ws")) ?? expect.unreachable();
  return { transport, taken, closed, local, url: `${local.transport}://127.0.0.1:${local.port}/sip` };
}

interface Client {
  readonly socket: WebSocket;
  readonly got: string[];
  /** `open`, an HTTP status, or what went wrong. */
  readonly outcome: string;
}

async function dial(url: string, options: ClientOptions = {}, protocols: string[] = ["sip"]): Promise<Client> {
  const socket = new WebSocket(url, protocols, { origin: PAGE, rejectUnauthorized: false, ...options });
  opened.push({ close: () => socket.terminate() });
  const got: string[] = [];
  socket.on("message", (data, isBinary) => got.push(`${isBinary ? "binary " : ""}${String(data)}`));
  const outcome = await new Promise<string>((resolve) => {
    socket.once("open", () => resolve("open"));
    socket.once("unexpected-response", (_request, response) => resolve(String(response.statusCode)));
    socket.on("error", (cause) => resolve(cause.message));
  });
  return { socket, got, outcome };
}

const until = async (isTrue: () => boolean): Promise<void> => {
  const end = Date.now() + 4000;
  while (!isTrue()) {
    if (Date.now() > end) throw new Error("it never came to that");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};
const gone = (socket: WebSocket): Promise<number> =>
  new Promise((resolve) => socket.once("close", (code) => resolve(code)));
const unexpected = (cause: Error) => expect.unreachable(cause.message);

describe("WsTransport", () => {
  it.each(["ws", "wss"])("carries a message a frame over %s, both ways", async (scheme) => {
    const { transport, taken, local, url } = await bench(scheme === "wss" ? { tls: tls() } : {});
    expect(local.transport).toBe(scheme);
    const { socket, got } = await dial(url);
    expect(socket.protocol).toBe("sip");
    socket.send("REGISTER sip:a SIP/2.0\r\n\r\n");
    socket.send(Buffer.from([0x41, 0xff]));
    await until(() => taken.length === 2);
    expect(taken.map(({ text }) => text)).toEqual(["REGISTER sip:a SIP/2.0\r\n\r\n", "A\u00ff"]);
    const remote = taken[0]?.remote ?? expect.unreachable();
    expect(remote).toMatchObject({ address: "127.0.0.1", transport: scheme });
    transport.send(Buffer.from("text é"), local, remote, unexpected);
    transport.send(Buffer.from([0xff]), local, remote, unexpected);
    await until(() => got.length === 2);
    expect([got[0], got[1]?.startsWith("binary ")]).toEqual(["text é", true]);
  });

  it("takes a message in fragments as one, and answers CRLF keep-alives", async () => {
    const { taken, url } = await bench();
    const { socket, got } = await dial(url);
    socket.send("one ", { fin: false });
    socket.send("message", { fin: true });
    socket.send("\r\n\r\n");
    await until(() => got.length === 1);
    expect([taken.map(({ text }) => text), got]).toEqual([["one message"], ["\r\n"]]);
  });

  it("tells of a closed connection once, and of sends to it; nobody can be connected to", async () => {
    const { transport, taken, closed, local, url } = await bench();
    const { socket } = await dial(url);
    socket.send("hello");
    await until(() => taken.length === 1);
    const remote = taken[0]?.remote ?? expect.unreachable();
    expect(await transport.reach(local, remote)).toBe(true);
    socket.close();
    await until(() => closed.length === 1);
    expect([closed[0]?.id, transport.flow(remote.flow ?? "")]).toEqual([remote.flow, undefined]);
    for (const where of [remote, { address: "127.0.0.1", port: 9, transport: "ws" as const }]) {
      expect(await transport.reach(local, where)).toBe(false);
      const cause = await new Promise<Error>((resolve) => transport.send(Buffer.from("x"), local, where, resolve));
      expect(cause).toMatchObject({ code: "SIP_NO_CONNECTION" });
    }
    await until(() => transport.connections === 0);
  });

  it("says what is wrong with a key", async () => {
    const { key, certificate } = tls();
    const other = tls("renewed").key;
    await expect(bench({ tls: { key: other, certificate } })).rejects.toMatchObject({ code: "SIP_TLS" });
    await expect(bench({ tls: { key: certificate, certificate: key } })).rejects.toMatchObject({ code: "SIP_TLS" });
  });

  it("refuses TLS 1.1", async () => {
    const { transport, url } = await bench({ tls: tls() });
    for (const name of ["localhost", "renewed"]) {
      transport.replaceTls(tls(name));
      const old = { maxVersion: "TLSv1.1", minVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" } as const;
      expect((await dial(url, old)).outcome).toMatch(/protocol version/);
    }
  });

  it("shows another certificate to those who come, and keeps who is there", async () => {
    const { transport, taken, url } = await bench({ tls: tls() });
    const { socket } = await dial(url, trusting("localhost"));
    transport.replaceTls(tls("renewed"));
    const { outcome } = await dial(url, trusting("renewed"));
    expect(outcome).toBe("open");
    const stale = await dial(url, trusting("localhost"));
    expect(stale.outcome).toMatch(/self-signed certificate/);
    socket.send("REGISTER sip:a SIP/2.0\r\n\r\n");
    await until(() => taken.length === 1);
  });

  it("keeps its certificate if another cannot be used, and is not troubled where it has none", async () => {
    const { transport, url } = await bench({ tls: tls() });
    const mixed = { ...tls(), key: tls("renewed").key };
    expect(() => transport.replaceTls(mixed)).toThrow(expect.objectContaining({ code: "SIP_TLS" }));
    expect((await dial(url, trusting("localhost"))).outcome).toBe("open");
    const plain = await bench();
    plain.transport.replaceTls(tls());
    expect((await dial(plain.url)).outcome).toBe("open");
  });
});

describe("WebSocket against hostile peers", () => {
  it.each([
    ["a foreign page", { origin: "https://evil.example" }, ["sip"], "403"],
    ["a page of another port", { origin: `${PAGE}:444` }, ["sip"], "403"],
    ["a page without a name", { origin: "null" }, ["sip"], "403"],
    ["our page", { origin: PAGE.toUpperCase().replace("HTTPS", "https") }, ["sip"], "open"],
    ["no page", { origin: undefined }, ["sip"], "open"],
    ["another sub-protocol", {}, ["xmpp"], "400"],
    ["no sub-protocol", {}, [], "400"],
    ["one of several sub-protocols", {}, ["msrp", "sip"], "open"],
  ])("answers %s as it should", async (_name, options, protocols, expected) => {
    const { transport, url } = await bench();
    const { outcome } = await dial(url, options as ClientOptions, protocols);
    expect(outcome).toBe(expected);
    expect(transport.counters.foreignOrigin).toBe(expected === "403" ? 1 : 0);
  });

  it("answers 404 elsewhere, and 426 to plain HTTP", async () => {
    const { local, url, transport } = await bench();
    expect((await dial(`${url}/x`)).outcome).toBe("404");
    const response = await fetch(`http://127.0.0.1:${local.port}/sip`);
    expect([response.status, transport.counters.noWebSocket]).toEqual([426, 2]);
  });

  it("closes at a message that is too large (RFC 6455 status 1009), and at no UTF-8", async () => {
    const { url, taken, transport } = await bench();
    const large = await dial(url);
    large.socket.send("x".repeat(70_000));
    expect(await gone(large.socket)).toBe(1009);
    const garbled = await dial(url);
    garbled.socket.send(Buffer.from([0xff]), { binary: false });
    expect(await gone(garbled.socket)).toBe(1007);
    expect([taken.length, transport.counters.broken]).toEqual([0, 2]);
  });

  it("ends a connection whose peer answers no ping, and keeps one that does", async () => {
    const { transport, url } = await bench({}, { ping: millis(400) });
    const [deaf, good] = [await dial(url, { autoPong: false }), await dial(url)];
    await gone(deaf.socket);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect([transport.counters.idle, good.socket.readyState]).toEqual([1, WebSocket.OPEN]);
  });

  it("ends a connection that says nothing, whatever it answers to pings, and keeps one that has said something", async () => {
    const { transport, url, taken } = await bench({}, { messageTime: millis(300), ping: millis(50) });
    const [silent, amid, good] = [await dial(url), await dial(url), await dial(url)];
    good.socket.send("REGISTER sip:a SIP/2.0\r\n\r\n");
    amid.socket.send("REGIS", { fin: false });
    await Promise.all([gone(silent.socket), gone(amid.socket)]);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect([transport.counters.slow, transport.counters.idle]).toEqual([2, 0]);
    expect([good.socket.readyState, taken.length, transport.connections]).toEqual([WebSocket.OPEN, 1, 1]);
  });

  it("ends a connection by which nobody registers, or nobody is registered any more", async () => {
    const { transport, url, taken } = await bench({}, { unregistered: millis(400) });
    const registered = new Set<FlowId | undefined>();
    transport.keepOnly((flow) => registered.has(flow));
    const [user, stranger] = [await dial(url), await dial(url)];
    user.socket.send("REGISTER sip:a SIP/2.0\r\n\r\n");
    await until(() => taken.length === 1);
    registered.add(taken[0]?.remote.flow);
    const chatter = setInterval(() => stranger.socket.send("OPTIONS sip:a SIP/2.0\r\n\r\n"), 50);
    await gone(stranger.socket);
    clearInterval(chatter);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect([transport.counters.unregistered, user.socket.readyState]).toEqual([1, WebSocket.OPEN]);
    registered.clear();
    await gone(user.socket);
    await until(() => transport.connections === 0);
    expect(transport.counters.unregistered).toBe(2);
  });

  it("gives up a peer that does not read", async () => {
    const { transport, local, taken, url } = await bench({}, { queueOctets: 100_000 });
    const { socket } = await dial(url);
    socket.send("hello");
    await until(() => taken.length === 1);
    socket.pause();
    const remote = taken[0]?.remote ?? expect.unreachable();
    const failed: Error[] = [];
    for (let count = 0; count < 500 && transport.counters.overflow === 0; count += 1) {
      transport.send(Buffer.alloc(60_000, 0x41), local, remote, (cause) => failed.push(cause));
      if (count % 10 === 9) await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => failed.length > 0);
    expect(transport.counters.overflow).toBe(1);
  });

  it("ends slow HTTP heads, and counts TCP connections that ask for nothing", async () => {
    const { local, transport } = await bench({}, { messageTime: millis(300), perSource: 3 });
    const sockets = Array.from({ length: 10 }, () => connect({ host: "127.0.0.1", port: local.port }));
    for (const socket of sockets) socket.on("error", () => undefined).on("connect", () => socket.write("GET /s"));
    await until(() => transport.counters.full === 7);
    expect(transport.connections).toBe(3);
    for (const socket of sockets) socket.destroy();
    await until(() => transport.connections === 0);
  });

  it("tells the sources behind a trusted proxy apart, by what it says itself", async () => {
    const { transport, url, taken } = await bench({ trustedProxies: ["127.0.0.1"] }, { perSource: 2 });
    const by = (forwarded: string) => dial(url, { headers: { "x-forwarded-for": forwarded } });
    const mine = ["203.0.113.1", "198.51.100.9, 203.0.113.1", "192.0.2.7, 203.0.113.1"];
    const outcomes: string[] = [];
    for (const forwarded of mine) outcomes.push((await by(forwarded)).outcome);
    expect(outcomes).toEqual(["open", "open", "429"]);
    const six = await by("2001:db8::1");
    six.socket.send("REGISTER sip:a SIP/2.0\r\n\r\n");
    await until(() => taken.length === 1);
    expect(taken[0]?.remote.address).toBe("2001:db8::1");
    expect((await by("2001:db8::2")).outcome).toBe("open");
    expect((await by("2001:db8::3")).outcome).toBe("429");
    await until(() => transport.connections === 4);
    expect(transport.counters).toMatchObject({ accepted: 6, full: 2, tooFast: 0 });
    // One that ends makes room for another of its source.
    six.socket.terminate();
    await until(() => transport.connections === 3);
    expect((await by("2001:db8::3")).outcome).toBe("open");
  });

  it("caps all connections of a trusted proxy together, and how fast each source behind it connects", async () => {
    const { transport, url } = await bench({ trustedProxies: ["127.0.0.1"] }, { connections: 4, perMinute: 2 });
    const by = (forwarded: string) => dial(url, { headers: { "x-forwarded-for": forwarded } });
    const outcomes: string[] = [];
    for (let count = 0; count < 3; count += 1) outcomes.push((await by("203.0.113.1")).outcome);
    expect(outcomes).toEqual(["open", "open", "429"]);
    await until(() => transport.connections === 2);
    for (const host of [2, 3, 4]) outcomes.push((await by(`203.0.113.${host}`)).outcome);
    expect(outcomes.slice(3)).toEqual(["open", "open", expect.stringMatching(/hang up|ECONNRESET/)]);
    expect(transport.counters).toMatchObject({ tooFast: 1, full: 1 });
  });

  it("believes nobody else's X-Forwarded-For", async () => {
    const { transport, taken, url } = await bench({}, { perSource: 1 });
    const headers = { "x-forwarded-for": "203.0.113.1" };
    const first = await dial(url, { headers });
    first.socket.send("REGISTER sip:a SIP/2.0\r\n\r\n");
    await until(() => taken.length === 1);
    expect(taken[0]?.remote.address).toBe("127.0.0.1");
    expect((await dial(url, { headers: { "x-forwarded-for": "203.0.113.2" } })).outcome).not.toBe("open");
    expect(transport.counters.full).toBe(1);
  });

  it("limits how fast one source connects", async () => {
    const { transport, url } = await bench({}, { perMinute: 3 });
    const outcomes: string[] = [];
    for (let count = 0; count < 5; count += 1) outcomes.push((await dial(url)).outcome);
    expect(outcomes.filter((one) => one === "open")).toHaveLength(3);
    expect(transport.counters.tooFast).toBe(2);
  });
});

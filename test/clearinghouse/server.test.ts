import { createConnection, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { ClearinghouseServer } from "../../src/clearinghouse/server.js";
import { openClearinghouseStore } from "../../src/clearinghouse/sqlite-store.js";
import { SYSTEM_CLOCK } from "../../src/model/clock.js";
import { SILENT_LOGGER } from "../../src/model/log.js";
import { bitsPerSecond, millis, type Timestamp } from "../../src/model/units.js";
import { OspClient } from "../../src/osp/client.js";
import type { AuthorisationResponse } from "../../src/osp/codec/messages.js";
import { loadSigner, type TokenSigner } from "../../src/osp/token/signer.js";
import { signToken, verifyToken } from "../../src/osp/token/token.js";
import { TRAFFIC } from "../osp/codec/golden.js";
import { CALL_ID, type KeyFiles, makeKey, NOW, SESSION, txid } from "../osp/support.js";
import { FakeClock } from "../support/fake-clock.js";
import { ask, authorise, http, message, RULES, type Running, report, start, statuses } from "./support.js";

let files: KeyFiles;
let signer: TokenSigner;
let running: Running;

beforeAll(async () => {
  files = await makeKey();
  signer = loadSigner(files);
});
afterAll(() => files.remove());
beforeEach(async () => {
  running = await start(signer);
});
afterEach(() => running.stop());

const tokenOf = (response: AuthorisationResponse): Buffer => {
  const token = response.destinations[0]?.token;
  if (token === undefined) throw new Error(`no token in ${JSON.stringify(response)}`);
  return token;
};
const code = (response: AuthorisationResponse): number => response.status.code;

describe("the originating side", () => {
  it("gets a token and the address of the next hop", async () => {
    const response = await authorise(running.port);
    expect(response).toMatchObject({ status: { code: 200 }, componentId: "1" });
    expect(response.destinations).toMatchObject([
      { callId: CALL_ID, signalAddress: "[198.51.100.7]:5060", limit: 3600, extensions: { session: SESSION } },
    ]);
    const verdict = verifyToken(tokenOf(response), [signer.certificate], {
      now: NOW,
      calling: "alice@a.example",
      called: "bob@b.example",
      callId: CALL_ID,
      audience: "b.example",
    });
    expect(tokenOf(response).toString("base64").length).toBeLessThanOrEqual(480);
    expect(verdict).toMatchObject({ valid: true, claims: { transactionId: response.transactionId } });
  });

  it("is answered in its own spelling", async () => {
    const { body } = await http(running.port, message(ask({ spelling: "z" })));
    expect(body.toString()).toContain("<AuthorizationResponse ");
  });

  it("is routed by domain, else by the longest prefix", async () => {
    const to = async (type: string, value: string) =>
      (await authorise(running.port, { destination: { type, value } })).destinations[0]?.signalAddress;
    expect(await to("sip", "sip:carol@OPEN.example:5080;user=phone")).toBe("sip.open.example:5060");
    expect(await to("e164", "4420456")).toBe("[2001:db8::4420]:5060");
    expect(await to("e164", "4930")).toBeUndefined();
  });

  it("is refused with the code that says why", async () => {
    const refusal = async (change: Parameters<typeof authorise>[1]) => code(await authorise(running.port, change));
    expect(await refusal({ deviceId: undefined })).toBe(401);
    expect(await refusal({ deviceId: "nobody" })).toBe(401);
    expect(await refusal({ deviceId: "far" })).toBe(401);
    expect(await refusal({ deviceId: "pol2" })).toBe(405);
    expect(await refusal({ destination: { type: "sip", value: "x@nowhere.example" } })).toBe(404);
    expect(await refusal({ destination: { type: "sip", value: "x@closed.example" } })).toBe(403);
    expect(await refusal({ source: { type: "sip", value: "white space" } })).toBe(428);
    expect(await refusal({ callId: Buffer.alloc(200, 65) })).toBe(400);
    expect(running.store.usage()).toEqual([]);
  });

  it("stays within its limits", async () => {
    await running.stop();
    const pol1 = {
      ...RULES.peers[0]!,
      originatesFor: ["a.example"],
      maxOpen: 2,
      maxBandwidth: bitsPerSecond(100_000),
      serviceClasses: ["assured"],
    };
    running = await start(signer, { rules: { ...RULES, peers: [pol1, ...RULES.peers.slice(1)] } });
    const refusal = async (change: Parameters<typeof authorise>[1]) => code(await authorise(running.port, change));
    expect(await refusal({ source: { type: "sip", value: "eve@e.example" } })).toBe(428);
    expect(await refusal({ extensions: { bandwidth: bitsPerSecond(100_001) } })).toBe(503);
    expect(await refusal({ extensions: { serviceClass: "gold" } })).toBe(403);
    const opened = await authorise(running.port, { callId: Buffer.from("1") });
    expect(await refusal({ callId: Buffer.from("2") })).toBe(200);
    expect(await refusal({ callId: Buffer.from("3") })).toBe(441);
    const usage = report({ transactionId: opened.transactionId!, callId: Buffer.from("1") });
    expect(await statuses(running.port, usage)).toEqual([200]);
    expect(await refusal({ callId: Buffer.from("4") })).toBe(200);
    expect(await refusal({ callId: Buffer.from("5") })).toBe(441);
    running.clock.time += 8_000_000;
    expect(await refusal({ callId: Buffer.from("8") })).toBe(200);
  });
});

it("holds a peer to its request rate, and gives it back with time", async () => {
  await running.stop();
  const pol1 = { ...RULES.peers[0]!, requestsPerSecond: 2 };
  running = await start(signer, { rules: { ...RULES, peers: [pol1, ...RULES.peers.slice(1)] } });
  const burst = async (count: number) =>
    Promise.all(
      Array.from({ length: count }, async (_, n) => code(await authorise(running.port, { componentId: `${n}` }))),
    );
  expect((await burst(6)).sort()).toEqual([200, 200, 200, 200, 441, 441]);
  running.clock.time += 500;
  expect((await burst(2)).sort()).toEqual([200, 441]);
  expect(running.server.peers()[0]).toMatchObject({ requests: 8, refused: 3 });
});

describe("the terminating side", () => {
  const terminating = (token: Buffer) => ({ deviceId: "pol2", componentId: "2", token });

  it("has the token it received checked and bound to the same transaction", async () => {
    const first = await authorise(running.port);
    const second = await authorise(running.port, terminating(tokenOf(first)));
    expect(second).toMatchObject({ status: { code: 200 }, transactionId: first.transactionId, destinations: [] });
    const again = await authorise(running.port, { ...terminating(tokenOf(first)), componentId: "3" });
    expect(code(again)).toBe(200);
  });

  it("is refused for a token that is not for this call, not ours, too old, or for another peer", async () => {
    const token = tokenOf(await authorise(running.port));
    const refusal = async (change: Parameters<typeof authorise>[1]) =>
      code(await authorise(running.port, { ...terminating(token), ...change }));
    expect(await refusal({ callId: Buffer.from("another") })).toBe(420);
    expect(await refusal({ source: { type: "sip", value: "mallory@a.example" } })).toBe(428);
    expect(await refusal({ destination: { type: "sip", value: "eve@b.example" } })).toBe(489);
    expect(await refusal({ token: Buffer.from("not a token") })).toBe(420);
    expect(await refusal({ deviceId: "pol1" })).toBe(403);
    expect(await refusal({ deviceId: "pol3" })).toBe(401);
    const forged = Buffer.from(token);
    forged.writeUInt8(forged.readUInt8(forged.length - 5) ^ 1, forged.length - 5);
    expect(await refusal({ token: forged })).toBe(421);
    running.clock.time += 361_000;
    expect(await refusal({})).toBe(530);
  });

  it("is refused a signed token of a transaction that never was", async () => {
    const times = { validAfter: NOW, validUntil: (NOW + 60_000) as Timestamp };
    const claims = { transactionId: txid("5"), calling: "alice@a.example", called: "bob@b.example", callId: CALL_ID };
    const token = signToken({ ...claims, ...times }, signer);
    expect(code(await authorise(running.port, terminating(token)))).toBe(401);
  });

  it("of an open destination is the first that shows the token, until it reports the end", async () => {
    const destination = { type: "sip", value: "bob@open.example" };
    const first = await authorise(running.port, { destination });
    const show = async (deviceId: string, componentId: string) =>
      code(await authorise(running.port, { deviceId, componentId, destination, token: tokenOf(first) }));
    expect(await show("pol3", "2")).toBe(200);
    expect(await show("pol2", "3")).toBe(401);
    const usage = report({ role: "destination", deviceId: "pol3", transactionId: first.transactionId! });
    expect(await statuses(running.port, usage)).toEqual([200]);
    expect(await show("pol3", "4")).toBe(401);
  });
});

describe("usage", () => {
  it("of both sides is stored as reported", async () => {
    const { transactionId, destinations } = await authorise(running.port);
    await authorise(running.port, { deviceId: "pol2", token: destinations[0]!.token });
    const times = { startTime: (NOW + 1000) as Timestamp, endTime: (NOW + 11_000) as Timestamp };
    const detail = { ...report().detail, ...times };
    const source = report({ transactionId: transactionId!, detail });
    const destination = report({ transactionId: transactionId!, detail, role: "destination", deviceId: "pol2" });
    expect(await statuses(running.port, source)).toEqual([200]);
    expect(await statuses(running.port, destination)).toEqual([200]);
    const record = {
      role: "source",
      transactionId,
      callId: "a1@192.0.2.1",
      session: SESSION,
      peer: "pol1",
      source: "alice@a.example",
      destination: "bob@b.example",
      start: NOW + 1000,
      end: NOW + 11_000,
      seconds: 10,
      traffic: TRAFFIC,
      terminationCause: { type: "sip", code: 200 },
      releaseSource: "source",
      receivedAt: NOW,
    };
    expect(running.server.usage()).toEqual([record, { ...record, role: "destination", peer: "pol2" }]);
    expect(running.server.usage({ session: SESSION, limit: 1 })).toMatchObject([{ role: "destination" }]);
    expect(running.server.usage({ transactionId: txid("5") })).toEqual([]);
  });

  it("is stored once, however often and in whatever message it comes", async () => {
    const { transactionId } = await authorise(running.port);
    const usage = report({ transactionId: transactionId! });
    const many = Array.from({ length: 10 }, () => statuses(running.port, usage));
    expect((await Promise.all(many)).flat()).toEqual(Array(10).fill(200));
    expect(await statuses(running.port, { ...usage, componentId: "other" }, usage)).toEqual([200, 200]);
    expect(running.server.usage()).toHaveLength(1);
    expect(await statuses(running.port, { ...usage, setupAttempt: 2 })).toEqual([200]);
    expect(running.server.usage()).toHaveLength(2);
  });

  it("is taken from the parties of the call only, each component on its own", async () => {
    const { transactionId } = await authorise(running.port);
    const good = report({ transactionId: transactionId! });
    expect(
      await statuses(
        running.port,
        report({ transactionId: txid("18446744073709551615") }),
        { ...good, callId: Buffer.from("x") },
        { ...good, role: "destination" },
        { ...good, role: "other" },
        good,
      ),
    ).toEqual([400, 400, 401, 400, 200]);
    expect(await statuses(running.port, { ...good, deviceId: "pol3" })).toEqual([401]);
    expect(await statuses(running.port, good, { ...good, deviceId: "pol3" })).toEqual([401, 401]);
    expect(running.server.usage()).toHaveLength(1);
  });
});

describe("a repeated request", () => {
  it("gets the same octets, and no second transaction", async () => {
    const body = message(ask());
    const first = await http(running.port, body);
    running.clock.time += 600_000;
    expect((await http(running.port, body)).body).toEqual(first.body);
    const together = await Promise.all(
      Array.from({ length: 20 }, () => http(running.port, message(ask({ componentId: "9" })))),
    );
    expect(new Set(together.map((answer) => answer.body.toString())).size).toBe(1);
  });

  it("among many at once changes nothing for the others", async () => {
    const calls = Array.from({ length: 60 }, (_, n) => ({ callId: Buffer.from(`call-${n % 40}`) }));
    const ids = (await Promise.all(calls.map((call) => authorise(running.port, call)))).map((r) => r.transactionId);
    expect(new Set(ids).size).toBe(40);
    expect(ids.slice(40)).toEqual(ids.slice(0, 20));
  });

  it("of another peer or with other octets is another request", async () => {
    const ids = [
      await authorise(running.port),
      await authorise(running.port, { componentId: "2" }),
      await authorise(running.port, { deviceId: "pol3" }),
    ];
    expect(new Set(ids.map(({ transactionId }) => transactionId)).size).toBe(3);
  });

  it("is forgotten after its retention", async () => {
    const first = await authorise(running.port);
    running.clock.advance(3_600_001);
    running.clock.advance(60_000);
    expect((await authorise(running.port)).transactionId).not.toBe(first.transactionId);
  });

  it("after a refusal is decided anew", async () => {
    const failing = { ...running.store, exchange: () => Promise.reject(new Error("disk full")) };
    const broken = await start(signer, { store: failing as never });
    expect(code(await authorise(broken.port))).toBe(500);
    await broken.server.close();
  });
});

/** Between client and server; drops the first answer after the server wrote it. */
async function lossyProxy(port: number): Promise<{ url: string; close: () => void; dropped: () => number }> {
  let drops = 0;
  const sockets: Socket[] = [];
  const proxy = createServer((near) => {
    const far = createConnection(port, "127.0.0.1");
    sockets.push(near, far);
    near.pipe(far);
    far.on("data", (chunk) => {
      if (drops > 0) near.write(chunk);
      else {
        drops += 1;
        near.destroy();
      }
    });
    for (const socket of [near, far]) socket.on("error", () => socket.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const address = proxy.address();
  const bound = typeof address === "object" && address !== null ? address.port : 0;
  const close = (): void => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
  };
  return { url: `http://127.0.0.1:${bound}/osp`, close, dropped: () => drops };
}

describe("client and server", () => {
  const clientOf = (url: string) =>
    new OspClient({
      url,
      clock: SYSTEM_CLOCK,
      log: SILENT_LOGGER,
      deviceId: "pol1",
      retries: 3,
      retryDelay: millis(5),
    });
  const question = { ...ask(), deviceId: "pol1" };

  it("agree on one transaction and one record although every first answer is lost", async () => {
    for (const lost of ["authorisation", "usage"]) {
      const proxy = await lossyProxy(running.port);
      const direct = clientOf(running.url);
      const through = clientOf(proxy.url);
      const callId = Buffer.from(lost);
      const { transactionId } = await (lost === "authorisation" ? through : direct).authorise({ ...question, callId });
      const body = direct.usageBody([{ ...report(), callId, transactionId: transactionId! }]);
      const confirmations = await (lost === "usage" ? through : direct).post(body);
      expect(confirmations).toMatchObject([{ status: { code: 200 } }]);
      expect(proxy.dropped()).toBe(1);
      expect(running.server.usage({ transactionId: transactionId! })).toHaveLength(1);
      direct.close();
      through.close();
      proxy.close();
    }
    expect(running.server.peers()[0]).toMatchObject({ id: "pol1", requests: 6, refused: 0, lastAddress: "127.0.0.1" });
  });

  it("keep their places when one source opens all the connections that it can", async () => {
    const sockets = Array.from({ length: 300 }, () => {
      const socket = createConnection({ host: "127.0.0.1", port: running.port, localAddress: "127.0.0.66" });
      return socket.on("error", () => undefined);
    });
    await vi.waitFor(() => expect(sockets.filter(({ closed }) => closed)).toHaveLength(300 - 64), { timeout: 5000 });
    expect((await authorise(running.port)).status.code).toBe(200);
    for (const socket of sockets) socket.destroy();
  });

  it("agree after the server died between commit and answer, and came back", async () => {
    const path = join(files.directory, "clearinghouse.db");
    const store = openClearinghouseStore(path);
    const commit = store.exchange.bind(store);
    const before = await start(signer, { store });
    const opened = await authorise(before.port);
    const committed = new Promise<void>((resolve) => {
      store.exchange = async (...call) => {
        await commit(...call);
        resolve();
        return new Promise<Buffer>(() => undefined);
      };
    });
    const client = clientOf(before.url);
    const body = client.usageBody([{ ...report(), transactionId: opened.transactionId! }]);
    const lost = client.post(body).catch((error: unknown) => error);
    await committed;
    const stopped = before.stop();
    before.clock.advance(2000);
    await stopped;
    expect(await lost).toMatchObject({ code: "OSP_UNREACHABLE" });
    client.close();

    const after = await start(signer, { store: openClearinghouseStore(path), clock: new FakeClock(NOW + 5000) });
    const again = clientOf(after.url);
    expect(await again.post(body)).toMatchObject([{ status: { code: 200 }, timestamp: NOW }]);
    expect(after.server.usage()).toHaveLength(1);
    const next = await again.authorise({ ...question, callId: Buffer.from("next") });
    expect(BigInt(next.transactionId!)).toBeGreaterThan(BigInt(opened.transactionId!));
    again.close();
    await after.stop();
  });

  it("tell the event log the same story", async () => {
    await running.stop();
    const events: string[] = [];
    const note = (who: string) => (direction: string, name: string, session: string | undefined) =>
      events.push(`${who} ${direction} ${name} ${session}`);
    running = await start(signer, { onMessage: note("ch") });
    const client = new OspClient({ url: running.url, clock: SYSTEM_CLOCK, log: SILENT_LOGGER, onMessage: note("pol") });
    await client.authorise(question);
    client.close();
    expect(events).toEqual([
      `pol sent AuthReq ${SESSION}`,
      `ch received AuthReq ${SESSION}`,
      `ch sent AuthRsp ${SESSION}`,
      `pol received AuthRsp ${SESSION}`,
    ]);
  });
});

describe("the HTTP route", () => {
  it("answers text/plain of stated length, with a header the toolkit can hold", async () => {
    const { status, headers, body } = await http(running.port, message(ask()));
    const fields = new Map(headers.map((name, index) => [name, headers[index + 1] ?? ""]));
    expect(status).toBe(200);
    expect(fields.get("Content-Type")).toBe("text/plain");
    expect(fields.get("Content-Length")).toBe(String(body.length));
    expect(headers.join("").length).toBeLessThan(1000);
  });

  it("refuses what is no OSP request at the level of HTTP", async () => {
    const status = async (body: string, options: Parameters<typeof http>[2]) =>
      (await http(running.port, body, options)).status;
    expect(await status("", { path: "/" })).toBe(404);
    expect(await status("", { method: "GET" })).toBe(405);
    expect(await status("x", { headers: { "Content-Encoding": "gzip" } })).toBe(415);
    expect(await status(" ".repeat(65_537), {})).toBe(413);
    expect(await status(" ".repeat(65_537), { headers: { "Transfer-Encoding": "chunked" } })).toBe(413);
  });

  it("gives up on a body that does not come", async () => {
    const socket = createConnection(running.port, "127.0.0.1");
    socket.write("POST /osp HTTP/1.1\r\nHost: ch\r\nContent-Length: 100\r\n\r\nhalf");
    const answer = new Promise<string>((resolve) => socket.on("data", (chunk) => resolve(chunk.toString())));
    // Two timers: housekeeping's, and then the body's.
    await expect.poll(() => running.clock.pending).toBe(2);
    running.clock.advance(5000);
    expect(await answer).toMatch(/^HTTP\/1\.1 408 /);
    socket.destroy();
  });

  it("answers what it cannot read with a Status, always", async () => {
    const good = message(ask()).toString();
    const answer = async (body: string) => {
      const { status, body: octets } = await http(running.port, body);
      expect(status).toBe(200);
      return octets.toString();
    };
    expect(await answer("")).toContain("<Code>411</Code>");
    expect(await answer(good.replace("?>", "?><!DOCTYPE m>"))).toContain("<Code>411</Code>");
    expect(await answer(good.replace("<Service/>", "<Surprise/>"))).toMatch(/messageId="7".*"1".*<Code>412</);
    expect(await answer(good.replace("alice@a.example", ""))).toMatch(
      /<AuthorisationResponse componentId="1">.*<Code>400</,
    );
    expect(await answer(message(report()).toString().replace("<Role>source", "<Role>none"))).toMatch(
      /<UsageConfirmation .*<Code>400</,
    );
    expect(await answer('<Message><CapabilitiesIndication componentId="5"/></Message>')).toMatch(
      /<CapabilitiesConfirmation componentId="5">.*<Code>501</,
    );
    expect(await answer('<Message><ReauthorizationRequest componentId="5"/></Message>')).toMatch(
      /<ReauthorizationResponse .*<Code>501</,
    );
    expect(
      await answer("<Message><UsageConfirmation><Status><Code>200</Code></Status></UsageConfirmation></Message>"),
    ).toContain("<Code>400</Code>");
  });
});

it("says what to do when its port is taken", async () => {
  const listen = { address: "127.0.0.1", port: running.port };
  const { store, clock } = running;
  const second = new ClearinghouseServer({ listen, rules: RULES, signer, log: SILENT_LOGGER, store, clock });
  await expect(second.listen()).rejects.toMatchObject({
    family: "system",
    code: "LISTEN_EADDRINUSE",
    remedy: expect.stringContaining("port"),
  });
});

it("refuses rules that contradict themselves", async () => {
  const broken = [
    { ...RULES, peers: [{ ...RULES.peers[0]!, addresses: ["10.0.0.1/8"] }] },
    { ...RULES, destinations: [{ domain: "b.example", signalAddress: "[::1", peer: "pol2" }] },
    { ...RULES, destinations: [{ domain: "b.example", signalAddress: "[::1]:5060", peer: "nobody" }] },
  ];
  for (const rules of broken)
    await expect(start(signer, { rules })).rejects.toMatchObject({ code: "CLEARINGHOUSE_RULES" });
});

/** Peers that do what they should not: each gets a clear error or loses its connection, and nobody else notices. */

import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { encodeMessage } from "../../../src/cops/codec/encode.js";
import type { CopsMessage } from "../../../src/cops/codec/message.js";
import {
  ADMISSION,
  CONFIGURATION,
  closeAll,
  drqOf,
  handleOf,
  OPN,
  pdp,
  pep,
  rawPeer,
  reqOf,
  rptOf,
  settled,
  until,
  watch,
} from "./support.js";

afterEach(closeAll);

const octets = (hex: string): Buffer => Buffer.from(hex.replace(/ /g, ""), "hex");

describe("a PDP", () => {
  it("takes messages an octet at a time, and several at once", async () => {
    const server = await pdp();
    const peer = await rawPeer(server.port);
    peer.socket.setNoDelay(true);
    for (const octet of encodeMessage(OPN)) {
      peer.socket.write(Buffer.from([octet]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const ka = encodeMessage({ op: "KA", clientType: 0 });
    peer.socket.write(Buffer.concat([ka, ka, encodeMessage(reqOf("a")), encodeMessage(reqOf("b"))]));
    await until(() => peer.received.length === 5);
    expect(peer.received.map(({ op }) => op)).toEqual(["CAT", "KA", "KA", "DEC", "DEC"]);
  });

  it.each([
    ["a length above the limit", "10 01 0002 00100004"],
    ["a length that is no multiple of four", "10 01 0002 0000000b"],
    ["a length below the header's", "10 01 0002 00000004"],
    ["another version", "20 01 0002 00000008"],
    ["something that is not COPS at all", Buffer.from("GET / HTTP/1.1\r\n\r\n").toString("hex")],
  ])("closes the connection at %s, before any of it is buffered", async (_, hex) => {
    const server = await pdp({}, { limits: { maxMessage: 65_536 } });
    const peer = await rawPeer(server.port);
    peer.send(OPN);
    peer.socket.write(octets(hex));
    await until(peer.ended);
    expect(peer.received.at(-1)).toMatchObject({ op: "CC", clientType: 0, error: { code: 3 } });
    expect(server.log).toEqual(["opened r1/2#0", "closed r1/2#0: framing lost"]);
  });

  it("answers an unreadable REQ on its handle, and ignores an unreadable report", async () => {
    const server = await pdp();
    const peer = await rawPeer(server.port);
    peer.send(OPN);
    peer.socket.write(octets("10 01 0002 00000014 0005010161000000 0004 2001"));
    peer.socket.write(octets("10 03 0002 00000010 0005010161000000"));
    peer.send(reqOf("a"));
    await until(() => peer.received.length === 3);
    expect(peer.received[1]).toMatchObject({ op: "DEC", solicited: true, error: { code: 13, subCode: 0x2001 } });
    expect(peer.received[2]).toMatchObject({ op: "DEC", decisions: [] });
    expect(server.log).toEqual(["opened r1/2#0", "request a"]);
  });

  it("answers unreadable requests in their handle's turn", async () => {
    let open = (): void => undefined;
    const server = await pdp({
      request: () =>
        new Promise((resolve) => {
          open = () => resolve({ decisions: [] });
        }),
    });
    const peer = await rawPeer(server.port);
    peer.send(OPN);
    peer.send(reqOf("a"));
    peer.socket.write(octets("10 01 0002 00000010 0005010161000000"));
    await until(() => server.log.length === 2);
    await settled();
    expect(peer.received).toHaveLength(1);
    open();
    await until(() => peer.received.length === 3);
    expect(peer.received.map((message) => (message.op === "DEC" ? message.error?.code : undefined))).toEqual([
      undefined,
      undefined,
      7,
    ]);
  });

  it("refuses what comes before the Client-Open, and reports and deletions of handles it never heard of", async () => {
    const server = await pdp();
    const peer = await rawPeer(server.port);
    peer.send(reqOf("a"));
    await until(() => peer.received.length === 1);
    expect(peer.received[0]).toMatchObject({ op: "CC", clientType: 2, error: { code: 6 } });
    peer.send(OPN);
    peer.send(rptOf("x"));
    peer.send(drqOf("y"));
    await until(() => server.log.length === 3);
    expect(server.log.slice(1)).toEqual(["report x success true", "deleted y 4"]);
    expect(peer.ended()).toBe(false);
  });

  it("sends a PEP away that asks on one handle without end", async () => {
    const server = await pdp({ request: () => new Promise(() => undefined) });
    const peer = await rawPeer(server.port);
    peer.send(OPN);
    for (let n = 0; n < 17; n += 1) peer.send(reqOf("a"));
    await until(() => server.log.length === 3);
    expect(server.log).toEqual(["opened r1/2#0", "request a", "closed r1/2#0: too many requests on one handle"]);
    await until(() => peer.received.length === 2);
    expect(peer.received[1]).toMatchObject({ op: "CC", clientType: 2, error: { code: 4 } });
  });

  it("decides so many requests at once, and says no to more", async () => {
    const server = await pdp({ request: () => new Promise(() => undefined) }, { limits: { maxRequests: 5 } });
    const peer = await rawPeer(server.port);
    peer.send(OPN);
    for (let n = 0; n < 8; n += 1) peer.send(reqOf(`h${n}`, ADMISSION));
    await until(() => peer.received.length === 4);
    expect(peer.received.slice(1)).toMatchObject(
      ["h5", "h6", "h7"].map((handle) => ({ op: "DEC", handle: handleOf(handle), error: { code: 4 } })),
    );
    expect(server.log).toHaveLength(6);
  });

  it("gives up a peer that does not read", async () => {
    const server = await pdp({}, { limits: { maxPending: 1_000_000 } });
    const peer = await rawPeer(server.port);
    peer.send(OPN);
    await until(() => server.peers.length === 1);
    peer.socket.pause();
    const decisions = [{ context: CONFIGURATION, command: 1, flags: 0, named: Buffer.alloc(60_000) }];
    for (let n = 0; n < 300 && server.log.length === 1; n += 1) {
      server.peers[0]!.decide(handleOf("a"), decisions).catch(() => undefined);
      if (n % 20 === 0) await settled();
    }
    await until(() => server.log.length === 2);
    expect(server.log[1]).toBe("closed r1/2#0: the peer does not read");
  });

  it("serves so many connections and no more", async () => {
    const server = await pdp({}, { limits: { maxConnections: 3 } });
    const inside = [await rawPeer(server.port), await rawPeer(server.port), await rawPeer(server.port)];
    const outside = await rawPeer(server.port);
    await until(outside.ended);
    inside[0]?.send(OPN);
    await until(() => server.log.length === 1);
    inside[0]?.socket.destroy();
    await until(() => server.log.length === 2);
    const next = await rawPeer(server.port);
    next.send({ ...OPN, pepId: "r2" } as typeof OPN);
    await until(() => server.log.length === 3);
  });

  it("lives through connections that break at any point", async () => {
    const server = await pdp();
    const stream = Buffer.concat([OPN, reqOf("a"), rptOf("a"), drqOf("a")].map(encodeMessage));
    for (let cut = 0; cut <= stream.length; cut += 5) {
      const peer = await rawPeer(server.port);
      peer.socket.write(stream.subarray(0, cut));
      if (cut % 2 === 0) peer.socket.resetAndDestroy();
      else peer.socket.end();
    }
    const { client } = pep(server.port, { pepId: "last" });
    await until(() => client.state === "open");
    await until(() => {
      const opened = server.log.filter((line) => line.startsWith("opened")).length;
      return server.log.filter((line) => line.startsWith("closed")).length === opened - 1;
    });
    expect(server.errors).toEqual([]);
  });

  it("has no use for messages that are meant for a PEP", async () => {
    const server = await pdp();
    const peer = await rawPeer(server.port);
    peer.send(OPN);
    peer.send({ op: "SSQ", clientType: 2 });
    peer.send({ op: "CAT", clientType: 2, keepAlive: 1 });
    peer.send({ op: "DEC", clientType: 2, handle: handleOf("a"), solicited: false, decisions: [] });
    peer.send(reqOf("a"));
    await until(() => peer.received.length === 2);
    expect(server.log).toEqual(["opened r1/2#0", "request a"]);
  });

  it("says that there is no security where it is asked for", async () => {
    const server = await pdp();
    for (const [cType, code] of [
      [1, 14],
      [2, 13],
    ] as const) {
      const peer = await rawPeer(server.port);
      const data = cType === 1 ? Buffer.alloc(20) : octets("0000 0001");
      peer.send({ ...OPN, clientType: 0, integrity: { cType, data } } as CopsMessage);
      await until(peer.ended);
      expect(peer.received).toMatchObject([{ op: "CC", clientType: 0, error: { code } }]);
    }
  });
});

describe("a PEP", () => {
  /** A PDP made of bare sockets. */
  async function bare(): Promise<{ port: number; next: () => Promise<ReturnType<typeof watch>> }> {
    const server = createServer();
    const waiting: Socket[] = [];
    server.on("connection", (socket) => waiting.push(socket));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const next = async () => {
      await until(() => waiting.length > 0);
      const socket = waiting.shift();
      if (socket === undefined) throw new Error("no connection");
      server.close();
      return watch(socket);
    };
    return { port: typeof address === "object" ? (address?.port ?? 0) : 0, next };
  }

  const CAT: CopsMessage = { op: "CAT", clientType: 2, keepAlive: 0 };
  const DEC = { op: "DEC", clientType: 2, handle: handleOf("a"), solicited: false, decisions: [] } as const;

  it("deletes a request whose decision it cannot read, and tells its role", async () => {
    const { port, next } = await bare();
    const { client, log } = pep(port);
    const peer = await next();
    peer.send(CAT);
    await until(() => client.state === "open");
    const asked = expect(client.request({ handle: handleOf("a"), context: CONFIGURATION })).rejects.toMatchObject({
      code: "COPS_DELETED",
    });
    peer.socket.write(octets("11 02 0002 00000014 0005010161000000 0004 2001"));
    await asked;
    await until(() => peer.received.length === 3);
    expect(peer.received[2]).toMatchObject({ op: "DRQ", reason: { code: 13, subCode: 0x2001 } });
    expect(log).toEqual(["up", "abandoned a"]);
    expect(client.state).toBe("open");
  });

  it("ignores decisions before it is accepted, of another client-type and of handles it did not open", async () => {
    const { port, next } = await bare();
    const { client, decisions } = pep(port);
    const peer = await next();
    peer.send(DEC);
    peer.send(CAT);
    peer.send({ ...DEC, clientType: 9 });
    peer.send(DEC);
    peer.send({ ...DEC, solicited: true });
    await until(() => client.state === "open");
    const asked = client.request({ handle: handleOf("a"), context: CONFIGURATION });
    peer.send({ ...DEC, solicited: true });
    await asked;
    expect(decisions).toEqual([]);
    peer.send(DEC);
    await until(() => decisions.length === 1);
  });

  it("does not mistake a second solicited decision for an answer", async () => {
    const { port, next } = await bare();
    const { client, decisions } = pep(port);
    const peer = await next();
    peer.send(CAT);
    await until(() => client.state === "open");
    const asked = client.request({ handle: handleOf("a"), context: CONFIGURATION });
    peer.send({ ...DEC, solicited: true });
    peer.send({ ...DEC, solicited: true, error: { code: 1, subCode: 0 } });
    expect((await asked).error).toBeUndefined();
    await settled();
    expect(decisions).toEqual([]);
  });

  it.each([
    ["garbage", "ffffffffffffffffffff", "framing lost", 0],
    ["an unreadable CAT", "10 07 0002 00000008", "unreadable", 2],
  ])("leaves a PDP that sends %s", async (_, hex, __, clientType) => {
    const { port, next } = await bare();
    const { client, log } = pep(port);
    const peer = await next();
    peer.socket.write(octets(hex));
    await until(peer.ended);
    expect(peer.received.at(-1)).toMatchObject({ op: "CC", clientType });
    expect([client.state === "open", log]).toEqual([false, []]);
  });
});

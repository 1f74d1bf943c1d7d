/** How connections begin, break, come again and end. */

import { once } from "node:events";
import { createServer } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import type { PdpPeer } from "../../../src/cops/endpoint/pdp-peer.js";
import { SystemError } from "../../../src/model/errors.js";
import { FakeClock } from "../../support/fake-clock.js";
import {
  CONFIGURATION,
  closeAll,
  handleOf,
  INSTALL,
  OPN,
  pdp,
  pep,
  rawPeer,
  settled,
  until,
  watch,
} from "./support.js";

afterEach(closeAll);

const H = handleOf("h1");

describe("keep-alive", () => {
  it("is sent by the PEP between a quarter and three quarters of the interval and echoed, which keeps both up", async () => {
    const clock = new FakeClock();
    const server = await pdp({ open: () => ({ accept: true, keepAlive: 40 }) }, { clock });
    const { client, log } = pep(server.port, { clock, random: () => 1 });
    await until(() => client.state === "open");
    for (let turn = 0; turn < 8; turn += 1) {
      const before = clock.scheduled;
      clock.advance(30_000);
      // The next KA, and both ends' wait for a sign of life.
      await until(() => clock.scheduled === before + 3);
    }
    expect(client.state).toBe("open");
    expect([log, server.log]).toEqual([["up"], ["opened r1/2#0"]]);
  });

  it("misses a PEP that is silent for a whole interval", async () => {
    const clock = new FakeClock();
    const server = await pdp({ open: () => ({ accept: true, keepAlive: 10 }) }, { clock });
    const peer = await rawPeer(server.port);
    peer.send(OPN);
    await until(() => server.peers.length === 1);
    clock.advance(9_999);
    peer.send({ op: "KA", clientType: 0 });
    await until(() => peer.received.some(({ op }) => op === "KA"));
    clock.advance(9_999);
    expect(server.log).toHaveLength(1);
    clock.advance(1);
    expect(server.log[1]).toBe("closed r1/2#0: keep-alive timeout");
    await until(peer.ended);
    expect(peer.received.at(-1)).toMatchObject({ op: "CC", clientType: 2, error: { code: 9 } });
  });

  it("misses a PDP that is silent for a whole interval", async () => {
    const clock = new FakeClock();
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const accepted = once(server, "connection");
    const { client, log } = pep(typeof address === "object" ? (address?.port ?? 0) : 0, { clock });
    const [socket] = await accepted;
    const peer = watch(socket);
    peer.send({ op: "CAT", clientType: 2, keepAlive: 10 });
    await until(() => client.state === "open");
    clock.advance(10_000);
    expect(log).toEqual(["up", "down: keep-alive timeout"]);
    await until(peer.ended);
    expect(peer.received.map(({ op }) => op)).toEqual(["OPN", "KA", "CC"]);
    server.close();
  });
});

describe("opening", () => {
  it("refused, is told why and tried again later", async () => {
    const server = await pdp({
      open: () => ({ accept: false, error: { code: 14, subCode: 0 } }),
    });
    const peer = await rawPeer(server.port);
    peer.send(OPN);
    await until(() => peer.received.length === 1);
    expect(peer.received[0]).toEqual({ op: "CC", clientType: 2, error: { code: 14, subCode: 0 } });
    expect(server.log).toEqual([]);
  });

  it("is refused for a client-type that is not served, and others of the connection go on", async () => {
    const server = await pdp();
    const peer = await rawPeer(server.port);
    peer.send({ ...OPN, clientType: 77 } as typeof OPN);
    peer.send(OPN);
    await until(() => peer.received.length === 2);
    expect(peer.received).toMatchObject([
      { op: "CC", clientType: 77, error: { code: 6 } },
      { op: "CAT", clientType: 2 },
    ]);
  });

  it("follows a redirection, and falls back to the list", async () => {
    const home = await pdp();
    let redirect = true;
    const front = await pdp({
      open: () =>
        redirect
          ? { accept: false, error: { code: 12, subCode: 0 }, redirect: { address: "127.0.0.1", port: home.port } }
          : { accept: true, keepAlive: 0 },
    });
    const { client } = pep(front.port);
    await until(() => client.state === "open");
    expect(home.log).toEqual(["opened r1/2#0"]);
    redirect = false;
    await home.server.close();
    await until(() => front.log.length === 1);
  });

  it("that does not come is not waited for", async () => {
    const clock = new FakeClock();
    const server = await pdp({}, { clock, limits: { openTimeout: 5000 as never } });
    const idle = await rawPeer(server.port);
    const half = await rawPeer(server.port);
    half.socket.write(Buffer.from("10060002", "hex"));
    await until(() => clock.pending === 2);
    clock.advance(5000);
    await until(() => idle.ended() && half.ended());
    expect(idle.received).toMatchObject([{ op: "CC", clientType: 0, error: { code: 9 } }]);
    expect(server.log).toEqual([]);
  });

  it("again on the same connection is accepted again, and refused closes it", async () => {
    let accept = true;
    const server = await pdp({
      open: () => (accept ? { accept, keepAlive: 0 } : { accept, error: { code: 8, subCode: 0 } }),
    });
    const peer = await rawPeer(server.port);
    peer.send(OPN);
    peer.send(OPN);
    await until(() => peer.received.length === 2);
    expect(server.log).toEqual(["opened r1/2#0"]);
    accept = false;
    peer.send(OPN);
    await until(() => peer.received.length === 3);
    expect(peer.received.map(({ op }) => op)).toEqual(["CAT", "CAT", "CC"]);
    expect(server.log[1]).toBe("closed r1/2#0: refused when opened again");
  });

  it("of two client-types gives two peers on one connection, closed each by itself", async () => {
    const server = await pdp();
    const peer = await rawPeer(server.port);
    peer.send(OPN);
    peer.send({ ...OPN, clientType: 0x5349 } as typeof OPN);
    peer.send({ op: "CC", clientType: 2, error: { code: 11, subCode: 0 } });
    await until(() => server.log.length === 3);
    expect(server.log).toEqual(["opened r1/2#0", "opened r1/21321#1", "closed r1/2#0: closed by the PEP, error 11"]);
    peer.socket.destroy();
    await until(() => server.log.length === 4);
    expect(server.log[3]).toMatch(/^closed r1\/21321#1/);
  });
});

describe("a broken connection", () => {
  it("is dialled again until the PDP is back, at the next address meanwhile", async () => {
    const first = await pdp();
    const second = await pdp();
    const { client, log } = pep(first.port, { ports: [second.port] });
    await until(() => client.state === "open");
    await first.server.close();
    expect(log.length).toBeLessThanOrEqual(2);
    await until(() => log.length === 3);
    expect(second.log).toEqual(["opened r1/2#0"]);
    expect(log).toEqual(["up", "down: closed by the PDP, error 11", "up"]);
    const again = await pdp({}, { port: first.port });
    await second.server.close();
    await until(() => log.length === 5);
    expect([again.log, client.state]).toEqual([["opened r1/2#0"], "open"]);
  });

  it("fails the decisions and requests that wait on it", async () => {
    const server = await pdp({ request: () => new Promise(() => undefined) });
    const { client } = pep(server.port);
    await until(() => client.state === "open");
    const asked = expect(client.request({ handle: H, context: CONFIGURATION })).rejects.toMatchObject({
      code: "COPS_DOWN",
    });
    const decided = expect(server.peers[0]!.decide(H, INSTALL)).rejects.toMatchObject({ code: "COPS_DOWN" });
    await server.server.close();
    await Promise.all([asked, decided]);
    await expect(server.peers[0]!.decide(H, INSTALL)).rejects.toMatchObject({ code: "COPS_DOWN" });
  });

  it("that nobody closed gives way to the new one of the same PEPID: closed once, before the new one is opened", async () => {
    const current: (PdpPeer | undefined)[] = [];
    let channel: PdpPeer | undefined;
    const server = await pdp({
      opened: (peer) => {
        channel = peer;
        current.push(channel);
      },
      // As the links of src/pdp do: only the peer that is current can be lost.
      closed: (peer) => {
        if (channel === peer) channel = undefined;
      },
    });
    const old = await rawPeer(server.port);
    old.send(OPN);
    await until(() => server.peers.length === 1);
    const lost = expect(server.peers[0]!.decide(H, INSTALL)).rejects.toMatchObject({ code: "COPS_DOWN" });
    const { client } = pep(server.port);
    await until(() => client.state === "open");
    await lost;
    expect(server.log).toEqual(["opened r1/2#0", "closed r1/2#0: the same PEP has connected again", "opened r1/2#1"]);
    expect(channel).toBe(server.peers[1]);
    await until(() => old.received.length === 3);
    expect(old.received[2]).toMatchObject({ op: "CC", clientType: 2, error: { code: 9 } });
    old.socket.destroy();
    await settled();
    expect(server.log).toHaveLength(3);
    expect(client.state).toBe("open");
  });

  it("of another PEP or another client-type is left alone", async () => {
    const server = await pdp();
    const peps = [pep(server.port), pep(server.port, { clientType: 0x5349 }), pep(server.port, { pepId: "r2" })];
    await until(() => peps.every(({ client }) => client.state === "open"));
    expect(server.log.filter((line) => line.startsWith("closed"))).toEqual([]);
  });
});

describe("ends", () => {
  it("leave no timer and no socket, and the PEP can start again", async () => {
    const clock = new FakeClock();
    const server = await pdp({ open: () => ({ accept: true, keepAlive: 30 }) }, { clock });
    const { client, log } = pep(server.port, { clock });
    await until(() => client.state === "open");
    await client.close();
    expect(client.state).toBe("closed");
    await until(() => server.log.length === 2);
    client.start();
    await until(() => server.log.length === 3);
    await server.server.close();
    await until(() => log.length === 4);
    await client.close();
    expect(clock.pending).toBe(0);
    expect(client.ends).toBeUndefined();
  });

  it("while still connecting, while waiting to retry, and twice", async () => {
    const clock = new FakeClock();
    const { client } = pep(9, { clock });
    await client.close();
    client.start();
    await until(() => clock.pending === 1);
    await client.close();
    await client.close();
    expect([client.state, clock.pending]).toEqual(["closed", 0]);
  });

  it("do not wait for a peer that does not read", async () => {
    const clock = new FakeClock();
    const server = await pdp({}, { clock });
    const peer = await rawPeer(server.port);
    peer.send(OPN);
    await until(() => server.peers.length === 1);
    peer.socket.pause();
    const named = Buffer.alloc(60_000);
    const decisions = Array.from({ length: 250 }, () => ({ context: CONFIGURATION, command: 1, flags: 0, named }));
    server.peers[0]!.decide(H, decisions).catch(() => undefined);
    await settled();
    let closed = false;
    const closing = server.server.close().then(() => {
      closed = true;
    });
    await settled();
    expect(closed).toBe(false);
    clock.advance(1000);
    await closing;
    expect(clock.pending).toBe(0);
  });

  it("say who is in the way when the port is taken, and which address is not ours", async () => {
    const server = await pdp();
    const taken = await pdp({}, { port: server.port }).catch((error: unknown) => error);
    expect(taken).toBeInstanceOf(SystemError);
    expect(taken).toMatchObject({ code: "COPS_ADDRESS_IN_USE", message: `127.0.0.1:${server.port} is in use` });
    expect((taken as SystemError).remedy).toMatch(/cops\.listen/);
  });
});

/** Real sockets on the loopback interface: the kernel's own, and Node's. */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it, vi } from "vitest";
import { SYSTEM_CLOCK } from "../../../src/model/clock.js";
import { parsePrefix } from "../../../src/model/ip.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { dscp, millis, seconds, timestamp } from "../../../src/model/units.js";
import { decodeReflectorPacket, encodeSenderPacket } from "../../../src/stamp/codec/packet.js";
import { openLibc } from "../../../src/stamp/endpoint/libc.js";
import { openSockets } from "../../../src/stamp/endpoint/open-sockets.js";
import { probeStamp } from "../../../src/stamp/endpoint/probe.js";
import {
  StampEndpoint,
  type StampEndpointOptions,
  type StampSession,
} from "../../../src/stamp/endpoint/stamp-endpoint.js";

const withoutKoffi = () =>
  openLibc(() => {
    throw new Error("no such package");
  });

const KINDS = [
  ["of the kernel", () => openSockets()],
  ["of Node", () => openSockets(withoutKoffi)],
] as const;

const open: (StampEndpoint | Socket)[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

async function freePort(): Promise<number> {
  const socket = createSocket("udp4").bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address() as AddressInfo;
  socket.close();
  return port;
}

async function endpoint(change: Partial<StampEndpointOptions> = {}): Promise<StampEndpoint> {
  const opened = await StampEndpoint.open({
    addresses: ["127.0.0.1"],
    port: await freePort(),
    reflector: { maxSessions: 100, rate: 1000, idle: seconds(60) },
    timeout: millis(600),
    clockKind: "synchronised",
    clock: SYSTEM_CLOCK,
    log: SILENT_LOGGER,
    ...change,
  });
  open.push(opened);
  return opened;
}

const session = (port: number, change: Partial<StampSession> = {}): StampSession => ({
  id: 7,
  remote: "127.0.0.1",
  port,
  dscp: dscp(46),
  interval: millis(20),
  priority: 0,
  ...change,
});

const request = (sequence = 0, length = 44): Buffer => {
  const estimate = { synchronised: true, format: "ntp", error: millis(1) } as const;
  const packet = encodeSenderPacket({ sequence, timestamp: timestamp(Date.now()), estimate, session: 9 });
  return Buffer.concat([packet, Buffer.alloc(length - packet.length, 0x80)]);
};

/** A foreign sender, and what comes back to it. */
async function foreigner() {
  const socket = createSocket("udp4").bind(0, "127.0.0.1");
  open.push(socket);
  await once(socket, "listening");
  const answers: { octets: Buffer; port: number }[] = [];
  socket.on("message", (octets, { port }) => answers.push({ octets, port }));
  return { socket, answers };
}

const wait = (time: number) => new Promise((resolve) => setTimeout(resolve, time));

describe.each(KINDS)("measurements with sockets %s", (_, sockets) => {
  it("find what the path gives", async () => {
    const port = await freePort();
    const far = await endpoint({ addresses: ["127.0.0.2", "::1"], port, opened: sockets() });
    const near = await endpoint({ addresses: ["127.0.0.1", "::1"], opened: sockets() });
    near.setSessions([session(port, { remote: "127.0.0.2" }), session(port, { id: 8, remote: "::1" })]);
    await wait(1600);
    const found = near.collect();
    for (const id of [7, 8]) {
      const { sent, out, in: back, clocks } = found.get(id)!;
      expect(sent).toBeGreaterThan(10);
      expect({ out: out.lost, in: back.lost, clocks }).toEqual({ out: 0, in: 0, clocks: "synchronised" });
      expect(out.latency).toBeLessThan(400);
      expect(back.latency).toBeLessThan(400);
    }
    expect(far.reflected).toBe(2);
    expect(near.counters.get("unsent")).toBe(0);
  });

  it("end with the sessions that are not wanted any more, and go on with those that are", async () => {
    const far = await endpoint({ addresses: ["127.0.0.2"], port: await freePort(), opened: sockets() });
    const near = await endpoint({ opened: sockets() });
    const port = await freePort();
    near.setSessions([session(port, { id: 1, interval: millis(10) }), session(port, { id: 2, interval: millis(10) })]);
    await wait(100);
    near.setSessions([session(port, { id: 2, interval: millis(10) })]);
    expect([...near.collect().keys()]).toEqual([2]);
    await wait(1400);
    // Nobody answers there: all of one session is lost.
    const { sent, out } = near.collect().get(2)!;
    expect(sent).toBeGreaterThan(5);
    expect(out.lost).toBe(sent);
    near.setSessions([]);
    await wait(50);
    const before = near.counters.get("sent");
    await wait(100);
    expect(near.counters.get("sent")).toBe(before);
    expect(far.reflected).toBe(0);
  });

  it("are answered from the reflector's port, with as many octets, once", async () => {
    const port = await freePort();
    await endpoint({ port, opened: sockets() });
    const { socket, answers } = await foreigner();
    for (const [sequence, length] of [44, 100, 44].entries()) socket.send(request(sequence, length), port, "127.0.0.1");
    await vi.waitFor(() => expect(answers).toHaveLength(3));
    expect(answers.map(({ octets, port: from }) => [octets.length, from])).toEqual([
      [44, port],
      [100, port],
      [44, port],
    ]);
    const packets = answers.map(({ octets }) => decodeReflectorPacket(octets));
    expect(packets.map(({ sequence, session: id, sender }) => [sequence, id, sender.sequence])).toEqual([
      [0, 9, 0],
      [1, 9, 1],
      [2, 9, 2],
    ]);
    for (const { timestamp: answered, received } of packets) expect(answered).toBeGreaterThanOrEqual(received);
    expect(answers[1]!.octets.subarray(44)).toEqual(Buffer.alloc(56, 0x80));
  });

  it("are not answered where they should not be, and counted", async () => {
    const port = await freePort();
    const rules = { maxSessions: 100, rate: 3, idle: seconds(60) };
    const far = await endpoint({ port, reflector: rules, opened: sockets() });
    const { socket, answers } = await foreigner();
    socket.send(request().subarray(0, 43), port, "127.0.0.1");
    const useless = request();
    useless.writeUInt8(0, 13);
    socket.send(useless, port, "127.0.0.1");
    for (let sequence = 0; sequence < 10; sequence++) socket.send(request(sequence), port, "127.0.0.1");
    await vi.waitFor(() => expect(far.counters.get("dropped.rate")).toBeGreaterThan(5));
    expect(far.counters.get("dropped.unreadable")).toBe(2);
    expect(answers.length).toBeLessThan(5);
    const strict = await freePort();
    const other = await endpoint({ port: strict, allow: [parsePrefix("10.0.0.0/8")!], opened: sockets() });
    socket.send(request(), strict, "127.0.0.1");
    await vi.waitFor(() => expect(other.counters.get("dropped.source")).toBe(1));
    expect(other.counters.get("reflected")).toBe(0);
  });

  it("believe nobody but the reflector", async () => {
    const port = await freePort();
    await endpoint({ addresses: ["127.0.0.2"], port, opened: sockets() });
    const { socket } = await foreigner();
    const near = await endpoint({ opened: sockets() });
    const asked: [Buffer, number][] = [];
    socket.on("message", (octets, from) => asked.push([octets, from.port]));
    near.setSessions([session((socket.address() as AddressInfo).port)]);
    await vi.waitFor(() => expect(asked.length).toBeGreaterThan(0));
    const [packet, own] = asked[0]!;
    socket.send(Buffer.alloc(10), own, "127.0.0.1");
    socket.send(packet, own, "127.0.0.1");
    const liar = createSocket("udp4").bind(0, "127.0.0.1");
    open.push(liar);
    await once(liar, "listening");
    liar.send(packet, own, "127.0.0.1");
    await vi.waitFor(() => expect(near.counters.get("reply.foreign")).toBe(2));
    expect(near.counters.get("reply.unreadable")).toBe(1);
  });

  it("cannot begin where the port is taken", async () => {
    const port = await freePort();
    await endpoint({ port, opened: sockets() });
    await expect(endpoint({ port, opened: sockets() })).rejects.toMatchObject({ code: "STAMP_SOCKET" });
  });
});

describe("sockets of the kernel", () => {
  it("say what to do about an address that cannot be had", async () => {
    const port = await freePort();
    await endpoint({ port });
    await expect(endpoint({ port })).rejects.toMatchObject({ remedy: expect.stringContaining("another `stamp.port`") });
    await expect(endpoint({ addresses: ["192.0.2.77"] })).rejects.toMatchObject({
      message: expect.stringMatching(/^cannot use 192\.0\.2\.77:\d+: EADDRNOTAVAIL$/),
      remedy: expect.stringContaining("stamp.addresses"),
    });
  });

  it("tell the TTL, the code point and the time of arrival", async () => {
    const { sockets } = openSockets();
    for (const address of ["127.0.0.1", "::1"]) {
      const receiver = await sockets.open(address, 0);
      const sender = await sockets.open(address, 0);
      for (const code of [46, 10, 0]) {
        const before = sockets.now();
        const packet = { octets: Buffer.from([code]), address, port: receiver.port, dscp: dscp(code), priority: 0 };
        expect(sender.send(packet)).toBe(true);
        const [arrived, ...others] = receiver.receive(10);
        expect(others).toEqual([]);
        expect(arrived).toMatchObject({ address, port: sender.port, dscp: code, ttl: 255, octets: packet.octets });
        expect(arrived!.at).toBeGreaterThanOrEqual(before - 0.001);
        expect(arrived!.at).toBeLessThanOrEqual(sockets.now());
      }
      sender.close();
      receiver.close();
      receiver.close();
      expect(receiver.receive(10)).toEqual([]);
    }
  });

  it("cut nothing silently: what is longer than a test packet may be is dropped", async () => {
    const { sockets } = openSockets();
    const receiver = await sockets.open("127.0.0.1", 0);
    const { socket } = await foreigner();
    for (const length of [3000, 60]) {
      await new Promise((resolve) => socket.send(Buffer.alloc(length, 1), receiver.port, "127.0.0.1", resolve));
    }
    expect(receiver.receive(10).map(({ octets }) => octets.length)).toEqual([60]);
    receiver.close();
  });
});

describe("the doctor's look at measurements", () => {
  it("finds a free port, and one that is taken", async () => {
    const port = await freePort();
    await endpoint({ port });
    const { method, reflectors, clock } = await probeStamp(["127.0.0.1", "127.0.0.2"], port, "synchronised");
    expect(method.times).toBe("kernel");
    expect(reflectors).toEqual([
      { place: `127.0.0.1:${port}`, works: false, evidence: expect.stringContaining("EADDRINUSE") },
      { place: `127.0.0.2:${port}`, works: true, evidence: "" },
    ]);
    expect(clock).toMatchObject({ synchronised: true, format: "ntp" });
  });

  it("says why there are no sockets of the kernel", () => {
    const { method } = openSockets(withoutKoffi).sockets;
    expect(method).toEqual({
      times: "process",
      classes: false,
      lacking: "no sockets with the kernel's times: koffi cannot be loaded",
    });
  });
});

import { closeSync, constants, openSync, readSync } from "node:fs";
import { createRequire } from "node:module";
import { setTimeout as wait } from "node:timers/promises";
import { execa } from "execa";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type FlowMaps, type LoadedProgram, loadFlowProgram } from "../../../src/kernel/ebpf/bpf-program.js";
import { attachEgress, detachEgress, queryEgress } from "../../../src/kernel/ebpf/tcx.js";
import { addFlow, closeMaps, countsOf, makeMaps, writeSettings } from "../ebpf/flow-maps.js";
import { internetChecksum, packetOf, TCP } from "../ebpf/packets.js";
import { inOwnNamespace, run } from "./namespace.js";
import { A, B, buildPath, countAt, flood, received, send } from "./path.js";

const PORT = 20_000;
const EF = 46;
const PATIENCE = { timeout: 10_000, interval: 20 };
const ETHERTYPES = { 4: 0x0800, 6: 0x86dd } as const;

/** Prints a line when it listens, and how much came with which digest. */
const RECEIVER = `
const [address, port] = process.argv.slice(1);
const hash = require("node:crypto").createHash("sha256");
let octets = 0;
const server = require("node:net").createServer((socket) => {
  socket.on("data", (data) => { octets += data.length; hash.update(data); });
  socket.on("end", () => { console.log(octets + " " + hash.digest("hex")); socket.end(); server.close(); });
});
server.listen(Number(port), address, () => console.log("listens"));
`;
/** Prints the digest of what it sent. */
const SENDER = `
const [address, port, octets] = process.argv.slice(1);
const { createHash, randomBytes } = require("node:crypto");
const data = randomBytes(Number(octets));
const socket = require("node:net").connect(Number(port), address, () => socket.end(data));
socket.on("close", () => console.log(createHash("sha256").update(data).digest("hex")));
socket.resume();
`;

interface Libc {
  load(path: null): {
    func(name: string, result: string, parameters: readonly string[]): (...args: unknown[]) => number;
  };
}

/** An Ethernet frame of any length, past the network layer (packet(7)): it meets the egress programs. */
function sendRaw(ifindex: number, ethertype: number, frame: Uint8Array): void {
  const libc = (createRequire(import.meta.url)("koffi") as Libc).load(null);
  const open = libc.func("socket", "int", ["int", "int", "int"]);
  const sendTo = libc.func("sendto", "long", ["int", "void *", "size_t", "int", "void *", "uint32_t"]);
  const [family, raw] = [17, 3];
  const address = Buffer.alloc(20);
  address.writeUInt16LE(family, 0);
  address.writeUInt16BE(ethertype, 2);
  address.writeUInt32LE(ifindex, 4);
  const socket = open(family, raw, 0);
  const sent = sendTo(socket, frame, frame.length, 0, address, address.length);
  closeSync(socket);
  if (sent !== frame.length) throw new Error(`${frame.length} octets were not sent: ${sent}`);
}

/** The other end of a device without a link header (Linux, Documentation/networking/tuntap.rst). */
function openTun(name: string): number {
  const control = (createRequire(import.meta.url)("koffi") as Libc)
    .load(null)
    .func("ioctl", "int", ["int", "ulong", "void *"]);
  const [setInterface, tunWithoutHeader] = [0x400454ca, 0x1001];
  const end = openSync("/dev/net/tun", constants.O_RDWR | constants.O_NONBLOCK);
  const request = Buffer.alloc(40);
  request.write(name, 0, "latin1");
  request.writeUInt16LE(tunWithoutHeader, 16);
  if (control(end, setInterface, request) !== 0) throw new Error(`no device ${name}`);
  return end;
}

/** All that wait there. */
function packetsAt(end: number): readonly Buffer[] {
  const packets: Buffer[] = [];
  for (;;) {
    const packet = Buffer.alloc(2000);
    try {
      packets.push(packet.subarray(0, readSync(end, packet)));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EAGAIN") return packets;
      throw error;
    }
  }
}

const indexOf = async (name: string): Promise<number> =>
  Number.parseInt(await run("ip", "-oneline", "link", "show", name), 10);

inOwnNamespace(import.meta.url, () => {
  let maps: FlowMaps;
  let device: number;
  beforeAll(async () => {
    await buildPath();
    await countAt([PORT, 40_000], [0, EF]);
    device = await indexOf("to-b");
  });
  beforeEach(() => {
    maps = makeMaps();
    writeSettings(maps);
  });
  afterEach(() => closeMaps(maps));
  const load = (linkHeader: 0 | 14 = 14): LoadedProgram => loadFlowProgram(maps, { linkHeader, name: "sluice_test" });

  /** What b has more than before. */
  const gained = async (work: () => Promise<void>, isThere: (counts: Record<string, number>) => boolean) => {
    const before = await received();
    const since = async (): Promise<Record<string, number>> => {
      const now = await received();
      const differences = Object.entries(now).map(([label, count]) => [label, count - (before[label] ?? 0)] as const);
      return Object.fromEntries(differences.filter(([, count]) => count > 0));
    };
    await work();
    await expect.poll(async () => isThere(await since()), PATIENCE).toBe(true);
    return since();
  };

  describe("a forwarded path", () => {
    let program: LoadedProgram;
    beforeEach(() => {
      program = load();
      attachEgress(device, program);
    });
    afterEach(() => {
      for (const id of queryEgress(device).programIds) if (id === program.id) detachEgress(device, program);
      program.close();
    });

    it.each(["v4", "v6"] as const)("has its session marked, policed and counted, %s", async (family) => {
      const [size, fits] = [200, 15];
      const key = addFlow(maps, {
        source: [A[family], 30_000],
        destination: [B[family], PORT],
        rate: 10,
        depth: fits * size,
      });
      const burst = {
        from: { address: A[family], port: 30_000 },
        to: { address: B[family], port: PORT },
        packets: 40,
        size,
      };
      const other = { ...burst, from: { ...burst.from, port: 30_001 }, packets: 5 };
      const counts = await gained(
        () => send("a", [burst, other]),
        (found) => found[`${PORT}/0`] === 5 && found[`${PORT}/${EF}`] === fits,
      );
      expect(counts).toEqual({ [`${PORT}/0`]: 5, [`${PORT}/${EF}`]: fits });
      expect(countsOf(maps, key)).toEqual({ in: [fits, fits * size], out: [25, 25 * size] });
    });

    it("keeps its marks while the program is replaced, again and again", async () => {
      const key = addFlow(maps, { source: [A.v4, 0], destination: [B.v4, PORT], rate: 10_000_000 });
      const replacements = 200;
      const counts = await gained(
        async () => {
          const stop = flood(PORT, 5000);
          await expect.poll(() => countsOf(maps, key).in[0], PATIENCE).toBeGreaterThan(100);
          for (let turn = 0; turn < replacements; turn += 1) {
            const next = load();
            attachEgress(device, next, program);
            program.close();
            program = next;
            expect(queryEgress(device).programIds).toEqual([next.id]);
            await wait(5);
          }
          await stop();
        },
        (found) => found[`${PORT}/${EF}`] === countsOf(maps, key).in[0],
      );
      expect(Object.keys(counts)).toEqual([`${PORT}/${EF}`]);
      expect(counts[`${PORT}/${EF}`]).toBeGreaterThan(2000);
    });

    it("passes headers on that are cut off, as it found them", async () => {
      addFlow(maps, { source: ["10.1.0.2", 20_000], destination: ["10.3.0.2", 16_384] });
      addFlow(maps, { source: ["2001:db8:1::2", 20_000], destination: ["2001:db8:3::2", 16_384] });
      const table =
        "table netdev cut { chain in { type filter hook ingress device eth0 priority 0; ether type { ip, ip6 } counter; }; }";
      await run("ip", "netns", "exec", "b", "nft", table);
      let sent = 0;
      for (const family of [4, 6] as const) {
        const packet = packetOf({ family });
        for (let length = 14; length < (family === 4 ? 38 : 58); length += 1) {
          sendRaw(device, ETHERTYPES[family], packet.subarray(0, length));
          sent += 1;
        }
      }
      const counted = async (): Promise<string> =>
        run("ip", "netns", "exec", "b", "nft", "list", "table", "netdev", "cut");
      await expect.poll(counted, PATIENCE).toContain(`counter packets ${sent} `);
      for await (const { count, values } of maps.flows4.batches())
        expect([count, Buffer.from(values).toString("hex", 32, 64)]).toEqual([1, "00".repeat(32)]);
      for await (const { count, values } of maps.flows6.batches())
        expect([count, Buffer.from(values).toString("hex", 32, 64)]).toEqual([1, "00".repeat(32)]);
    });

    it.each(["v4", "v6"] as const)("carries TCP in long segments, whole, %s", async (family) => {
      const own = family === "v4" ? "198.51.100.1" : "2001:db8:2::1";
      // The router's own connection: packets are shared with its retransmission queue.
      const key = addFlow(maps, {
        protocol: TCP,
        source: [own, 0],
        destination: [B[family], 7000],
        rate: 1_000_000_000,
        depth: 1_000_000_000,
      });
      const octets = 20_000_000;
      const receiver = execa("ip", ["netns", "exec", "b", process.execPath, "-e", RECEIVER, B[family], "7000"]);
      await new Promise((resolve) => receiver.stdout.once("data", resolve));
      const digest = await run(process.execPath, "-e", SENDER, B[family], "7000", `${octets}`);
      expect((await receiver).stdout.split("\n").at(-1)).toBe(`${octets} ${digest}`);
      const { in: inProfile, out } = countsOf(maps, key);
      expect(out).toEqual([0, 0]);
      expect(inProfile[1]).toBeGreaterThan(octets);
      // Counted as on the wire: no packet with more than the device takes.
      expect(inProfile[1] / inProfile[0]).toBeLessThanOrEqual(1500);
    });
  });

  it("has packets of a device without a link header marked", async () => {
    const name = "tun0";
    const end = openTun(name);
    for (const line of [
      `addr add 10.9.0.1/30 dev ${name}`,
      `addr add 2001:db8:9::1/64 dev ${name} nodad`,
      `link set ${name} up`,
    ]) {
      await run("ip", ...line.split(" "));
    }
    const program = load(0);
    attachEgress(await indexOf(name), program);
    const ends = [
      ["10.9.0.1", "10.9.0.2"],
      ["2001:db8:9::1", "2001:db8:9::2"],
    ] as const;
    const keys = ends.map(([from, to]) => addFlow(maps, { source: [from, 30_000], destination: [to, 40_000] }));
    const bursts = ends.map(([from, to]) => ({
      from: { address: from, port: 30_000 },
      to: { address: to, port: 40_000 },
      packets: 10,
      size: 300,
    }));
    await send(undefined, bursts);
    for (const key of keys) expect(countsOf(maps, key)).toEqual({ in: [10, 3000], out: [0, 0] });
    const seen = packetsAt(end).filter((packet) => packet.length === 300);
    const typeOf = (packet: Buffer): number => (packet[0] === 0x45 ? packet[1]! : (packet.readUInt16BE(0) >> 4) & 255);
    expect(seen.map(typeOf)).toEqual(Array.from({ length: 20 }, () => EF << 2));
    for (const packet of seen.slice(0, 10)) expect(internetChecksum(packet.subarray(0, 20))).toBe(0);
    program.close();
    closeSync(end);
  });
});

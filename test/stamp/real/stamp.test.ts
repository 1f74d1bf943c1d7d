/**
 * Paths measured between two edges over the real kernel, with HTB trees on both sides: what a full queue does to a pool's
 * class and to best effort, loss in each direction, and how exact it is beside what tcpdump sees.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { SYSTEM_CLOCK } from "../../../src/model/clock.js";
import type { IpAddress } from "../../../src/model/ip.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { dscp, millis, seconds } from "../../../src/model/units.js";
import { decodeSenderPacket } from "../../../src/stamp/codec/packet.js";
import { openSockets } from "../../../src/stamp/endpoint/open-sockets.js";
import { StampEndpoint, type StampSession } from "../../../src/stamp/endpoint/stamp-endpoint.js";
import type { PathFinding } from "../../../src/stamp/machine/session-sender.js";
import { percentile } from "../../../src/stamp/machine/times.js";
import { inOwnNamespace, run } from "../../kernel/real/namespace.js";
import { buildEdges, FAR, farSockets, LINK_RATE, NEAR, POOL_CLASS, packetsOf } from "./two-edges.js";

const PORT = 862;
const POOL = 1;
const BEST_EFFORT = 2;

const wait = (time: number) => new Promise((resolve) => setTimeout(resolve, time));

inOwnNamespace(import.meta.url, () => {
  let near: StampEndpoint;
  let far: StampEndpoint;

  const open = (addresses: readonly IpAddress[], opened: ReturnType<typeof openSockets>) =>
    StampEndpoint.open({
      addresses,
      port: PORT,
      reflector: { maxSessions: 100, rate: 2000, idle: seconds(60) },
      timeout: millis(500),
      clockKind: "synchronised",
      clock: SYSTEM_CLOCK,
      log: SILENT_LOGGER,
      opened,
    });

  beforeAll(async () => {
    await buildEdges();
    near = await open(Object.values(NEAR), openSockets());
    far = await open(Object.values(FAR), farSockets());
  });
  afterAll(() => {
    near.close();
    far.close();
  });
  afterEach(async () => {
    near.setSessions([]);
    far.setSessions([]);
    await run("nft", "flush", "ruleset");
    await run("ip", "netns", "exec", "far", "nft", "flush", "ruleset");
  });

  const session = (id: number, remote: IpAddress, change: Partial<StampSession> = {}): StampSession => {
    const place = id === POOL ? { dscp: dscp(46), priority: POOL_CLASS } : { dscp: dscp(0), priority: 0 };
    return { id, remote, port: PORT, interval: millis(20), ...place, ...change };
  };

  /** What was found in the time, of packets that were sent in it. */
  async function measure(time: number, ...sessions: StampSession[]): Promise<ReadonlyMap<number, PathFinding>> {
    near.setSessions(sessions);
    await wait(time);
    return near.collect();
  }

  describe("the path between two edges", () => {
    it.each(["v4", "v6"] as const)("is measured, in the pool's class on both sides: %s", async (version) => {
      far.setSessions([session(POOL, NEAR[version])]);
      const before = await Promise.all([packetsOf("near", "11"), packetsOf("far", "11")]);
      const found = (await measure(2000, session(POOL, FAR[version]))).get(POOL)!;
      expect(near.method).toEqual({ times: "kernel", classes: true });
      expect(found.clocks).toBe("synchronised");
      expect(found.sent).toBeGreaterThan(30);
      for (const way of [found.out, found.in]) {
        expect(way.lost).toBe(0);
        expect(way.latency).toBeGreaterThan(0);
        expect(way.latency).toBeLessThan(20);
        expect(way.jitter).toBeLessThan(20);
      }
      // Each side's class has its own packets, and its answers to those of the other.
      const after = await Promise.all([packetsOf("near", "11"), packetsOf("far", "11")]);
      for (const [index, packets] of after.entries()) {
        expect(packets - before[index]!).toBeGreaterThan(2 * found.sent);
      }
    });

    it("is as long as tcpdump has it", async () => {
      const directory = mkdtempSync(join(tmpdir(), "sluice-stamp-test-"));
      const file = join(directory, "far.pcap");
      const capture = execa(
        "ip",
        [
          "netns",
          "exec",
          "far",
          "tcpdump",
          "-i",
          "to-near",
          "-Z",
          "root",
          "-U",
          "-w",
          file,
          "--time-stamp-precision=nano",
          `udp dst port ${PORT}`,
        ],
        { reject: false },
      );
      await new Promise<void>((resolve) => {
        capture.stderr?.on("data", (text: Buffer) => (text.includes("listening") ? resolve() : undefined));
      });
      const found = (await measure(3000, session(POOL, FAR.v4))).get(POOL)!;
      near.setSessions([]);
      await wait(300);
      capture.kill("SIGINT");
      await capture;
      const delays = captured(readFileSync(file)).map(({ at, payload }) => at - decodeSenderPacket(payload).timestamp);
      rmSync(directory, { recursive: true });
      expect(delays.length).toBeGreaterThanOrEqual(found.sent);
      expect(Math.abs(found.out.latency! - percentile(delays, 0.95)!)).toBeLessThan(0.2);
    });

    it("waits behind a full queue in best effort, and not in the pool's class", async () => {
      far.setSessions([session(POOL, NEAR.v4)]);
      const flood = execa("/usr/bin/python3", ["-c", FLOOD, FAR.v4, String(3 * LINK_RATE * 1e6), "6"], {
        reject: false,
      });
      await wait(1000);
      const found = await measure(4000, session(POOL, FAR.v4), session(BEST_EFFORT, FAR.v4));
      flood.kill("SIGKILL");
      await flood;
      const [pool, other] = [found.get(POOL)!, found.get(BEST_EFFORT)!];
      expect(pool.out.lost).toBe(0);
      // A frame of best effort may be on the wire: 1.2 ms at 10 Mbit/s, and the burst of the class.
      expect(pool.out.latency).toBeLessThan(15);
      expect(other.out.latency).toBeGreaterThan(100);
      expect(other.out.latency).toBeLessThan(400);
      // More than the link carries: part of it is lost, and nothing on the way back, which is empty.
      expect(other.out.lost / other.sent).toBeGreaterThan(0.05);
      expect(other.in.lost).toBe(0);
      expect(other.in.latency).toBeLessThan(15);
    });

    it("tells loss on the way out from loss on the way back", async () => {
      const drop = (hook: string, port: string, which: string) =>
        `table inet lossy-${hook} { chain c { type filter hook ${hook} priority 0; udp ${port} ${PORT} numgen inc mod ${which} drop; }; }`;
      const load = (text: string) => run("ip", "netns", "exec", "far", "nft", text);
      await load(drop("input", "dport", "10 == 3"));
      await load(drop("output", "sport", "5 == 2"));
      const { sent, out, in: back } = (await measure(4000, session(POOL, FAR.v4))).get(POOL)!;
      expect(out.lost / sent).toBeCloseTo(0.1, 1);
      expect(back.lost / (sent - out.lost)).toBeCloseTo(0.2, 1);
      expect(Math.abs(out.lost - sent / 10)).toBeLessThanOrEqual(3);
      expect(Math.abs(back.lost - (sent - out.lost) / 5)).toBeLessThanOrEqual(4);
    });

    it("says that nothing comes back while nobody reflects", async () => {
      const {
        sent,
        out,
        in: back,
        clocks,
      } = (await measure(2000, session(POOL, FAR.v4, { port: PORT + 1 }))).get(POOL)!;
      expect(sent).toBeGreaterThan(10);
      expect({ out, back, clocks }).toEqual({ out: { lost: sent }, back: { lost: 0 }, clocks: "unknown" });
    });
  });
});

/** UDP packets of 1200 octets to an address, as so many bits in a second, for so long. */
const FLOOD = `
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
# SO_SNDBUFFORCE: the device's queue is to be full, not the socket's.
s.setsockopt(socket.SOL_SOCKET, 32, 1 << 23)
gap = 1228 * 8 / float(sys.argv[2])
end = time.monotonic() + float(sys.argv[3])
due = time.monotonic()
while due < end:
    try:
        s.sendto(b"x" * 1200, (sys.argv[1], 9))
    except OSError:
        pass
    due += gap
    left = due - time.monotonic()
    if left > 0.002:
        time.sleep(left)
`;

interface Captured {
  /** Epoch ms. */
  readonly at: number;
  readonly payload: Buffer;
}

/** UDP payloads of a capture from an Ethernet device, IPv4, in nanoseconds. */
function captured(file: Buffer): readonly Captured[] {
  expect(file.readUInt32LE(0)).toBe(0xa1b23c4d);
  const packets: Captured[] = [];
  let offset = 24;
  while (offset + 16 <= file.length) {
    const length = file.readUInt32LE(offset + 8);
    const at = file.readUInt32LE(offset) * 1000 + file.readUInt32LE(offset + 4) / 1e6;
    packets.push({ at, payload: file.subarray(offset + 16 + 14 + 20 + 8, offset + 16 + length) });
    offset += 16 + length;
  }
  return packets;
}

import { execa } from "execa";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { createCommands, TunnelNames } from "../../../src/kernel/link/tunnel.js";
import { type LinuxKernel, openLinuxKernel } from "../../../src/kernel/linux.js";
import type { DesiredState, FlowRule, Tunnel } from "../../../src/kernel/port.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { dscp, kilobitsPerSecond, octets } from "../../../src/model/units.js";
import { reconcile } from "../contract.js";
import { desired, flow, link, pool, remark } from "../fixtures.js";
import { inOwnNamespace, run } from "./namespace.js";
import { A, B, type Burst, buildPath, send } from "./path.js";

const TABLE = "sluice_test";
const names = new TunnelNames(TABLE);
const PATIENCE = { timeout: 15_000, interval: 20 };
const SIZE = 200;
const PACKETS = 30;
const MANY = 150_000;
/** The bits of a tunnel are among it, and are its to change; all others are somebody else's. */
const FOREIGN_MARK = 0x0100_beef;

/** From the router to a second address of b: what ends at the far end itself would not go through the tunnel. */
const tunnel = (id: number): Tunnel => ({
  id,
  name: `to b, number ${id}`,
  kind: "vxlan",
  local: "198.51.100.1",
  remote: "198.51.100.2",
  sourcePort: 50_000 + 10 * id,
  destinationPort: 4789,
  mtu: octets(1400),
});
const tunnelsOf = (...ids: readonly number[]): DesiredState["tunnels"] => new Map(ids.map((id) => [id, tunnel(id)]));

const media = (port: number, family: "v4" | "v6" = "v4"): FlowRule["key"] => ({
  protocol: "udp",
  source: { address: A[family], port: 5000 },
  destination: { address: B[family], port },
});
const anySource = (key: FlowRule["key"]): FlowRule["key"] => ({ ...key, source: { ...key.source, port: undefined } });
const burst = (port: number, family: "v4" | "v6" = "v4", packets = PACKETS): Burst => ({
  from: { address: A[family], port: 5000 },
  to: { address: B[family], port },
  packets,
  size: SIZE,
});

const inB = (...command: readonly string[]): Promise<string> => run("ip", "netns", "exec", "b", ...command);

/** The far end, made by the same commands. */
async function endTunnelInB(id: number): Promise<void> {
  const one = tunnel(id);
  const commands = createCommands(names, { ...one, local: one.remote, remote: one.local });
  for (const family of [4, 6] as const) {
    const args = ["-n", "b", ...(family === 6 ? ["-6"] : []), "-batch", "-"];
    await execa("ip", args, { input: commands[family].join("\n") });
  }
  await inB("sh", "-c", `echo 0 > /proc/sys/net/ipv4/conf/${names.device(id)}/rp_filter`);
}

/** What b gets: `tunnel 1 6001/46`, `plain 6001/46`, `outer 1/46`; only packets of the size that was sent. */
async function countInB(ids: readonly number[], ports: readonly number[], codes: readonly number[]): Promise<void> {
  const ways = [["plain", "eth0"], ...ids.map((id) => [`tunnel ${id}`, names.device(id)])];
  const inner = ways.flatMap(([way, device]) =>
    ports.flatMap((port) =>
      codes.flatMap((code) =>
        ["ip", "ip6"].map(
          (ip) =>
            `iifname "${device}" udp dport ${port} meta length ${SIZE} ${ip} dscp ${code} counter comment "${way} ${port}/${code}"`,
        ),
      ),
    ),
  );
  // Those without a code point are the device's own: router solicitations and the like.
  const outer = ids.flatMap((id) =>
    codes
      .filter((code) => code > 0)
      .map(
        (code) =>
          `iifname "eth0" ip saddr 198.51.100.1 udp sport ${tunnel(id).sourcePort} udp dport 4789 ip dscp ${code} counter comment "outer ${id}/${code}"`,
      ),
  );
  const rules = [...inner, ...outer].join("; ");
  await inB("nft", `table inet receiver { chain in { type filter hook prerouting priority 0; ${rules}; }; }`);
}

const counted = (text: string): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const [, packets, label = ""] of text.matchAll(/counter packets (\d+) bytes \d+ comment "([^"]+)"/g)) {
    if (packets !== "0") counts[label] = (counts[label] ?? 0) + Number(packets);
  }
  return counts;
};
const received = async (): Promise<Record<string, number>> =>
  counted(await inB("nft", "list", "table", "inet", "receiver"));

/** Devices, rules, routes and tables as others see them; link-local addresses come when the kernel likes. */
const everything = async (): Promise<string> =>
  [
    await run("ip", "-br", "link"),
    await run("ip", "rule"),
    await run("ip", "-6", "rule"),
    await run("ip", "route", "show", "table", "all"),
    await run("nft", "--terse", "list", "ruleset"),
  ]
    .join("\n")
    .replaceAll(/^.*\bfe80::.*\n/gm, "")
    .replaceAll(/counter packets \d+ bytes \d+/g, "counter");

inOwnNamespace(import.meta.url, () => {
  const open = (): Promise<LinuxKernel> => openLinuxKernel({ table: TABLE, log: SILENT_LOGGER });

  describe("packets into tunnels", () => {
    let kernel: LinuxKernel;
    let before: string;
    const steered = [
      flow(1, { key: media(6001), dscp: dscp(46), tunnel: 1 }),
      flow(2, { key: media(6002, "v6"), dscp: dscp(34), pool: 2, tunnel: 1 }),
      flow(3, { key: anySource(media(6003)), dscp: dscp(46), tunnel: 2 }),
      flow(4, { key: anySource(media(6004, "v6")), dscp: dscp(46), tunnel: 2 }),
      // Policed by packets.
      flow(5, { key: media(6005), dscp: dscp(34), pool: 2, tunnel: 1, packetSize: octets(SIZE), burst: octets(8000) }),
      flow(6, { key: media(6006), dscp: dscp(46) }),
    ].map((rule) => (rule.packetSize === undefined ? { ...rule, rate: kilobitsPerSecond(800) } : rule));
    const wanted = (flows: readonly FlowRule[], ...ids: readonly number[]): DesiredState =>
      desired(flows, {
        interfaces: [link("to-b", 1_000_000)],
        pools: [pool(1, 2000), pool(2, 1000)],
        tunnels: tunnelsOf(...ids),
      });
    const plain = ({ tunnel: _, ...rule }: FlowRule): FlowRule => rule;
    const classOf = async (id: number): Promise<number> =>
      (await kernel.read()).classes.find((entry) => entry.pool === id)?.sent.packets ?? -1;
    /** What came since, when all of it has come. */
    const arrives = async (bursts: readonly Burst[], expected: Record<string, number>): Promise<void> => {
      const start = await received();
      await send("a", bursts);
      await vi.waitFor(async () => {
        const now = await received();
        const since = Object.entries(now).map(([label, packets]) => [label, packets - (start[label] ?? 0)] as const);
        expect(Object.fromEntries(since.filter(([, packets]) => packets !== 0))).toEqual(expected);
      }, PATIENCE);
    };

    beforeAll(async () => {
      await buildPath();
      await run("ip", "-n", "b", "addr", "add", "198.51.100.2/24", "dev", "eth0");
      await run("ip", "neigh", "add", "198.51.100.2", "lladdr", "02:00:00:00:00:0b", "dev", "to-b", "nud", "permanent");
      await inB("sh", "-c", "echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter");
      await endTunnelInB(1);
      await endTunnelInB(2);
      await countInB([1, 2], [6001, 6002, 6003, 6004, 6005, 6006, 6009], [0, 34, 36, 46]);
      // What belongs to others: a mark on every packet, a rule that is not about it, a VXLAN.
      await run(
        "nft",
        `table inet other {
          chain pre { type filter hook prerouting priority raw; iifname "to-a" meta mark set ${FOREIGN_MARK}; }
          chain post { type filter hook postrouting priority 0;
            oifname "${names.device(1)}" meta mark ${FOREIGN_MARK | 0x0001_0000} counter comment "marked 1"
            oifname "${names.device(2)}" meta mark ${FOREIGN_MARK | 0x0002_0000} counter comment "marked 2"
            oifname "to-b" udp dport 6000-6009 meta mark ${FOREIGN_MARK} counter comment "plain"
          }
        }`,
      );
      await run("ip", "rule", "add", "fwmark", "0x1/0xff", "lookup", "100", "pref", "6000");
      const vxlan = "link add vx9 type vxlan id 9 remote 198.51.100.9 dstport 8472 dev to-b";
      await run("ip", ...vxlan.split(" "));
      before = await everything();
      kernel = await open();
    });
    beforeEach(() => reconcile(kernel, wanted(steered, 1, 2)));
    afterAll(async () => {
      await kernel.cleanup();
      await kernel.close();
      expect(await everything()).toBe(before);
    });

    it("carries sessions of both families to the other end as they were, marked inside and outside, and counts them", async () => {
      const classes = [await classOf(1), await classOf(2)];
      await arrives([burst(6001), burst(6002, "v6"), burst(6003), burst(6004, "v6"), burst(6005), burst(6006)], {
        "tunnel 1 6001/46": PACKETS,
        "tunnel 1 6002/34": PACKETS,
        "tunnel 2 6003/46": PACKETS,
        "tunnel 2 6004/46": PACKETS,
        "tunnel 1 6005/34": PACKETS,
        "plain 6006/46": PACKETS,
        "outer 1/46": PACKETS,
        "outer 1/34": 2 * PACKETS,
        "outer 2/46": 2 * PACKETS,
      });
      const counters = await kernel.counters(steered);
      for (const { id } of steered) {
        expect(counters.get(id)?.inProfile).toEqual({ packets: PACKETS, octets: PACKETS * SIZE });
      }
      expect(await kernel.counters()).toEqual(counters);
      // The class is that of the session, though what leaves is an outer packet of the router's own.
      expect([await classOf(1), await classOf(2)]).toEqual([classes[0]! + 4 * PACKETS, classes[1]! + 2 * PACKETS]);
    });

    it("keeps out what is no session, at the same port and elsewhere, and leaves every other bit of the mark", async () => {
      const marks = async () => counted(await run("nft", "list", "table", "inet", "other"));
      const start = await marks();
      const stranger = { ...burst(6001), from: { address: A.v4, port: 5001 } };
      await arrives([burst(6001), burst(6003), stranger, burst(6009), burst(6009, "v6")], {
        "tunnel 1 6001/46": PACKETS,
        "outer 1/46": PACKETS,
        "tunnel 2 6003/46": PACKETS,
        "outer 2/46": PACKETS,
        "plain 6001/0": PACKETS,
        "plain 6009/0": 2 * PACKETS,
      });
      const now = await marks();
      const since = (label: string): number => (now[label] ?? 0) - (start[label] ?? 0);
      expect(["marked 1", "marked 2", "plain"].map(since)).toEqual([PACKETS, PACKETS, 3 * PACKETS]);
    });

    it("polices: what is out of profile is dropped before the tunnel, or marked otherwise inside and outside", async () => {
      // 8000 octets a second and 1000: 45 packets of 200 octets.
      const slow = { rate: kilobitsPerSecond(64), burst: octets(1000) };
      const dropped = flow(1, { key: media(6001), dscp: dscp(46), tunnel: 1, ...slow });
      const remarked = flow(2, {
        key: media(6002, "v6"),
        dscp: dscp(34),
        tunnel: 1,
        ...slow,
        outOfProfile: remark(36),
      });
      await reconcile(kernel, wanted([dropped, remarked], 1, 2));
      const start = await received();
      await send("a", [burst(6001, "v4", 100), burst(6002, "v6", 100)]);
      await vi.waitFor(async () => {
        const now = await received();
        const since = (label: string): number => (now[label] ?? 0) - (start[label] ?? 0);
        const found = await kernel.counters();
        const [first, second] = [found.get(1)!, found.get(2)!];
        for (const each of [first, second]) {
          expect(each.inProfile.packets + each.outOfProfile.packets).toBe(100);
          expect(each.outOfProfile.packets).toBeGreaterThan(20);
        }
        expect(since("tunnel 1 6001/46")).toBe(first.inProfile.packets);
        expect(since("tunnel 1 6002/34")).toBe(second.inProfile.packets);
        expect(since("tunnel 1 6002/36")).toBe(second.outOfProfile.packets);
        expect(since("outer 1/36")).toBe(second.outOfProfile.packets);
      }, PATIENCE);
    });

    it("lets them take the plain route when their tunnel goes, and looks nothing up when none is left", async () => {
      await reconcile(kernel, wanted([...steered.slice(0, 2).map(plain), ...steered.slice(2, 4)], 2));
      await arrives([burst(6001), burst(6002, "v6"), burst(6003)], {
        "plain 6001/46": PACKETS,
        "plain 6002/34": PACKETS,
        "tunnel 2 6003/46": PACKETS,
        "outer 2/46": PACKETS,
      });
      expect(await run("nft", "list", "table", "inet", TABLE)).toContain("hook prerouting");
      await reconcile(kernel, wanted(steered.map(plain)));
      await arrives([burst(6001), burst(6003), burst(6004, "v6")], {
        "plain 6001/46": PACKETS,
        "plain 6003/46": PACKETS,
        "plain 6004/46": PACKETS,
      });
      const table = await run("nft", "list", "table", "inet", TABLE);
      expect(table).not.toMatch(/hook prerouting|chain (?:steer|tunnel_)|meta mark/);
      expect(await run("ip", "rule")).toContain("fwmark 0x1/0xff lookup 100");
    });

    it("loses none while tunnels come, change and go under it", async () => {
      const fast = { key: media(6001), dscp: dscp(46), rate: kilobitsPerSecond(500_000) };
      const within = flow(1, { ...fast, tunnel: 1 });
      const renamed = { ...tunnel(1), name: "made again" };
      const states = [
        wanted([flow(1, fast)], 2),
        wanted([flow(1, fast)]),
        wanted([within], 1),
        wanted([within], 1, 2),
        { ...wanted([within]), tunnels: new Map([[1, renamed]]) },
      ];
      await reconcile(kernel, wanted([within], 1, 2));
      const start = await received();
      const sending = send("a", [burst(6001, "v4", MANY)]);
      let rounds = 0;
      const until = sending.then(() => true);
      while (!(await Promise.race([until, false]))) {
        for (const state of states) await reconcile(kernel, state);
        rounds += 1;
      }
      await vi.waitFor(async () => {
        const now = await received();
        const since = (label: string): number => (now[label] ?? 0) - (start[label] ?? 0);
        const ways = [since("tunnel 1 6001/46"), since("plain 6001/46")];
        expect(Math.min(...ways)).toBeGreaterThan(0);
        // A look into a map while the kernel puts a new element in an old one's place may find neither, tunnel or not.
        const unmarked = since("plain 6001/0") + since("tunnel 1 6001/0");
        expect(ways[0]! + ways[1]! + unmarked).toBe(MANY);
        expect(unmarked).toBeLessThanOrEqual(2 * rounds);
      }, PATIENCE);
      expect(rounds).toBeGreaterThan(0);
    });

    it("loses no packet to a tunnel that somebody took away, and is mended with the next reading", async () => {
      const ways: readonly (() => Promise<unknown>)[] = [
        () => run("ip", "link", "del", names.device(1)),
        () => run("ip", "link", "set", names.device(1), "down"),
        () => run("ip", "rule", "del", "pref", "5301"),
      ];
      for (const damage of ways) {
        await damage();
        await arrives([burst(6001)], { "plain 6001/46": PACKETS });
        await reconcile(kernel, wanted(steered, 1, 2));
        await arrives([burst(6001)], { "tunnel 1 6001/46": PACKETS, "outer 1/46": PACKETS });
      }
    });

    it("reads all of it back after a restart, and brings back what somebody took out of the maps", async () => {
      const state = wanted(steered, 1, 2);
      await kernel.close();
      kernel = await open();
      const observed = await kernel.read();
      expect(kernel.plan(state, observed)).toEqual([]);
      expect([...observed.flows.values()].map(({ rule }) => [rule.id, rule.tunnel]).sort()).toEqual(
        steered.map(({ id, tunnel: in_ }) => [id, in_]),
      );
      await run("nft", "flush", "map", "inet", TABLE, "steer4");
      await arrives([burst(6001)], { "plain 6001/46": PACKETS });
      const changes = kernel.plan(state, await kernel.read());
      expect(changes.map(({ kind }) => kind)).toEqual(["flow.remove", "flow.remove", "flow.add", "flow.add"]);
      await kernel.apply(state, changes);
      await run("nft", "flush", "set", "inet", TABLE, "ports_steer");
      expect((await kernel.read()).structure).toBe(false);
      await reconcile(kernel, state);
      await arrives([burst(6001)], { "tunnel 1 6001/46": PACKETS, "outer 1/46": PACKETS });
    });

    it("knows a session by the address that its packets are translated to, as the forward hook does", async () => {
      await run(
        "nft",
        `table ip nat { chain pre { type nat hook prerouting priority dstnat; ip daddr 192.0.2.99 dnat to ${B.v4}; }; }`,
      );
      try {
        const translated = { ...burst(6001), to: { address: "192.0.2.99", port: 6001 } };
        await run("ip", "-n", "a", "route", "add", "192.0.2.99/32", "via", "192.0.2.1");
        await arrives([translated], { "tunnel 1 6001/46": PACKETS, "outer 1/46": PACKETS });
      } finally {
        await run("nft", "delete", "table", "ip", "nat");
      }
    });
  });
});

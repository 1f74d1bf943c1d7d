/** What the iptables back end does to packets, and does not do to the rules of others; for either kind of iptables. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { openIptablesKernel } from "../../../src/kernel/iptables/open.js";
import type { LinuxKernel } from "../../../src/kernel/linux.js";
import type { DesiredState, FlowRule, ObservedClass } from "../../../src/kernel/port.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { dscp, kilobitsPerSecond, octets } from "../../../src/model/units.js";
import { reconcile } from "../contract.js";
import { desired, flow, link, pool, remark } from "../fixtures.js";
import { run } from "./namespace.js";
import { A, B, type Burst, buildPath, countAt, received, send } from "./path.js";

const PACKETS = 100;
const MANY = 20_000;
const PATIENCE = { timeout: 15_000, interval: 10 };
const SIZE = 200;
/** 8000 octets/s and a sixteenth, in chunks of 16: 532 a second, of which a packet of 200 octets takes 13. */
const POLICED = { rate: kilobitsPerSecond(64), burst: octets(1000) };
const BUCKET = 40;
/** The fixture's 10 000 octets/s: 665 chunks. */
const WIDE_BUCKET = 51;
/** 8000 octets/s counted in packets of 200: 10 in the bucket, and 40 a second. */
const TIGHT = { ...POLICED, burst: octets(2000), packetSize: octets(SIZE) };
const TIGHT_BUCKET = 10;

const media = (port: number, family: "v4" | "v6" = "v4", sourcePort: number | "any" = 5000): FlowRule["key"] => ({
  protocol: "udp",
  source: { address: A[family], port: sourcePort === "any" ? undefined : sourcePort },
  destination: { address: B[family], port },
});

const burst = (port: number, family: "v4" | "v6" = "v4", sourcePort = 5000): Burst => ({
  from: { address: A[family], port: sourcePort },
  to: { address: B[family], port },
  packets: PACKETS,
  size: SIZE,
});

/** Rules of somebody else before and after where ours go, and one that sees the mark that others set. */
const FOREIGN = [
  ["PREROUTING", "-j", "MARK", "--set-xmark", "0x2a/0xff"],
  ["FORWARD", "-p", "tcp", "-m", "tcp", "--dport", "9", "-m", "comment", "--comment", "not ours", "-j", "DROP"],
  ["POSTROUTING", "-m", "mark", "--mark", "0x2a/0xffffffff", "-m", "comment", "--comment", "mark as it was"],
];
const TOOLS = ["iptables", "ip6tables"] as const;

async function foreignRules(): Promise<void> {
  for (const tool of TOOLS) {
    await run(tool, "-t", "mangle", "-N", "theirs");
    await run(tool, "-t", "mangle", "-A", "FORWARD", "-j", "theirs");
    for (const [chain = "", ...rule] of FOREIGN) await run(tool, "-t", "mangle", "-A", chain, ...rule);
  }
  await run("ipset", "create", "theirs", "hash:ip");
  await run("ipset", "add", "theirs", "203.0.113.1");
}

/** Without dates and counters, which are not rules. */
const saved = async (): Promise<string> =>
  (await Promise.all([...TOOLS.map((tool) => run(`${tool}-save`)), run("ipset", "save")]))
    .join("\n")
    .split("\n")
    .filter((line) => !line.startsWith("#"))
    .map((line) => line.replace(/\[\d+:\d+\]/, ""))
    .join("\n");

export function describeIptables(name: string, version: RegExp): void {
  describe(`packets through the router, ${name}`, () => {
    let kernel: LinuxKernel;
    let before: string;
    const flows = [
      flow(1, { key: media(6001), dscp: dscp(46), ...POLICED, outOfProfile: { action: "drop" } }),
      flow(2, { key: media(6002), dscp: dscp(34), pool: 2, ...POLICED, outOfProfile: remark(36) }),
      flow(3, { key: media(6003, "v6"), dscp: dscp(46), ...POLICED, outOfProfile: remark(0) }),
      flow(4, { key: media(6004, "v6", "any"), dscp: dscp(46), outOfProfile: { action: "drop" } }),
      flow(5, { key: media(6005, "v4", "any"), dscp: dscp(63), outOfProfile: { action: "drop" } }),
      flow(6, { key: media(6006), dscp: dscp(46), ...TIGHT, outOfProfile: { action: "drop" } }),
    ];
    const wanted: DesiredState = desired(flows, {
      interfaces: [link("to-b", 1_000_000)],
      pools: [pool(1, 2000), pool(2, 1000)],
      signalling: [{ protocol: "udp", port: 5060, servers: [B.v4, B.v6] }],
    });
    const open = () => openIptablesKernel({ table: "sluice_test", log: SILENT_LOGGER, maxFlows: 4096 });
    const classOf = async (kind: ObservedClass["kind"], id?: number): Promise<number> =>
      (await kernel.read()).classes.find((entry) => entry.kind === kind && entry.pool === id)?.sent.packets ?? -1;

    beforeAll(async () => {
      await buildPath();
      await foreignRules();
      before = await saved();
      await countAt([6001, 6002, 6003, 6004, 6005, 6006, 6009, 5060], [0, 24, 34, 36, 46, 63]);
      kernel = await open();
      await reconcile(kernel, wanted);
    });
    afterAll(async () => {
      await kernel.cleanup();
      await kernel.close();
    });

    it("says what it uses and what it cannot do", () => {
      expect(kernel.backend.name).toBe("iptables");
      expect(kernel.backend.detail).toMatch(version);
      expect(kernel.backend.detail).toContain("ARP");
    });

    it("marks, polices, classifies and counts each of them", async () => {
      await send("a", [
        ...[6001, 6002].map((port) => burst(port)),
        burst(6003, "v6"),
        burst(6004, "v6"),
        burst(6005),
        burst(6006),
        burst(6009),
        // The right ports of two flows, but not of one: no session's packets.
        burst(6001, "v4", 5001),
        burst(6003, "v6", 5001),
      ]);
      const policed = [1, 2, 3, 4, 5, 6];
      const counters = await vi.waitFor(async () => {
        const found = await kernel.counters();
        for (const id of policed) {
          const { inProfile, outOfProfile } = found.get(id)!;
          expect(inProfile.packets + outOfProfile.packets).toBe(PACKETS);
          expect(inProfile.octets).toBe(inProfile.packets * SIZE);
          expect(outOfProfile.octets).toBe(outOfProfile.packets * SIZE);
        }
        const dropped = [1, 4, 5, 6].reduce((sum, id) => sum + found.get(id)!.outOfProfile.packets, 0);
        const arrived = Object.values(await received()).reduce((sum, packets) => sum + packets, 0);
        expect(arrived).toBe(PACKETS * 9 - dropped);
        return found;
      }, PATIENCE);
      const inProfile = (id: number): number => counters.get(id)!.inProfile.packets;
      const buckets = [BUCKET, BUCKET, BUCKET, WIDE_BUCKET, WIDE_BUCKET, TIGHT_BUCKET];
      for (const [at, bucket] of buckets.entries()) {
        expect(inProfile(at + 1)).toBeGreaterThanOrEqual(bucket);
        expect(inProfile(at + 1)).toBeLessThan(PACKETS);
      }
      expect(inProfile(6)).toBeLessThan(BUCKET);
      expect(await received()).toEqual({
        "6001/46": inProfile(1),
        "6001/0": PACKETS,
        "6002/34": inProfile(2),
        "6002/36": PACKETS - inProfile(2),
        "6003/46": inProfile(3),
        "6003/0": PACKETS - inProfile(3) + PACKETS,
        "6004/46": inProfile(4),
        "6005/63": inProfile(5),
        "6006/46": inProfile(6),
        "6009/0": PACKETS,
      });
      expect(await classOf("pool", 1)).toBe([1, 3, 4, 5, 6].reduce((sum, id) => sum + inProfile(id), 0));
      expect(await classOf("pool", 2)).toBe(inProfile(2));
      expect(await classOf("default")).toBeGreaterThanOrEqual(PACKETS * 5 - inProfile(2) - inProfile(3));
    });

    it("leaves the marks of others as they were, of sessions' packets too", async () => {
      for (const tool of TOOLS) {
        const text = await run(`${tool}-save`, "-c", "-t", "mangle");
        const [, all] = /\[(\d+):\d+\] -A PREROUTING/.exec(text) ?? [];
        const [, marked] = /\[(\d+):\d+\] -A POSTROUTING/.exec(text) ?? [];
        const dropped = tool === "iptables" ? [1, 5, 6] : [4];
        const counters = await kernel.counters();
        const lost = dropped.reduce((sum, id) => sum + counters.get(id)!.outOfProfile.packets, 0);
        // What the router sends itself, such as neighbour discovery, has no mark and is not counted here.
        expect(Number(marked)).toBeGreaterThanOrEqual(PACKETS * (tool === "iptables" ? 6 : 3) - lost);
        expect(Number(marked)).toBeLessThanOrEqual(Number(all) - lost);
      }
    });

    it("marks signalling of others and its own, and only to and from the servers", async () => {
      const start = await classOf("signalling");
      const call = { packets: 10, size: 500 };
      await send("a", [
        { from: { address: A.v4, port: 5061 }, to: { address: B.v4, port: 5060 }, ...call },
        { from: { address: A.v6, port: 5061 }, to: { address: B.v6, port: 5060 }, ...call },
        { from: { address: A.v4, port: 5060 }, to: { address: B.v4, port: 6009 }, ...call },
      ]);
      const own = { from: { address: "198.51.100.1", port: 5061 }, to: { address: B.v4, port: 5060 }, ...call };
      await send(undefined, [own]);
      await vi.waitFor(async () => {
        expect(await received()).toMatchObject({ "5060/24": 30, "6009/0": PACKETS + 10 });
        expect(await classOf("signalling")).toBe(start + 30);
      }, PATIENCE);
    });

    it("gives the exact last counters of what it removes while packets flow", async () => {
      const seen = async (): Promise<number> => (await received())["6004/46"] ?? 0;
      const start = await seen();
      const first = (await kernel.counters()).get(4)!.inProfile.packets;
      expect(first).toBe(start);
      const generous = flow(4, { ...flows[3], rate: kilobitsPerSecond(1_000_000) });
      const state = { ...wanted, flows: new Map([...wanted.flows, [4, generous]]) };
      const changed = await kernel.apply(state, kernel.plan(state, await kernel.read()));
      expect(changed.removed.get(4)?.inProfile.packets).toBe(first);
      expect(changed.removed.get(4)?.outOfProfile.packets).toBe(PACKETS - first);
      const sending = send("a", [{ ...burst(6004, "v6"), packets: MANY }]);
      const flowing = async () => expect((await kernel.counters()).get(4)!.inProfile.packets).toBeGreaterThan(50);
      await vi.waitFor(flowing, PATIENCE);
      const gone = { ...state, flows: new Map([...state.flows].filter(([id]) => id !== 4)) };
      const { removed } = await kernel.apply(gone, [{ kind: "flow.remove", rule: generous }]);
      await sending;
      const last = removed.get(4)!;
      await vi.waitFor(async () => expect((await received())["6004/0"]).toBe(MANY - last.inProfile.packets), PATIENCE);
      expect(last.inProfile.packets).toBeGreaterThan(50);
      expect(last.inProfile.packets).toBeLessThan(MANY);
      expect(await seen()).toBe(start + last.inProfile.packets);
      await reconcile(kernel, wanted);
    });

    it("finds all of it again after a restart, counters too, and goes on counting", async () => {
      const second = await open();
      const observed = await second.read();
      expect(second.plan(wanted, observed)).toEqual([]);
      const found = new Map([...observed.flows].map(([id, { counters }]) => [id, counters]));
      expect(found).toEqual(await kernel.counters());
      expect(observed.flows.get(6)?.rule).toEqual(flows[5]);
      await second.close();
      const count = observed.flows.get(5)!.counters;
      await send("a", [burst(6005)]);
      await vi.waitFor(async () => {
        const { inProfile, outOfProfile } = (await kernel.counters()).get(5)!;
        const sum = count.inProfile.packets + count.outOfProfile.packets + PACKETS;
        expect(inProfile.packets + outOfProfile.packets).toBe(sum);
      }, PATIENCE);
    });

    it("sees and repairs what somebody else does to its rules, and keeps flows and counters", async () => {
      const counters = await kernel.counters();
      await run("iptables", "-t", "mangle", "-F", "sluice_test-session");
      await run("ip6tables", "-t", "mangle", "-D", "FORWARD", "1");
      await run("ipset", "del", "sluice_test-key4", `${A.v4},udp:6002,${B.v4}`);
      await run("ipset", "flush", "sluice_test-signalling6");
      await run("ipset", "flush", "sluice_test-ports");
      const broken = await kernel.read();
      expect(broken.structure).toBe(false);
      expect(broken.flows.has(2)).toBe(false);
      await reconcile(kernel, wanted);
      const mended = await kernel.read();
      expect(mended.structure).toBe(true);
      expect(kernel.plan(wanted, mended)).toEqual([]);
      expect(mended.flows.get(1)?.counters).toEqual(counters.get(1));
      await send("a", [burst(6002)]);
      await vi.waitFor(async () => {
        const { inProfile, outOfProfile } = (await kernel.counters()).get(2)!;
        expect(inProfile.packets + outOfProfile.packets).toBe(PACKETS);
      }, PATIENCE);
    });

    it("undoes what was done when the kernel refuses the rest, and final counters are counted on", async () => {
      const counters = await kernel.counters();
      const taken = flow(12, { ...POLICED, key: media(6012) });
      await run("ipset", "add", "sluice_test-key4", `${A.v4},udp:6012,${B.v4}`);
      const rules = [...flows.filter(({ id }) => id !== 2), flow(11, { ...POLICED, key: media(6011) }), taken];
      const next = { ...wanted, flows: new Map(rules.map((rule) => [rule.id, rule])) };
      const attempt = kernel.apply(next, [
        { kind: "flow.remove", rule: flows[1]! },
        ...rules.slice(-2).map((rule) => ({ kind: "flow.add" as const, rule })),
      ]);
      await expect(attempt).rejects.toMatchObject({
        code: "KERNEL_REFUSED",
        message: expect.stringContaining("flow 12"),
        detail: { errno: "EEXIST" },
      });
      await run("ipset", "del", "sluice_test-key4", `${A.v4},udp:6012,${B.v4}`);
      const observed = await kernel.read();
      expect(kernel.plan(wanted, observed)).toEqual([]);
      expect(observed.structure).toBe(true);
      expect(await kernel.counters()).toEqual(counters);
    });

    it("makes sets of another size anew, with the flows and counters that were in them", async () => {
      const counters = await kernel.counters();
      const larger = await openIptablesKernel({ table: "sluice_test", log: SILENT_LOGGER, maxFlows: 8192 });
      expect((await larger.read()).structure).toBe(false);
      await reconcile(larger, wanted);
      expect(larger.plan(wanted, await larger.read())).toEqual([]);
      expect(await larger.counters()).toEqual(counters);
      expect(await run("ipset", "list", "-terse", "sluice_test-in6")).toContain("maxelem 8192 ");
      await larger.close();
      await reconcile(kernel, wanted);
      expect(await kernel.counters()).toEqual(counters);
    });

    it("renders the texts that it would run, and they are the ones that work", async () => {
      const next = { ...wanted, flows: new Map([...wanted.flows, [9, flow(9, { ...POLICED, key: media(6009) })]]) };
      const changes = kernel.plan(next, await kernel.read());
      const steps = (await kernel.render(next, changes)).filter(({ tool }) => tool !== "tc");
      expect(steps.map(({ tool }) => tool)).toEqual(["ipset"]);
      const text = await saved();
      for (const step of steps) {
        const directory = mkdtempSync("/tmp/sluice-iptables-");
        writeFileSync(`${directory}/input`, step.input);
        await run("sh", "-c", `${step.tool} ${step.args.join(" ")} < ${directory}/input`);
        rmSync(directory, { recursive: true });
      }
      expect(await saved()).not.toBe(text);
      expect(kernel.plan(next, await kernel.read())).toEqual([]);
      await reconcile(kernel, wanted);
    });

    it("leaves the rules and sets of others byte for byte as they were", async () => {
      expect(await saved()).not.toBe(before);
      const cleanup = await kernel.renderCleanup();
      expect(cleanup.filter(({ tool }) => tool !== "tc").map(({ tool }) => tool)).toEqual([
        "iptables-restore",
        "ip6tables-restore",
        "ipset",
      ]);
      await kernel.cleanup();
      expect(await saved()).toBe(before);
    });

    it("refuses chains and sets of its names that are not its own, and does not touch them", async () => {
      await run("iptables", "-t", "mangle", "-N", "sluice_test");
      await expect(reconcile(kernel, wanted)).rejects.toMatchObject({ code: "KERNEL_FOREIGN_TABLE" });
      await expect(kernel.cleanup()).rejects.toMatchObject({ code: "KERNEL_FOREIGN_TABLE" });
      await run("iptables", "-t", "mangle", "-X", "sluice_test");
      await run("ipset", "create", "sluice_test-in4", "hash:ip");
      await expect(reconcile(kernel, wanted)).rejects.toMatchObject({ code: "KERNEL_FOREIGN_TABLE" });
      await run("ipset", "destroy", "sluice_test-in4");
      expect(await saved()).toBe(before);
      // A name that only begins like ours is somebody else's.
      await run("iptables", "-t", "mangle", "-N", "sluice_test-mine");
      await reconcile(kernel, wanted);
      await kernel.cleanup();
      await run("iptables", "-t", "mangle", "-X", "sluice_test-mine");
      expect(await saved()).toBe(before);
    });
  });
}

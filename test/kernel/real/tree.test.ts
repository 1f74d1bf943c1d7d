import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { type LinuxKernel, openLinuxKernel } from "../../../src/kernel/linux.js";
import { NetlinkAgent } from "../../../src/kernel/netlink/agent/agent.js";
import { Routing } from "../../../src/kernel/netlink/routing.js";
import type { FlowRule, ManagedInterface, ObservedClass, PoolClass } from "../../../src/kernel/port.js";
import { probeQdisc } from "../../../src/kernel/probe/qdisc.js";
import { openTrees, Trees } from "../../../src/kernel/tc/trees.js";
import { SYSTEM_CLOCK } from "../../../src/model/clock.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { kilobitsPerSecond, octets } from "../../../src/model/units.js";
import { reconcile } from "../contract.js";
import { desired, flow, link, pool } from "../fixtures.js";
import { inOwnNamespace, run } from "./namespace.js";
import { A, B, buildPath, countAt, flood, received, send } from "./path.js";

const TABLE = "sluice_test";
const PATIENCE = { timeout: 15_000, interval: 20 };
const PACKETS_PER_SECOND = 4000;
const RESIZES = 50;

inOwnNamespace(import.meta.url, () => {
  const tc = (command: string): Promise<string> => run("tc", ...command.split(" "));
  const byHand = async (input: string): Promise<void> => {
    if (input !== "") await run("sh", "-c", `printf '%s' "$1" | tc -batch -`, "sh", input);
  };

  describe("a tree on the kernel", () => {
    let agent: NetlinkAgent;
    let routing: Routing;
    let trees: Trees;

    beforeEach(async () => {
      agent = new NetlinkAgent({ name: "test", clock: SYSTEM_CLOCK, log: SILENT_LOGGER });
      routing = await Routing.open(agent, SYSTEM_CLOCK);
      trees = await openTrees(routing, TABLE);
      await run("ip", "link", "add", "wan0", "type", "veth", "peer", "name", "lan0");
    });
    afterEach(async () => {
      routing.close();
      await agent.close();
      await run("ip", "link", "del", "wan0");
    });
    const holds = async (links: readonly ManagedInterface[], pools: readonly PoolClass[]): Promise<boolean> =>
      trees.matches(await trees.read(links), links, pools);

    it("queues best effort by what this kernel has", async () => {
      const found = {
        fq_codel: (await probeQdisc("fq_codel")).outcome,
        cake: (await probeQdisc("cake")).outcome,
        bfifo: (await probeQdisc("bfifo")).outcome,
      };
      expect(found.bfifo).toBe("supported");
      for (const outcome of [found.fq_codel, found.cake]) expect(["supported", "missing in kernel"]).toContain(outcome);
      const best = (["fq_codel", "cake", "bfifo"] as const).find((kind) => found[kind] === "supported");
      await trees.reconcile([link("wan0")], [pool(1)]);
      expect(await tc("qdisc show dev wan0 parent 1:ffff")).toContain(`qdisc ${best} `);
      expect(trees.detail).toContain(best);
      if (found.fq_codel !== "supported") expect(trees.detail).toContain("fq_codel missing in kernel");
    });

    it.each([
      ["10 Mbit/s", 10_000, 1500],
      ["34 Gbit/s, beyond 32 bits of octets per second", 35_000_000, 1500],
      ["100 Gbit/s with jumbo frames", 100_000_000, 9000],
      ["1 Tbit/s with the largest frames", 1_000_000_000, 65_535],
      ["8 kbit/s", 8, 9000],
    ])("is taken without a word and read back exactly: %s", async (_, kilobits, mtu) => {
      await run("ip", "link", "set", "wan0", "mtu", `${mtu}`);
      const links = [link("wan0", kilobits)].map((entry) => ({ ...entry, signallingRate: kilobitsPerSecond(8) }));
      const pools = [pool(1, kilobits / 2), pool(2, 0), pool(3, kilobits * 2)];
      const input = await trees.render(links, pools);
      // What the kernel warns of, tc prints.
      const said = await run("sh", "-c", `printf '%s' "$1" | tc -batch - 2>&1`, "sh", input);
      expect(said).toBe("");
      expect(await holds(links, pools)).toBe(true);
      const classes = trees.classesIn(await trees.read(links));
      const rates = (kind: ObservedClass["kind"]): readonly number[] =>
        classes
          .filter((entry) => entry.kind === kind)
          .sort((left, right) => (left.pool ?? 0) - (right.pool ?? 0))
          .map(({ rate }) => rate);
      const whole = links[0]!.rate;
      expect(rates("link")).toEqual([whole]);
      expect(rates("pool")).toEqual([whole / 2, 512, whole]);
      for (const { ceil } of classes) expect(ceil).toBe(whole);
      const text = await tc("class show dev wan0");
      for (const [, quantum] of text.matchAll(/ leaf \S+ prio \d+ quantum (\d+)/g))
        expect(Number(quantum)).toBeGreaterThanOrEqual(mtu);
    });

    it("follows a device whose frames become larger", async () => {
      const links = [link("wan0")];
      await trees.reconcile(links, [pool(1)]);
      await run("ip", "link", "set", "wan0", "mtu", "9000");
      expect(await holds(links, [pool(1)])).toBe(false);
      await trees.reconcile(links, [pool(1)]);
      expect(await holds(links, [pool(1)])).toBe(true);
    });

    it("changes how the link counts in place, to cells and back", async () => {
      const counted = (changes: Partial<ManagedInterface>): readonly ManagedInterface[] => [
        { ...link("wan0"), ...changes },
      ];
      await trees.reconcile(counted({}), [pool(1)]);
      const handles = await tc("qdisc show dev wan0");
      for (const changes of [
        { overhead: octets(24), mpu: octets(96), linkLayer: "adsl" },
        { overhead: octets(24), linkLayer: "atm" },
        { mpu: octets(64), linkLayer: "ethernet" },
        {},
      ] as const) {
        const links = counted(changes);
        expect(await holds(links, [pool(1)])).toBe(false);
        await trees.reconcile(links, [pool(1)]);
        expect(await holds(links, [pool(1)])).toBe(true);
        const { overhead = 0, mpu = 0, linkLayer = "ethernet" } = changes as Partial<ManagedInterface>;
        const text = await tc("-d class show dev wan0 classid 1:11");
        expect(text).toContain(`linklayer ${linkLayer === "adsl" ? "atm" : linkLayer} `);
        expect(text).toContain(`mpu ${mpu}b`);
        if (overhead > 0) expect(text).toContain(`overhead ${overhead} `);
      }
      // The same root, no queue made anew.
      expect(await tc("qdisc show dev wan0")).toBe(handles);
    });

    it("prints what it would do; done by hand, nothing is left to do", async () => {
      const links = [link("wan0"), link("lan0", 100_000), link("absent0")];
      const steps: readonly (readonly PoolClass[])[] = [[pool(1), pool(2)], [pool(1, 3000), pool(3)], []];
      for (const pools of steps) {
        const input = await trees.render(links, pools);
        expect(input).toMatch(/^((qdisc|class) [a-z]+ dev (wan0|lan0) .*\n)+$/);
        expect(await holds(links, pools)).toBe(false);
        await byHand(input);
        expect(await holds(links, pools)).toBe(true);
        expect(await trees.render(links, pools)).toBe("");
      }
      const input = await trees.renderRemove();
      expect(input).toBe("qdisc del dev lan0 root handle 1:\nqdisc del dev wan0 root handle 1:\n");
      await byHand(input);
      expect((await trees.read([])).trees.size).toBe(0);
      expect(await trees.renderRemove()).toBe("");
    });

    it("removes by hand and by itself no tree that is not ours", async () => {
      const other = new Trees(routing, "sluice_other");
      await other.reconcile([link("lan0")], []);
      await trees.reconcile([link("wan0")], []);
      await trees.remove();
      expect(await other.render([link("lan0")], [])).toBe("");
      await other.remove();
      expect(await tc("qdisc show dev lan0")).not.toContain("htb");
    });

    it("adds a pool to 2,000 without touching them, and reads them all fast", async () => {
      const links = [link("wan0", 10_000_000)];
      const pools = Array.from({ length: 2000 }, (_, index) => pool(index + 1, 1000));
      await trees.reconcile(links, pools);
      const more = [...pools, pool(2001)];
      expect((await trees.render(links, more)).split("\n").map((line) => line.replace(/ (htb|bfifo) .*/, ""))).toEqual([
        "class add dev wan0 parent 1:1 classid 1:7e1",
        "qdisc replace dev wan0 parent 1:7e1",
        "class change dev wan0 parent 1:1 classid 1:ffff",
        "",
      ]);
      const start = performance.now();
      const classes = trees.classesIn(await trees.read(links));
      const took = performance.now() - start;
      expect(classes).toHaveLength(2003);
      // About 20 ms on an idle machine.
      expect(took).toBeLessThan(500);
      await trees.reconcile(links, more);
      expect(await holds(links, more)).toBe(true);
    });
  });

  describe("a pool that is resized under traffic", () => {
    let kernel: LinuxKernel;
    let stop: () => Promise<void> = async () => undefined;
    const media: FlowRule = flow(1, {
      key: {
        protocol: "udp",
        source: { address: A.v4, port: undefined },
        destination: { address: B.v4, port: 6001 },
      },
      rate: kilobitsPerSecond(50_000),
      burst: octets(1_000_000),
    });
    const state = (kilobits: number) =>
      desired([media], { interfaces: [link("to-b", 100_000)], signalling: [], pools: [pool(1, kilobits), pool(2)] });
    const pooled = async (): Promise<ObservedClass> =>
      (await kernel.read()).classes.find((entry) => entry.pool === 1) ?? expect.unreachable("no class");

    beforeAll(async () => {
      await buildPath();
      await countAt([6001], [46]);
      kernel = await openLinuxKernel({ table: TABLE, log: SILENT_LOGGER, maxFlows: 64 });
      await reconcile(kernel, state(20_000));
      stop = flood(6001, PACKETS_PER_SECOND);
      await vi.waitFor(async () => expect((await pooled()).sent.packets).toBeGreaterThan(100), PATIENCE);
    });
    afterAll(async () => {
      await stop();
      await kernel.cleanup();
      await kernel.close();
    });

    it("loses no packet, and its statistics never go backwards", async () => {
      let last = await pooled();
      const first = last;
      for (let round = 0; round < RESIZES; round += 1) {
        const kilobits = 20_000 + 1000 * (round % 7);
        await kernel.apply(state(kilobits), [{ kind: "pool.set", pool: pool(1, kilobits) }]);
        const now = await pooled();
        expect(now.rate).toBe(kilobits * 1000);
        expect(now.sent.packets).toBeGreaterThanOrEqual(last.sent.packets);
        expect(now.sent.octets).toBeGreaterThanOrEqual(last.sent.octets);
        expect(now.dropped).toBe(0);
        last = now;
      }
      await stop();
      expect(last.sent.packets).toBeGreaterThan(first.sent.packets + RESIZES);
      // All that were classified in the router are at b, marked: none was lost and none went around the pool.
      await vi.waitFor(async () => {
        const { inProfile, outOfProfile } = (await kernel.counters()).get(1)!;
        expect(outOfProfile.packets).toBe(0);
        expect((await pooled()).sent.packets).toBe(inProfile.packets);
        expect(await received()).toEqual({ "6001/46": inProfile.packets });
      }, PATIENCE);
    });
  });

  describe("what a packet counts", () => {
    // Whole packets are counted, not what they carry; tc prints no such thing, so the time they take tells.
    const sendingTime = async (kernel: LinuxKernel, packets: number): Promise<number> => {
      const before = (await kernel.read()).classes.find(({ kind }) => kind === "default")!.sent.packets;
      const start = performance.now();
      const sending = send("a", [
        { from: { address: A.v4, port: 5000 }, to: { address: B.v4, port: 6009 }, packets, size: 46 },
      ]);
      await vi.waitFor(async () => {
        const now = (await kernel.read()).classes.find(({ kind }) => kind === "default")!;
        expect(now.sent.packets - before).toBeGreaterThanOrEqual(packets);
      }, PATIENCE);
      await sending;
      return performance.now() - start;
    };

    it("is at least the mpu, and whole cells on ATM", async () => {
      const kernel = await openLinuxKernel({ table: TABLE, log: SILENT_LOGGER, maxFlows: 64 });
      const interfaces = (changes: Partial<ManagedInterface>) => [
        { ...link("to-b", 1000), signallingRate: kilobitsPerSecond(8), ...changes },
      ];
      try {
        for (const [changes, counts] of [
          [{ mpu: octets(500) }, 500],
          // 60 octets at layer 2 and 420 more are 10 cells.
          [{ overhead: octets(420), linkLayer: "atm" }, 530],
        ] as const) {
          const state = desired([], { interfaces: interfaces(changes), signalling: [], pools: [] });
          await reconcile(kernel, state);
          // Read back from the table and from the tree.
          expect(kernel.plan(state, await kernel.read())).toEqual([]);
          // 300 packets of 60 octets alone would take 144 ms; the burst of 3 kB goes at once.
          const least = ((300 * counts - 4000) / 125_000) * 1000;
          expect(await sendingTime(kernel, 300)).toBeGreaterThanOrEqual(least * 0.95);
        }
      } finally {
        await kernel.cleanup();
        await kernel.close();
      }
    });
  });
});

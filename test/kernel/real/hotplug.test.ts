import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LinuxKernel, openLinuxKernel } from "../../../src/kernel/linux.js";
import { NetlinkAgent } from "../../../src/kernel/netlink/agent/agent.js";
import { NfTables } from "../../../src/kernel/netlink/nf-tables.js";
import { type NetDevice, Routing } from "../../../src/kernel/netlink/routing.js";
import { NftClassifier } from "../../../src/kernel/nft/nft-classifier.js";
import type { ObservedState } from "../../../src/kernel/port.js";
import { Trees } from "../../../src/kernel/tc/trees.js";
import { SYSTEM_CLOCK } from "../../../src/model/clock.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { type BitsPerSecond, bitsPerSecond } from "../../../src/model/units.js";
import { reconcile } from "../contract.js";
import { desired, flow, link, pool } from "../fixtures.js";
import { inOwnNamespace, run } from "./namespace.js";

const TABLE = "sluice_test";

inOwnNamespace(import.meta.url, () => {
  const ip = (command: string): Promise<string> => run("ip", ...command.split(" "));
  const tc = (command: string): Promise<string> => run("tc", ...command.split(" "));
  const plug = (name: string): Promise<string> => ip(`link add ${name} type veth peer name p-${name}`);
  const unplug = (name: string): Promise<string> => ip(`link del ${name}`);
  const wanted = desired([flow(1)], {
    interfaces: [link("wan0"), link("wan1", 50_000)],
    pools: [pool(1), pool(2, 300)],
  });

  const qdiscOf = (name: string): Promise<string> => tc(`qdisc show dev ${name} root`);
  const hasTree = async (name: string): Promise<boolean> => /^qdisc htb 1: .*default 0xffff/.test(await qdiscOf(name));

  describe("interfaces that come and go", () => {
    let kernel: LinuxKernel;
    const presence = ({ interfaces }: ObservedState): Record<string, boolean> =>
      Object.fromEntries(interfaces.map(({ name, present }) => [name, present]));
    const settled = async (): Promise<void> => {
      await reconcile(kernel, wanted);
      expect(kernel.plan(wanted, await kernel.read())).toEqual([]);
    };

    beforeEach(async () => {
      await plug("wan0");
      kernel = await openLinuxKernel({ table: TABLE, log: SILENT_LOGGER, maxFlows: 256 });
    });
    afterEach(async () => {
      await kernel.cleanup();
      await kernel.close();
      for (const name of ["wan0", "wan1", "old0"]) await unplug(name).catch(() => undefined);
    });

    it("does without one that is not there, and says so", async () => {
      await settled();
      const observed = await kernel.read();
      expect(observed.structure).toBe(true);
      expect(presence(observed)).toEqual({ wan0: true, wan1: false });
      expect(observed.classes.map((entry) => entry.interface)).not.toContain("wan1");
      // Pools and flows need no interface.
      await kernel.apply(wanted, [{ kind: "pool.set", pool: pool(3) }]);
      await kernel.apply(wanted, [{ kind: "pool.remove", pool: pool(3) }]);
      expect(kernel.plan(wanted, await kernel.read())).toEqual([]);
    });

    it("gives one its tree when it appears, and again when it comes back", async () => {
      await settled();
      for (const _ of [1, 2]) {
        await plug("wan1");
        const found = await kernel.read();
        expect(found.structure).toBe(false);
        expect(presence(found)).toEqual({ wan0: true, wan1: true });
        expect(kernel.plan(wanted, found)).toEqual([{ kind: "structure" }]);
        await settled();
        const pools = (await kernel.read()).classes.filter(
          ({ interface: name, kind }) => name === "wan1" && kind === "pool",
        );
        expect(pools.map((entry) => entry.pool)).toEqual([1, 2]);
        await unplug("wan1");
        expect(await kernel.read()).toMatchObject({ structure: true });
      }
    });

    it("takes its tree from one that was renamed away, and makes one for that renamed into the name", async () => {
      await settled();
      await ip("link set wan0 name old0");
      await plug("wan1");
      await ip("link set wan1 name wan0");
      expect(await hasTree("old0")).toBe(true);
      expect((await kernel.read()).structure).toBe(false);
      await settled();
      expect(await hasTree("old0")).toBe(false);
      expect(await hasTree("wan0")).toBe(true);
    });

    it("leaves a foreign tree on one that was renamed away", async () => {
      await settled();
      await tc("qdisc del dev wan0 root");
      await tc("qdisc add dev wan0 root handle 1: htb default ffff");
      await ip("link set wan0 name old0");
      const before = await qdiscOf("old0");
      await settled();
      await kernel.cleanup();
      expect(await qdiscOf("old0")).toBe(before);
    });

    it("sees no other device in a strange name", async () => {
      await settled();
      // In a batch, what follows # is a comment: `qdisc del dev lan0`.
      await ip("link add lan0 type veth peer name p-lan0");
      await tc("qdisc add dev lan0 root handle 5: bfifo");
      await ip("link set wan0 name lan0#1");
      await settled();
      expect(await qdiscOf("lan0#1")).not.toContain("htb");
      expect(await qdiscOf("lan0")).toContain("bfifo 5:");
      await unplug("lan0#1");
      await unplug("lan0");
    });

    it("refuses one that appears with somebody's root qdisc, and goes on when that is gone", async () => {
      await settled();
      await plug("wan1");
      await tc("qdisc add dev wan1 root handle 5: bfifo");
      const foreign = { code: "KERNEL_FOREIGN_QDISC", message: expect.stringContaining("wan1") };
      await expect(reconcile(kernel, wanted)).rejects.toMatchObject(foreign);
      await expect(kernel.apply(wanted, [{ kind: "pool.set", pool: pool(3) }])).rejects.toMatchObject(foreign);
      expect(await qdiscOf("wan1")).toContain("bfifo 5:");
      await tc("qdisc del dev wan1 root");
      await settled();
    });

    it("takes the place of the qdiscs that the kernel itself puts there, of several queues too", async () => {
      await ip("tuntap add mode tap name wan1 multi_queue");
      await ip("link set wan1 up");
      const before = await qdiscOf("wan1");
      expect(before).toMatch(/^qdisc mq 0: root/);
      await settled();
      expect(await hasTree("wan1")).toBe(true);
      await kernel.cleanup();
      expect(await qdiscOf("wan1")).toBe(before);
    });

    it("does not take a multi-queue root that somebody put there", async () => {
      await ip("tuntap add mode tap name wan1 multi_queue");
      await tc("qdisc add dev wan1 root handle 8001: mq");
      await expect(reconcile(kernel, wanted)).rejects.toMatchObject({
        code: "KERNEL_FOREIGN_QDISC",
        message: expect.stringContaining("mq 8001:"),
      });
    });
  });

  describe("devices that change under a change", () => {
    let agent: NetlinkAgent;
    let routing: Routing;
    const links = [link("wan0"), link("wan1")];
    const pools = [pool(1)];
    /** Does something between the reading of the devices and the change, once. */
    const meanwhile = (act: () => Promise<unknown>) => {
      let done = false;
      return async ({ name }: NetDevice): Promise<BitsPerSecond | undefined> => {
        if (name !== "wan1" || done) return undefined;
        done = true;
        await act();
        return undefined;
      };
    };

    beforeEach(async () => {
      agent = new NetlinkAgent({ name: "test", clock: SYSTEM_CLOCK, log: SILENT_LOGGER });
      routing = await Routing.open(agent, SYSTEM_CLOCK);
      await plug("wan0");
      await plug("wan1");
    });
    afterEach(async () => {
      routing.close();
      await agent.close();
      for (const name of ["wan0", "wan1"]) await unplug(name).catch(() => undefined);
    });

    it.each(["wan0", "wan1"])("does not fail the other when %s goes away meanwhile", async (gone) => {
      const trees = new Trees(routing, TABLE, { speedOf: meanwhile(() => unplug(gone)) });
      await trees.reconcile(links, pools);
      const rest = gone === "wan0" ? "wan1" : "wan0";
      expect(await hasTree(rest)).toBe(true);
      const found = await trees.read(links);
      expect(trees.matches(found, links, pools)).toBe(true);
      expect(trees.interfacesIn(found, links).map(({ present }) => present)).toEqual([
        rest === "wan0",
        rest === "wan1",
      ]);
    });

    it("builds on the device that took the name of one that went away meanwhile", async () => {
      const first = new Trees(routing, TABLE);
      await first.reconcile(links, pools);
      const swap = async (): Promise<void> => {
        await unplug("wan0");
        await plug("wan0");
      };
      const more = [...pools, pool(2)];
      const trees = new Trees(routing, TABLE, { speedOf: meanwhile(swap) });
      await trees.reconcile(links, more);
      expect(trees.matches(await trees.read(links), links, more)).toBe(true);
    });

    it("says which command failed when it is not the device's doing", async () => {
      const trees = new Trees(routing, TABLE, {
        speedOf: meanwhile(() => tc("qdisc add dev wan1 root handle 5: bfifo")),
      });
      await expect(trees.reconcile(links, pools)).rejects.toMatchObject({
        code: "KERNEL_TOOL_FAILED",
        detail: { operation: expect.stringMatching(/^tc qdisc add dev wan1 root handle 1: htb [^;]*$/) },
      });
    });

    it("follows the speed that hardware tells, down and up", async () => {
      let speed: BitsPerSecond | undefined;
      const trees = new Trees(routing, TABLE, { speedOf: async ({ name }) => (name === "wan0" ? speed : undefined) });
      for (const [told, rate] of [
        [undefined, 10_000_000],
        [bitsPerSecond(1_000_000), 1_000_000],
        [bitsPerSecond(100_000_000), 10_000_000],
      ] as const) {
        speed = told;
        expect(trees.matches(await trees.read(links), links, pools)).toBe(false);
        await trees.reconcile(links, pools);
        const found = await trees.read(links);
        expect(trees.matches(found, links, pools)).toBe(true);
        expect(trees.interfacesIn(found, links)[0]).toEqual({ name: "wan0", present: true, rate });
        const ceilings = trees.classesIn(found).filter((entry) => entry.interface === "wan0");
        for (const entry of ceilings) expect(entry.ceil).toBe(rate);
      }
    });

    it("ignores the speed that a veth makes up", async () => {
      const device = (await routing.devices()).find(({ name }) => name === "wan0");
      expect(device).toMatchObject({ mtu: 1500, hardware: false });
      const trees = new Trees(routing, TABLE);
      const fast = [link("wan0", 20_000_000)];
      expect(trees.interfacesIn(await trees.read(fast), fast)).toEqual([
        { name: "wan0", present: true, rate: 20_000_000_000 },
      ]);
    });

    it("reports the effective rate through the port", async () => {
      const elements = await NfTables.open(TABLE, { agent, clock: SYSTEM_CLOCK });
      const trees = new Trees(routing, TABLE, { speedOf: async () => bitsPerSecond(2_000_000) });
      const classifier = new NftClassifier(elements, { table: TABLE, maxFlows: 64 }, SILENT_LOGGER, "test");
      const kernel = new LinuxKernel({ classifier, trees, routing, log: SILENT_LOGGER });
      const state = desired([], { interfaces: links, pools });
      await reconcile(kernel, state);
      const observed = await kernel.read();
      expect(observed.structure).toBe(true);
      expect(observed.interfaces.map(({ rate }) => rate)).toEqual([2_000_000, 2_000_000]);
      expect(kernel.plan(state, observed)).toEqual([]);
      await kernel.cleanup();
      elements.close();
    });
  });
});

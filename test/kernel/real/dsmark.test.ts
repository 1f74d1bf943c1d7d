import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { openDsmarkKernel } from "../../../src/kernel/dsmark/open.js";
import { probeDsmark } from "../../../src/kernel/dsmark/probe.js";
import { type LinuxKernel, openLinuxKernel } from "../../../src/kernel/linux.js";
import { openKernel } from "../../../src/kernel/open.js";
import type { FlowRule } from "../../../src/kernel/port.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { dscp } from "../../../src/model/units.js";
import { describeKernelContract, reconcile } from "../contract.js";
import { desired, flow, link, pool, remark } from "../fixtures.js";
import { inOwnNamespace, run } from "./namespace.js";
import { A, B, type Burst, buildPath, countAt, received, send } from "./path.js";

const TABLE = "sluice_test";
const PACKETS = 100;
const SIZE = 200;
const PATIENCE = { timeout: 15_000, interval: 20 };

/** What stands in this kernel: everything that is ours or could be. */
const everything = async (): Promise<string> =>
  (await Promise.all([run("nft", "list", "ruleset"), run("tc", "qdisc", "show"), run("ip", "link")])).join("\n");

/** Decides which tests there are: their names say it. */
const { outcome, evidence, part } = await probeDsmark();

inOwnNamespace(import.meta.url, () => {
  if (outcome !== "supported") {
    describe(`a kernel without DSMARK (${part}: ${outcome})`, () => {
      it("was asked for it: this is no machine where nobody can tell", () => {
        expect(outcome).toBe("missing in kernel");
        expect(evidence).toBe("Error: Specified qdisc kind is unknown.");
      });

      it("is refused with reason and remedy before anything is touched", async () => {
        const before = await everything();
        const opened = openKernel({ backend: "dsmark", table: TABLE, log: SILENT_LOGGER });
        await expect(opened).rejects.toMatchObject({
          code: "KERNEL_UNSUPPORTED",
          message: expect.stringContaining(`no back end "dsmark": ${part}: missing in kernel (${evidence})`),
          remedy: expect.stringContaining("backend: nftables"),
        });
        expect(await everything()).toBe(before);
      });
    });
    return;
  }

  describe("a kernel with DSMARK", () => {
    beforeAll(async () => {
      await run("ip", "link", "add", "wan0", "type", "veth", "peer", "name", "lan0");
    });
    const open = () => openDsmarkKernel({ table: TABLE, log: SILENT_LOGGER, maxFlows: 4096 });
    describeKernelContract("DSMARK", async () => ({
      kernel: await open(),
      interfaces: [link("wan0"), link("lan0", 100_000)],
      reopen: open,
    }));

    it("passes from one back end to the other and back, with its flows", async () => {
      const state = desired([flow(1), flow(2)], { interfaces: [link("wan0")], pools: [pool(1), pool(2)] });
      const first = await openLinuxKernel({ table: TABLE, log: SILENT_LOGGER, maxFlows: 4096 });
      await reconcile(first, state);
      for (const reopen of [open, () => openLinuxKernel({ table: TABLE, log: SILENT_LOGGER, maxFlows: 4096 })]) {
        const next = await reopen();
        const found = await next.read();
        expect([found.structure, found.flows.size]).toEqual([false, 2]);
        await reconcile(next, state);
        expect(next.plan(state, await next.read())).toEqual([]);
        await next.close();
      }
      await first.cleanup();
      await first.close();
    });

    it("puts right what others did to its indices and its filter", async () => {
      const kernel = await open();
      const state = desired([], { interfaces: [link("wan0")] });
      await reconcile(kernel, state);
      for (const command of [
        "class change dev wan0 classid 2:6e dsmark mask 0x0 value 0x1",
        "class change dev wan0 classid 2:1 dsmark mask 0x0 value 0x1",
        "class del dev wan0 classid 2:40",
        "filter del dev wan0 parent 1: prio 5301",
        "filter add dev wan0 parent 1: protocol all prio 5301 handle 17 tcindex classid 1:ffff",
        "qdisc del dev wan0 parent 2:1 handle 1:",
      ]) {
        await run("tc", ...command.split(" "));
        expect((await kernel.read()).structure, command).toBe(false);
        await reconcile(kernel, state);
        expect((await kernel.read()).structure, command).toBe(true);
      }
      await kernel.cleanup();
      expect(await run("tc", "qdisc", "show", "dev", "wan0")).not.toMatch(/dsmark|htb/);
      await kernel.close();
    });
  });

  describe("packets through DSMARK", () => {
    let kernel: LinuxKernel;
    const key = (port: number, family: "v4" | "v6" = "v4"): FlowRule["key"] => ({
      protocol: "udp",
      source: { address: A[family], port: 5000 },
      destination: { address: B[family], port },
    });
    const burst = (port: number, family: "v4" | "v6" = "v4"): Burst => ({
      from: { address: A[family], port: 5000 },
      to: { address: B[family], port },
      packets: PACKETS,
      size: SIZE,
    });
    const wanted = desired(
      [
        flow(1, { key: key(6001) }),
        flow(2, { key: key(6002), dscp: dscp(34), pool: 2, outOfProfile: remark(36) }),
        flow(3, { key: key(6003, "v6"), dscp: dscp(46), pool: 2, outOfProfile: remark(0) }),
        flow(4, { key: key(6004), dscp: dscp(0), pool: 494, outOfProfile: remark(63) }),
      ],
      {
        interfaces: [link("to-b", 1_000_000)],
        pools: [pool(1), pool(2), pool(494)],
        signalling: [{ protocol: "udp", port: 5060, servers: [B.v4, B.v6] }],
      },
    );

    beforeAll(async () => {
      await buildPath();
      await countAt([6001, 6002, 6003, 6004, 6009, 5060], [0, 10, 24, 34, 36, 46, 63]);
      kernel = await openDsmarkKernel({ table: TABLE, log: SILENT_LOGGER });
      await reconcile(kernel, wanted);
    });
    afterAll(async () => {
      await kernel.cleanup();
      await kernel.close();
    });

    it("refuses a pool that has no room in a slot, before anything is touched", async () => {
      const more = { ...wanted, pools: new Map([...wanted.pools, [495, pool(495)]]) };
      const before = await everything();
      await expect(reconcile(kernel, more)).rejects.toMatchObject({ code: "KERNEL_UNSUPPORTED" });
      expect(await everything()).toBe(before);
    });

    it("are sent with their code point, from the class of their pool; others as they came", async () => {
      const signalling = burst(5060);
      await send("a", [burst(6001), burst(6002), burst(6003, "v6"), burst(6004), burst(6009), signalling]);
      await vi.waitFor(async () => {
        const counters = await kernel.counters();
        const count = (id: number, side: "inProfile" | "outOfProfile"): number =>
          counters.get(id)?.[side].packets ?? -1;
        for (const id of [1, 2, 3, 4]) expect(count(id, "inProfile") + count(id, "outOfProfile")).toBe(PACKETS);
        const expected = Object.entries({
          "6001/46": count(1, "inProfile"),
          "6002/34": count(2, "inProfile"),
          "6002/36": count(2, "outOfProfile"),
          "6003/46": count(3, "inProfile"),
          "6003/0": count(3, "outOfProfile"),
          "6004/0": count(4, "inProfile"),
          "6004/63": count(4, "outOfProfile"),
          "6009/0": PACKETS,
          "5060/24": PACKETS,
        });
        expect(await received()).toEqual(Object.fromEntries(expected.filter(([, packets]) => packets > 0)));
        const { classes } = await kernel.read();
        const sent = (kind: string, id?: number): number =>
          classes.find((entry) => entry.kind === kind && entry.pool === id)?.sent.packets ?? -1;
        expect(sent("pool", 1)).toBe(count(1, "inProfile"));
        expect(sent("pool", 2)).toBe(count(2, "inProfile") + count(3, "inProfile"));
        expect(sent("pool", 494)).toBe(count(4, "inProfile"));
        expect(sent("signalling")).toBeGreaterThanOrEqual(PACKETS);
        const excess = [2, 3, 4].reduce((sum, id) => sum + count(id, "outOfProfile"), PACKETS);
        expect(sent("default")).toBeGreaterThanOrEqual(excess);
      }, PATIENCE);
    });

    it("keep the ECN bits, and those of no session their code point", async () => {
      const nftIn = (namespace: string, table: string): Promise<string> =>
        run("ip", "netns", "exec", namespace, "nft", table);
      const receiving = ["ip dscp 46 ip ecn 1 udp dport 6001 counter", "ip dscp 10 udp dport 6009 counter"];
      const sending = ["udp dport 6001 ip ecn set 1", "udp dport 6009 ip dscp set 10"];
      const hook = (name: string): string => `type filter hook ${name} priority 1`;
      await nftIn("b", `table inet ecn { chain in { ${[hook("prerouting"), ...receiving].join("; ")}; }; }`);
      await nftIn("a", `table inet tos { chain out { ${[hook("output"), ...sending].join("; ")}; }; }`);
      await send("a", [
        { ...burst(6001), packets: 20 },
        { ...burst(6009), packets: 20 },
      ]);
      await vi.waitFor(async () => {
        const table = await run("ip", "netns", "exec", "b", "nft", "list", "table", "inet", "ecn");
        expect(table.match(/counter packets 20 /g)).toHaveLength(2);
      }, PATIENCE);
    });
  });
});

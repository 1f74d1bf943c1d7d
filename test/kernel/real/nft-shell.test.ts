import { readdirSync, readFileSync } from "node:fs";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { openElements } from "../../../src/kernel/nft/open-elements.js";
import { openKernel } from "../../../src/kernel/open.js";
import type { FlowRule, KernelPort } from "../../../src/kernel/port.js";
import { SYSTEM_CLOCK } from "../../../src/model/clock.js";
import { KernelError } from "../../../src/model/errors.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { dscp, kilobitsPerSecond } from "../../../src/model/units.js";
import { describeKernelContract, reconcile } from "../contract.js";
import { desired, flow, link } from "../fixtures.js";
import { inOwnNamespace, run } from "./namespace.js";
import { A, B, buildPath, countAt, flood, received } from "./path.js";

const FLOW_PORT = 6001;
const ROUNDS = 10;

/** Pids of our children that run this command. */
const children = (words: string): readonly number[] =>
  readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const command = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ").trim();
      const parent = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${name}/status`, "utf8"))?.[1];
      return command === words && parent === String(process.pid) ? [Number(name)] : [];
    } catch {
      return [];
    }
  });

/** Until their ends are known to us. */
async function kill(words: string): Promise<void> {
  const pids = children(words);
  expect(pids).not.toEqual([]);
  for (const pid of pids) process.kill(pid, "SIGKILL");
  await vi.waitFor(() => {
    for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow("ESRCH");
  });
}

inOwnNamespace(
  import.meta.url,
  () => {
    const open = () => openKernel({ programming: "shell", table: "sluice_test", log: SILENT_LOGGER, maxFlows: 4096 });

    describe("contract", () => {
      beforeAll(async () => {
        await run("ip", "link", "add", "wan0", "type", "veth", "peer", "name", "lan0");
      });
      describeKernelContract("nft as text", async () => ({
        kernel: await open(),
        interfaces: [link("wan0"), link("lan0", 100_000)],
        reopen: open,
      }));
    });

    describe("nft as text", () => {
      let kernel: KernelPort;
      const state = desired([flow(1), flow(2)]);
      beforeEach(async () => {
        kernel = await open();
        await reconcile(kernel, state);
      });
      afterEach(async () => {
        await kernel.cleanup();
        await kernel.close();
      });

      it("says what it is", () => {
        expect(kernel.backend).toMatchObject({ name: "nftables", detail: expect.stringContaining("nft -i") });
      });

      it("names the flow that was refused, among many, and changes nothing", async () => {
        const adds = Array.from({ length: 60 }, (_, at) => flow(at + 10));
        const attempt = kernel.apply(desired([...adds, flow(2)]), [
          ...adds.map((rule) => ({ kind: "flow.add", rule }) as const),
          { kind: "flow.add", rule: flow(2) },
        ]);
        await expect(attempt).rejects.toMatchObject({
          code: "KERNEL_REFUSED",
          message: expect.stringContaining("flow 2 "),
          detail: { errno: "EEXIST" },
        });
        expect([...(await kernel.read()).flows.keys()].sort()).toEqual([1, 2]);
      });

      it("works on when its nft is killed", async () => {
        await kill("nft -p -i");
        await kernel.apply(state, [{ kind: "flow.add", rule: flow(3) }]);
        expect((await kernel.read()).flows.size).toBe(3);
      });

      it("begins to listen for final counters again when its monitor is killed", async () => {
        const counters = { inProfile: { packets: 7, octets: 700 }, outOfProfile: { packets: 1, octets: 9 } };
        const rule = flow(3);
        const put = async (): Promise<void> => {
          await kernel.apply(state, [{ kind: "flow.add", rule, counters: counters as never }]);
        };
        const take = () => kernel.apply(state, [{ kind: "flow.remove", rule }]);
        await put();
        await kill("nft -p monitor destroy elements");
        expect((await take()).removed.get(3)).toEqual(counters);
        await put();
        expect((await take()).removed.get(3)).toEqual(counters);
      });

      it("sees what others put into its maps, and takes it away", async () => {
        const set =
          /map (\S+) \{\s+type inet_proto \. ipv4_addr \. inet_service \. ipv4_addr \. inet_service : \w+\s+size \d+\s+counter/;
        const name = set.exec(await run("nft", "--terse", "list", "table", "inet", "sluice_test"))?.[1] ?? "";
        const element = "{ sctp . 192.0.2.1 . 1 . 192.0.2.2 . 2 counter : 0x1 }";
        await run("nft", `add element inet sluice_test ${name} ${element}`).catch(() =>
          run("nft", `add element inet sluice_test ${name} ${element.replace("0x1", "0:1")}`),
        );
        const observed = await kernel.read();
        expect(observed.structure).toBe(false);
        await kernel.apply(state, kernel.plan(state, observed));
        expect((await kernel.read()).structure).toBe(true);
      });

      it("leaves no process behind", async () => {
        const other = await open();
        await reconcile(other, state);
        const before = children("nft -p -i").length;
        await other.close();
        await vi.waitFor(() => expect(children("nft -p -i").length).toBeLessThan(before));
        await vi.waitFor(() => expect(children("nft -p monitor destroy elements")).toHaveLength(1));
      });
    });

    describe("final counters", () => {
      it("has counted every packet that was let through, to the last before the removal", async () => {
        await buildPath();
        await countAt([FLOW_PORT], [46]);
        const key: FlowRule["key"] = {
          protocol: "udp",
          source: { address: A.v4, port: undefined },
          destination: { address: B.v4, port: FLOW_PORT },
        };
        const rule = flow(1, { key, rate: kilobitsPerSecond(1_000_000), dscp: dscp(46) });
        const kernel = await open();
        const state = desired([rule], { interfaces: [link("to-b", 1_000_000)] });
        await reconcile(kernel, state);
        const stop = flood(FLOW_PORT, 4000);
        let counted = 0;
        try {
          for (let round = 0; round < ROUNDS; round += 1) {
            await vi.waitFor(async () => {
              const now = (await kernel.counters([rule])).get(1)?.inProfile.packets ?? 0;
              expect(now).toBeGreaterThan(100);
            });
            const { removed } = await kernel.apply(state, [{ kind: "flow.remove", rule }]);
            counted += removed.get(1)?.inProfile.packets ?? 0;
            await kernel.apply(state, [{ kind: "flow.add", rule }]);
          }
          counted +=
            (await kernel.apply(state, [{ kind: "flow.remove", rule }])).removed.get(1)?.inProfile.packets ?? 0;
        } finally {
          await stop();
        }
        const marked = (await received())[`${FLOW_PORT}/46`] ?? 0;
        expect(marked).toBeGreaterThan(100 * ROUNDS);
        // A packet on another processor may have found the element before it went, and be counted after.
        expect(marked - counted).toBeGreaterThanOrEqual(0);
        expect(marked - counted).toBeLessThanOrEqual(ROUNDS + 1);
        await kernel.cleanup();
        await kernel.close();
      });
    });

    describe("the choice", () => {
      const options = { table: "sluice_test", maxFlows: 16, clock: SYSTEM_CLOCK, log: SILENT_LOGGER };
      const refused = (code: string) => () =>
        Promise.reject(new KernelError(code, "no netlink socket: not built for this machine", { operation: "open" }));

      it("falls back to nft when netlink is not usable, and says why", async () => {
        const openNetlink = refused("KERNEL_NETLINK");
        const { elements, detail } = await openElements({ ...options, programming: "auto", openNetlink });
        expect(detail).toContain(
          "nft -i, because netlink is not usable: no netlink socket: not built for this machine",
        );
        expect(await elements.dump("state")).toEqual([]);
        await elements.close();
      });

      it("does not fall back when told not to, nor without the right to change the kernel", async () => {
        const forced = openElements({ ...options, programming: "netlink", openNetlink: refused("KERNEL_NETLINK") });
        await expect(forced).rejects.toMatchObject({ code: "KERNEL_NETLINK" });
        const powerless = openElements({ ...options, programming: "auto", openNetlink: refused("KERNEL_PERMISSION") });
        await expect(powerless).rejects.toMatchObject({ code: "KERNEL_PERMISSION" });
      });

      it("takes nftables here, and refuses what this version lacks", async () => {
        const kernel = await openKernel({ log: SILENT_LOGGER });
        expect(kernel.backend.name).toBe("nftables");
        await kernel.close();
        const dsmark = openKernel({ backend: "dsmark", log: SILENT_LOGGER });
        await expect(dsmark).rejects.toMatchObject({ code: "KERNEL_UNSUPPORTED" });
      });

      it("takes iptables where nftables is missing, and says what each lacks where both are", async () => {
        const supported = async () => ({ outcome: "supported", evidence: "" }) as const;
        const missing = async () => ({ outcome: "missing in kernel", evidence: "Operation not supported" }) as const;
        const kernel = await openKernel({ log: SILENT_LOGGER, probes: { nftables: missing, iptables: supported } });
        expect(kernel.backend.name).toBe("iptables");
        await kernel.close();
        const none = openKernel({ log: SILENT_LOGGER, probes: { nftables: missing, iptables: missing } });
        await expect(none).rejects.toMatchObject({
          code: "KERNEL_UNSUPPORTED",
          message: expect.stringMatching(/nftables: missing in kernel \(.*iptables: missing in kernel/),
        });
      });
    });
  },
  400,
);

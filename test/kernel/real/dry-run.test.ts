import { execa } from "execa";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openKernel } from "../../../src/kernel/open.js";
import type { DesiredState, FlowRule, KernelPort, RenderedStep } from "../../../src/kernel/port.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { octets } from "../../../src/model/units.js";
import { desired, flow, flow6, link, pool, remark } from "../fixtures.js";
import { inOwnNamespace, run } from "./namespace.js";

/** As an operator would who copies what is printed. */
async function byHand(steps: readonly RenderedStep[]): Promise<void> {
  for (const { tool, args, input } of steps) await execa(tool, args, { input });
}

const anySource = (rule: FlowRule): FlowRule => ({
  ...rule,
  key: { ...rule.key, source: { ...rule.key.source, port: undefined } },
});

/** Everything that the kernel shows of tables and trees; handles, and with them the order, are the kernel's own choice. */
async function everything(): Promise<readonly string[]> {
  const shown = await Promise.all([run("nft", "list", "ruleset"), run("tc", "class", "show", "dev", "wan0")]);
  return [...shown, await run("tc", "qdisc", "show")]
    .join("\n")
    .replaceAll(/\b[0-9a-f]+: (?=dev|prio)/g, "")
    .split(/[\n,]|elements = /)
    .map((line) => line.replace(/ \}$/, "").trim())
    .sort();
}

inOwnNamespace(import.meta.url, () => {
  beforeAll(async () => {
    await run("ip", "link", "add", "wan0", "type", "veth", "peer", "name", "lan0");
    await run("nft", "add table inet foreign");
  });

  describe.each(["netlink", "shell"] as const)("what --dry-run prints (%s)", (programming) => {
    let kernel: KernelPort;
    const interfaces = [link("wan0"), link("lan0", 100_000)];
    const state = (flows: readonly FlowRule[], pools = [pool(1)]): DesiredState =>
      desired(flows, { interfaces, pools });

    /** Renders, sees that nothing has changed by that, does it by hand, and sees that nothing is left to do. */
    const reach = async (wanted: DesiredState): Promise<readonly RenderedStep[]> => {
      const changes = kernel.plan(wanted, await kernel.read());
      const before = await everything();
      const steps = await kernel.render(wanted, changes);
      expect(await everything()).toEqual(before);
      await byHand(steps);
      const after = await kernel.read();
      expect(after.structure).toBe(true);
      expect(kernel.plan(wanted, after)).toEqual([]);
      return steps;
    };

    beforeEach(async () => {
      kernel = await openKernel({ programming, table: "sluice_test", log: SILENT_LOGGER, maxFlows: 4096 });
    });
    afterEach(async () => {
      await kernel.cleanup();
      await kernel.close();
    });

    it("makes everything from nothing", async () => {
      await reach(
        state([
          flow(1),
          flow6(2, { outOfProfile: remark(36) }),
          anySource(flow(3)),
          anySource(flow6(4, { burst: octets(0) })),
          // Policed by packets; 5 is nft's own burst, which it does not print.
          flow(5, { packetSize: octets(200), burst: octets(600) }),
          flow6(6, { packetSize: octets(200), burst: octets(1000) }),
        ]),
      );
    });

    it("changes flows alone by one nft transaction", async () => {
      await reach(state([flow(1), flow(2)]));
      const changed = flow(2, { outOfProfile: remark(0) });
      const steps = await reach(state([changed, flow6(3)]));
      expect(steps.map(({ tool, args }) => [tool, ...args])).toEqual([["nft", "-f", "-"]]);
      expect(steps[0]?.input).toMatch(/^delete element inet sluice_test /);
    });

    it("brings pools that come, change and go, each step as it is after the one before", async () => {
      await reach(state([flow(1)], [pool(1), pool(2, 500)]));
      const steps = await reach(state([flow(3, { pool: 3 })], [pool(1, 2000), pool(3, 'a "b" 100%'.length * 10)]));
      expect(steps.map(({ tool }) => tool)).toEqual(["tc", "nft", "nft", "nft", "tc"]);
      await reach(state([], []));
    });

    it("brings tunnels before their flows, and takes them away after, with the rules that lead there first", async () => {
      const local = { id: 7, name: "to the core", kind: "vxlan", local: "203.0.113.1", remote: "203.0.113.2" } as const;
      const tunnel = { ...local, sourcePort: 50_000, destinationPort: 4789, mtu: octets(1400) };
      const steered = { ...state([flow(1, { tunnel: 7 }), flow6(2, { tunnel: 7 })]), tunnels: new Map([[7, tunnel]]) };
      await reach(state([flow(1)]));
      const come = await reach(steered);
      expect(come.map(({ tool }) => tool)).toEqual(["nft", "nft", "ip", "ip", "nft"]);
      expect((await kernel.read()).flows.get(2)?.rule.tunnel).toBe(7);
      await reach(state([flow(1)]));
      expect(await run("nft", "list", "ruleset")).not.toContain("prerouting");
    });

    it("mends a structure that somebody changed, and sweeps what they added", async () => {
      const wanted = state([flow(1), flow(2)]);
      await reach(wanted);
      await run("nft", "add chain inet sluice_test theirs");
      await run("tc", "qdisc", "del", "dev", "wan0", "root");
      await reach(wanted);
      await reach({ ...wanted, signalling: [], interfaces: interfaces.slice(0, 1) });
    });

    it("does by hand exactly what apply does", async () => {
      const wanted = state([flow(1), flow6(2, { outOfProfile: remark(0) })], [pool(1), pool(7, 300)]);
      await byHand(await kernel.render(wanted, kernel.plan(wanted, await kernel.read())));
      const byTools = await everything();
      await kernel.cleanup();
      await kernel.apply(wanted, kernel.plan(wanted, await kernel.read()));
      expect(byTools).toEqual(await everything());
    });

    it("takes everything away and nothing else", async () => {
      const before = await everything();
      await reach(state([flow(1)]));
      const steps = await kernel.renderCleanup();
      await byHand(steps);
      expect(steps.map(({ tool }) => tool)).toEqual(["tc", "nft"]);
      expect(await everything()).toEqual(before);
      expect(await kernel.renderCleanup()).toEqual([]);
    });
  });

  afterAll(async () => {
    expect(await run("nft", "list tables")).toBe("table inet foreign");
  });
});

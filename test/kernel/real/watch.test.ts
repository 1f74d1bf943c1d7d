/** What others change is told within a second, whatever it is; what we change is not. */

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type LinuxKernel, openLinuxKernel } from "../../../src/kernel/linux.js";
import type { DesiredState, KernelEvent, KernelWatch } from "../../../src/kernel/port.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { kilobitsPerSecond } from "../../../src/model/units.js";
import { reconcile } from "../contract.js";
import { desired, flow, link } from "../fixtures.js";
import { inOwnNamespace, run } from "./namespace.js";

const TABLE = "sluice_watch";
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
/** Longer than any event may take. */
const QUIET_MS = 1000;

inOwnNamespace(import.meta.url, () => {
  describe("watching the kernel", () => {
    let kernel: LinuxKernel;
    let watch: KernelWatch;
    let events: KernelEvent[];
    let state: DesiredState;

    beforeAll(async () => {
      await run("ip", "link", "add", "wan0", "type", "veth", "peer", "name", "far0");
      await run("ip", "link", "set", "wan0", "up");
      kernel = await openLinuxKernel({ table: TABLE, log: SILENT_LOGGER, maxFlows: 4096 });
      state = { ...desired([flow(1), flow(2)]), interfaces: [link("wan0")] };
      await reconcile(kernel, state);
    });
    beforeEach(async () => {
      await pause(100);
      events = [];
      watch = await kernel.watch((event) => events.push(event));
    });
    afterEach(async () => {
      await watch.close();
      await reconcile(kernel, state);
    });
    afterAll(() => kernel.close());

    const told = (event: Partial<KernelEvent>) =>
      expect.poll(() => events, { timeout: 1000, interval: 20 }).toContainEqual(expect.objectContaining(event));

    it.each([
      ["an element is deleted", ["flush", "map", "inet", TABLE, "in4"]],
      ["the table is deleted", ["delete", "table", "inet", TABLE]],
      ["another table is made", ["add", "table", "inet", "other"]],
    ])("says when %s", async (_, command) => {
      await run("nft", ...command);
      await told({ kind: "ruleset" });
    });

    it("says at once what another changed when it is asked, and nothing of ours", async () => {
      await kernel.apply(state, [{ kind: "flow.add", rule: flow(3) }]);
      expect([await watch.caughtUp(), events]).toEqual([true, []]);
      await run("nft", "flush", "map", "inet", TABLE, "in4");
      expect([await watch.caughtUp(), events]).toEqual([true, [{ kind: "ruleset" }]]);
    });

    it("says when a qdisc or a class goes", async () => {
      await run("tc", "qdisc", "del", "dev", "wan0", "root");
      await told({ kind: "queueing", interface: "wan0" });
    });

    it("says when a device comes, is renamed and goes", async () => {
      await run("ip", "link", "add", "new0", "type", "veth", "peer", "name", "new1");
      await told({ kind: "interface", interface: "new0" });
      events.length = 0;
      await run("ip", "link", "set", "new0", "name", "moved0");
      await told({ kind: "interface", interface: "moved0" });
      await told({ kind: "interface", interface: "new0" });
      events.length = 0;
      await run("ip", "link", "del", "moved0");
      await told({ kind: "interface", interface: "moved0" });
    });

    it("says when a device goes up or down", async () => {
      await run("ip", "link", "set", "far0", "up");
      await told({ kind: "interface", interface: "far0" });
      events.length = 0;
      await run("ip", "link", "set", "far0", "down");
      await told({ kind: "interface", interface: "far0" });
    });

    it("says nothing of 200 changes of ours, and still sees the one among them that is not", async () => {
      for (let id = 100; id < 300; id++) {
        await kernel.apply(state, [{ kind: "flow.add", rule: flow(id) }]);
        if (id % 2 === 0) await kernel.apply(state, [{ kind: "flow.remove", rule: flow(id) }]);
      }
      await pause(QUIET_MS);
      expect(events).toEqual([]);
      const storm = Array.from({ length: 400 }, (_, index) =>
        kernel.apply(state, [{ kind: "flow.add", rule: flow(1000 + index) }]),
      );
      await run("nft", "add", "table", "inet", "storm");
      await Promise.all(storm);
      await told({ kind: "ruleset" });
    });

    it("says nothing of our own structure, pools and clean-up", async () => {
      const pool = { id: 7, name: "games", rate: kilobitsPerSecond(300) };
      await kernel.apply(state, [{ kind: "structure" }]);
      await kernel.apply({ ...state, pools: new Map([...state.pools, [7, pool]]) }, [{ kind: "pool.set", pool }]);
      await kernel.apply(state, [{ kind: "pool.remove", pool }]);
      await pause(QUIET_MS);
      expect(events).toEqual([]);
      await kernel.cleanup();
      await pause(QUIET_MS);
      expect(events.filter((event) => event.kind !== "queueing")).toEqual([]);
    });

    it("sees another's change beside our own of the structure", async () => {
      const structure = kernel.apply(state, [{ kind: "structure" }]);
      await run("nft", "add", "table", "inet", "beside");
      await structure;
      await told({ kind: "ruleset" });
    });

    it("says nothing more once it is closed", async () => {
      await watch.close();
      await run("nft", "add", "table", "inet", "unseen");
      await pause(QUIET_MS / 2);
      expect(events).toEqual([]);
    });
  });
});

/**
 * What the npm package `netlink` does when the kernel overruns its socket, end the process, must not reach the daemon.
 * Forced here for real; the process of this test stands for the daemon.
 */

import { readFileSync } from "node:fs";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type LinuxKernel, openLinuxKernel } from "../../../src/kernel/linux.js";
import { NetlinkAgent } from "../../../src/kernel/netlink/agent/agent.js";
import { NfTables } from "../../../src/kernel/netlink/nf-tables.js";
import type { ElementChange } from "../../../src/kernel/netlink/transaction.js";
import { SYSTEM_CLOCK } from "../../../src/model/clock.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { AGENT_PROGRAM } from "../agent-program.js";
import { reconcile } from "../contract.js";
import { desired, flow } from "../fixtures.js";
import { inOwnNamespace, run } from "./namespace.js";

const TABLE = "sluice_enobufs";
const SET = "numbers";
const COUNT = 400;

const numbers = (action: ElementChange["action"], count = COUNT, from = 0): ElementChange[] =>
  Array.from({ length: count }, (_, index) => {
    const key = Buffer.alloc(4);
    key.writeUInt32BE(from + index);
    return { action, set: SET, element: { key }, object: `number ${from + index}` };
  });

/** A process that is gone, or waits to be buried, has no command line. */
const isAlive = (pid: number): boolean => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`).length > 0;
  } catch {
    return false;
  }
};
const childrenOf = async (pid: number): Promise<number[]> => {
  const { stdout } = await execa("ps", ["-o", "pid=,comm=", "--ppid", String(pid)], { reject: false });
  return stdout
    .split("\n")
    .filter((line) => line.includes("sluice-netlink"))
    .map((line) => Number.parseInt(line, 10));
};

inOwnNamespace(import.meta.url, () => {
  describe("an overrun receive buffer (ENOBUFS)", () => {
    const warn = vi.fn();
    let agent: NetlinkAgent;
    let elements: NfTables;

    beforeEach(async () => {
      warn.mockClear();
      await run("nft", `add table inet ${TABLE}; add set inet ${TABLE} ${SET} { type ipv4_addr; }`);
      agent = new NetlinkAgent({ name: "test", clock: SYSTEM_CLOCK, log: { ...SILENT_LOGGER, warn } });
      elements = await NfTables.open(TABLE, { agent, clock: SYSTEM_CLOCK, receiveBuffer: 4096 });
    });
    afterEach(async () => {
      await agent.close();
      await run("nft", "delete", "table", "inet", TABLE);
    });

    it("ends the agent, rejects what was under way, and the next request works", async () => {
      await elements.transact(numbers("create"));
      const before = agent.pid;
      // The echo of each deleted element comes back at once: far more than the buffer holds.
      await expect(elements.transact(numbers("delete"))).rejects.toMatchObject({
        code: "KERNEL_NETLINK_LOST",
        family: "kernel",
        message: expect.stringContaining("SIGABRT"),
        detail: { operation: expect.stringContaining("transaction of 400 elements") },
        remedy: expect.stringContaining("read the state"),
      });
      expect(before !== undefined && isAlive(before)).toBe(false);
      expect([0, COUNT]).toContain((await elements.dump(SET)).length);
      expect(agent.starts).toBe(2);
      expect(agent.pid).not.toBe(before);
      expect(warn.mock.calls).toEqual([["kernel.netlink.agentLost", expect.objectContaining({ pid: before })]]);
      await elements.transact(numbers("create", 3, COUNT));
      expect((await elements.transact(numbers("delete", 3, COUNT))).map(({ set }) => set)).toEqual([SET, SET, SET]);
    });

    it("takes down every request under way, each with its error, again and again", async () => {
      for (let round = 1; round <= 3; round++) {
        const present = await elements.dump(SET);
        if (present.length === 0) await elements.transact(numbers("create"));
        const outcomes = await Promise.allSettled([
          elements.transact(numbers("create", 1, 1_000_000 + round)),
          elements.transact(numbers("delete")),
          elements.generation(),
        ]);
        expect(outcomes[1]).toMatchObject({ status: "rejected", reason: { code: "KERNEL_NETLINK_LOST" } });
        const numbered = (await elements.dump(SET)).filter(({ key }) => key.readUInt32BE() < COUNT);
        expect([0, COUNT]).toContain(numbered.length);
      }
      expect(agent.starts).toBe(4);
    });

    it("cannot come of what is kept within the limit of a transaction", async () => {
      const limit = elements.transactionLimit;
      for (let at = 0; at < COUNT; at += limit) await elements.transact(numbers("create", limit, at));
      const deletions = Array.from({ length: COUNT / limit }, (_, part) =>
        elements.transact(numbers("delete", limit, part * limit)),
      );
      await Promise.all(deletions);
      expect(agent.starts).toBe(1);
    });
  });

  describe("an agent that goes", () => {
    let kernel: LinuxKernel;
    const state = desired([flow(1)]);
    beforeEach(async () => {
      kernel = await openLinuxKernel({ table: "sluice_agent", log: SILENT_LOGGER, maxFlows: 8192 });
      await reconcile(kernel, state);
    });
    afterEach(async () => {
      await kernel.cleanup();
      await kernel.close();
    });

    it("leaves each of a hundred calls whole or not at all", async () => {
      const [first] = await childrenOf(process.pid);
      const ids = Array.from({ length: 400 }, (_, index) => 1000 + index * 2);
      const calls = ids.map((id) =>
        kernel.apply(state, [
          { kind: "flow.add", rule: flow(id) },
          { kind: "flow.add", rule: flow(id + 1) },
        ]),
      );
      const settling = Promise.allSettled(calls);
      await calls[20];
      process.kill(first ?? 0, "SIGKILL");
      const outcomes = await settling;
      const { flows, structure } = await kernel.read();
      expect(structure).toBe(true);
      for (const [index, outcome] of outcomes.entries()) {
        const id = ids[index] ?? 0;
        expect(flows.has(id)).toBe(flows.has(id + 1));
        if (outcome.status === "fulfilled") expect(flows.has(id)).toBe(true);
        else expect(outcome.reason).toMatchObject({ code: "KERNEL_NETLINK_LOST" });
      }
      expect(outcomes.some(({ status }) => status === "rejected")).toBe(true);
      await kernel.apply(state, [{ kind: "flow.add", rule: flow(5000) }]);
      expect((await kernel.counters([flow(5000)])).size).toBe(1);
    });

    it("tells a watcher, who then sees what comes after", async () => {
      const before = await childrenOf(process.pid);
      const events: unknown[] = [];
      const watch = await kernel.watch((event) => events.push(event));
      const [events_] = (await childrenOf(process.pid)).filter((pid) => !before.includes(pid));
      process.kill(events_ ?? 0, "SIGKILL");
      await expect
        .poll(() => events, { timeout: 5000 })
        .toContainEqual({
          kind: "lost",
          reason: expect.stringContaining("joined again"),
        });
      await run("ip", "link", "add", "late0", "type", "dummy").catch(() =>
        run("ip", "link", "add", "late0", "type", "veth", "peer", "name", "late1"),
      );
      await expect.poll(() => events).toContainEqual({ kind: "interface", interface: "late0" });
      await watch.close();
    });

    it("goes with the daemon, however that ends", async () => {
      const daemon = `
        const { spawn } = require("node:child_process");
        const child = spawn(process.execPath, [${JSON.stringify(AGENT_PROGRAM)}], { stdio: ["ignore", "ignore", "ignore", "pipe"] });
        console.log(child.pid);
        setInterval(() => undefined, 1000);`;
      const parent = execa(process.execPath, ["-e", daemon], { reject: false });
      const pid = await new Promise<number>((resolve) => parent.stdout.once("data", (text) => resolve(Number(text))));
      await expect.poll(() => isAlive(pid)).toBe(true);
      process.kill(pid, "SIGTERM");
      process.kill(pid, "SIGINT");
      await new Promise((resolve) => setTimeout(resolve, 300));
      parent.kill("SIGKILL");
      await parent;
      await expect.poll(() => isAlive(pid), { timeout: 5000 }).toBe(false);
    });
  });
});

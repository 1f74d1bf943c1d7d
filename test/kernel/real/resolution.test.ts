import { createSocket } from "node:dgram";
import { writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type LinuxKernel, openLinuxKernel } from "../../../src/kernel/linux.js";
import type { ObservedClass } from "../../../src/kernel/port.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { kilobitsPerSecond } from "../../../src/model/units.js";
import { reconcile } from "../contract.js";
import { desired, link, pool } from "../fixtures.js";
import { inOwnNamespace, run } from "./namespace.js";
import { buildPath, flood } from "./path.js";

const LINK_KILOBITS = 400;
/** Four times what the link carries, in packets of 42 octets at layer 2. */
const FLOOD_RATE = Math.round((4 * LINK_KILOBITS * 1000) / 8 / 42);
const PATIENCE = { timeout: 15_000, interval: 20 };
const HOSTS = Array.from({ length: 5 }, (_, index) => 0x31 + index);
const NEIGHBOURS = {
  v4: HOSTS.map((host) => `198.51.100.${host}`),
  v6: HOSTS.map((host) => `2001:db8:2::${host.toString(16)}`),
} as const;

const inB = (...command: readonly string[]): Promise<string> => run("ip", "netns", "exec", "b", ...command);

inOwnNamespace(import.meta.url, () => {
  describe("address resolution in a flood of best effort", () => {
    let kernel: LinuxKernel;
    let stop: () => Promise<void> = async () => undefined;
    const classOf = async (kind: ObservedClass["kind"]): Promise<ObservedClass> => {
      const found = (await kernel.read()).classes.find((entry) => entry.kind === kind);
      if (found === undefined) throw new Error(`no class ${kind}`);
      return found;
    };
    /** Of the router's neighbour entries for these addresses; empty where there is none yet. */
    const states = async (addresses: readonly string[]): Promise<readonly string[]> => {
      const entries = (await run("ip", "neigh", "show", "dev", "to-b"))
        .split("\n")
        .map((line) => line.trim().split(" "));
      return addresses.map((address) => entries.find(([first]) => first === address)?.at(-1) ?? "");
    };

    beforeAll(async () => {
      await buildPath();
      for (const address of [...NEIGHBOURS.v4.map((a) => `${a}/24`), ...NEIGHBOURS.v6.map((a) => `${a}/64`)])
        await run("ip", "-n", "b", "addr", "add", address, "dev", "eth0", ...(address.includes(":") ? ["nodad"] : []));
      // One request and no second try: what is lost, or late by a second, shows.
      for (const family of ["ipv4", "ipv6"]) {
        await writeFile(`/proc/sys/net/${family}/neigh/to-b/mcast_solicit`, "1");
        await inB("sh", "-c", `echo 1 > /proc/sys/net/${family}/neigh/eth0/mcast_solicit`);
      }
      kernel = await openLinuxKernel({ table: "sluice_test", log: SILENT_LOGGER });
      const interfaces = [{ ...link("to-b", LINK_KILOBITS), signallingRate: kilobitsPerSecond(64) }];
      // No signalling: what its class counts is address resolution.
      await reconcile(kernel, desired([], { interfaces, signalling: [], pools: [pool(1, 100)] }));
      stop = flood(6009, FLOOD_RATE);
      const { dropped: start } = await classOf("default");
      await vi.waitFor(async () => expect((await classOf("default")).dropped).toBeGreaterThan(start + 2000), PATIENCE);
    });
    afterAll(async () => {
      await stop();
      await kernel.cleanup();
      await kernel.close();
    });

    it.each(["v4", "v6"] as const)("finds every neighbour again, in the signalling class: %s", async (family) => {
      const addresses = NEIGHBOURS[family];
      const socket = createSocket(family === "v4" ? "udp4" : "udp6");
      try {
        for (let round = 1; round <= 3; round += 1) {
          await run("ip", "neigh", "flush", "dev", "to-b");
          const [before, flooded] = [await classOf("signalling"), await classOf("default")];
          for (const address of addresses) socket.send("", 9, address);
          await vi.waitFor(async () => {
            for (const state of await states(addresses)) expect(state).not.toMatch(/^(INCOMPLETE)?$/);
          }, PATIENCE);
          expect(await states(addresses)).toEqual(addresses.map(() => "REACHABLE"));
          const after = await classOf("signalling");
          expect(after.sent.packets - before.sent.packets).toBeGreaterThanOrEqual(addresses.length);
          expect(after.dropped).toBe(0);
          expect((await classOf("default")).dropped).toBeGreaterThan(flooded.dropped);
        }
      } finally {
        socket.close();
      }
    });

    it("answers who asks for the router, in the signalling class", async () => {
      for (const [family, router] of [
        ["udp4", "198.51.100.1"],
        ["udp6", "2001:db8:2::1"],
      ] as const) {
        const before = await classOf("signalling");
        await run("ip", "-n", "b", "neigh", "del", router, "dev", "eth0");
        const ask = `const s = require("node:dgram").createSocket("${family}"); s.send("", 9, "${router}", () => s.close());`;
        await inB(process.execPath, "-e", ask);
        const state = await vi.waitFor(async () => {
          const found = (await inB("ip", "neigh", "show", router)).trim().split(" ").at(-1);
          expect(found).toMatch(/REACHABLE|FAILED/);
          return found;
        }, PATIENCE);
        expect(state).toBe("REACHABLE");
        expect((await classOf("signalling")).sent.packets).toBeGreaterThan(before.sent.packets);
      }
    });

    it("stays best effort beyond its allowance, so that whoever provokes it cannot push signalling aside", async () => {
      const before = await classOf("signalling");
      // Nobody has these addresses. 23 requests a second may go with signalling.
      const absent = Array.from({ length: 90 }, (_, index) => `198.51.100.${0x40 + index}`);
      const socket = createSocket("udp4");
      try {
        for (const address of absent) socket.send("", 9, address);
        await vi.waitFor(async () => expect(await states(absent)).toEqual(absent.map(() => "FAILED")), PATIENCE);
      } finally {
        socket.close();
      }
      const sent = (await classOf("signalling")).sent.packets - before.sent.packets;
      expect(sent).toBeGreaterThanOrEqual(10);
      expect(sent).toBeLessThan(80);
    });
  });
});

/** Test packets in the trees that the router itself makes: those of a pool are in its class, whatever its rules are. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LinuxKernel, openLinuxKernel } from "../../../src/kernel/linux.js";
import { classHandle } from "../../../src/kernel/tc/difference.js";
import { minorOfPool } from "../../../src/kernel/tc/tree.js";
import { SYSTEM_CLOCK } from "../../../src/model/clock.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { dscp, millis, seconds } from "../../../src/model/units.js";
import { type OpenedSockets, openSockets } from "../../../src/stamp/endpoint/open-sockets.js";
import { StampEndpoint } from "../../../src/stamp/endpoint/stamp-endpoint.js";
import { desired, flow, link, pool } from "../../kernel/fixtures.js";
import { inOwnNamespace, run } from "../../kernel/real/namespace.js";
import { FAR, farSockets, NEAR, plugIn } from "./two-edges.js";

const PORT = 862;

inOwnNamespace(import.meta.url, () => {
  describe("test packets of pools", () => {
    let kernel: LinuxKernel;
    let near: StampEndpoint;
    let far: StampEndpoint;

    const open = (address: string, opened: OpenedSockets) =>
      StampEndpoint.open({
        addresses: [address],
        port: PORT,
        reflector: { maxSessions: 100, rate: 2000, idle: seconds(60) },
        timeout: millis(300),
        clockKind: "synchronised",
        clock: SYSTEM_CLOCK,
        log: SILENT_LOGGER,
        opened,
      });
    const sentBy = async (id: number): Promise<number> =>
      (await kernel.read()).classes.find((found) => found.kind === "pool" && found.pool === id)?.sent.packets ?? -1;

    beforeAll(async () => {
      await plugIn();
      await run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward");
      kernel = await openLinuxKernel({ table: "sluice_test", log: SILENT_LOGGER });
      const wanted = desired([flow(1)], {
        interfaces: [link("to-far", 1_000_000)],
        pools: [pool(1, 2000), pool(7, 1000)],
        signalling: [{ protocol: "udp", port: 5060, servers: [FAR.v4] }],
      });
      await kernel.apply(wanted, kernel.plan(wanted, await kernel.read()));
      near = await open(NEAR.v4, openSockets());
      far = await open(FAR.v4, farSockets());
    });
    afterAll(async () => {
      near.close();
      far.close();
      await kernel.cleanup();
      await kernel.close();
    });

    it("are in its class, each of them, and answers to the other edge are too", async () => {
      const common = { remote: FAR.v4, port: PORT, dscp: dscp(46), interval: millis(20) };
      const [before1, before7] = [await sentBy(1), await sentBy(7)];
      near.setSessions([1, 7].map((id) => ({ ...common, id, priority: classHandle(minorOfPool(id)) })));
      far.setSessions([{ ...common, id: 7, remote: NEAR.v4, priority: 0 }]);
      await new Promise((resolve) => setTimeout(resolve, 1500));
      near.setSessions([]);
      far.setSessions([]);
      const [sent, reflected] = [near.counters.get("sent"), near.counters.get("reflected")];
      const [in1, in7] = [(await sentBy(1)) - before1, (await sentBy(7)) - before7];
      expect(sent).toBeGreaterThan(50);
      expect(reflected).toBeGreaterThan(25);
      // The last of the far edge's may have come when nothing was measured here any more.
      expect(in1 + in7).toBeGreaterThanOrEqual(sent + reflected - 1);
      expect(in1).toBeLessThanOrEqual(sent / 2 + 1);
      expect(in7).toBeGreaterThan(in1 + reflected / 2);
    });
  });
});

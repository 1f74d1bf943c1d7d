import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type LinuxKernel, openLinuxKernel } from "../../../src/kernel/linux.js";
import type { FlowRule } from "../../../src/kernel/port.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { dscp, octets, toBitsPerSecond } from "../../../src/model/units.js";
import { reconcile } from "../contract.js";
import { desired, drop, flow, link, pool, remark } from "../fixtures.js";
import { inOwnNamespace } from "./namespace.js";
import { A, B, type Burst, buildPath, countAt, received, send } from "./path.js";

const SIZE = 200;
const BUCKET = 10;
const SENT = 30;
const LARGE = 1500;
const PATIENCE = { timeout: 15_000, interval: 10 };
/** 11 packets a second: none is earned while a burst is being sent. By octets the bucket would hold 21. */
const TIGHT = {
  rate: toBitsPerSecond((11 * SIZE) as Parameters<typeof toBitsPerSecond>[0]),
  burst: octets(BUCKET * SIZE),
  packetSize: octets(SIZE),
};

type Family = "v4" | "v6";
const media = (port: number, family: Family): FlowRule["key"] => ({
  protocol: "udp",
  source: { address: A[family], port: 5000 },
  destination: { address: B[family], port },
});
const anySource = (port: number, family: Family): FlowRule["key"] => {
  const key = media(port, family);
  return { ...key, source: { ...key.source, port: undefined } };
};
const burst = (port: number, family: Family, packets = SENT, size = SIZE): Burst => ({
  from: { address: A[family], port: 5000 },
  to: { address: B[family], port },
  packets,
  size,
});

inOwnNamespace(import.meta.url, () => {
  describe("tight token buckets", () => {
    let kernel: LinuxKernel;
    const open = (): Promise<LinuxKernel> => openLinuxKernel({ table: "sluice_test", log: SILENT_LOGGER });
    const flows = [
      flow(1, { ...TIGHT, key: media(6001, "v4"), dscp: dscp(46), outOfProfile: drop }),
      flow(2, { ...TIGHT, key: media(6002, "v4"), dscp: dscp(34), outOfProfile: remark(36) }),
      flow(3, { ...TIGHT, key: media(6003, "v6"), dscp: dscp(46), outOfProfile: remark(0) }),
      flow(4, { ...TIGHT, key: anySource(6004, "v6"), dscp: dscp(34), outOfProfile: remark(36) }),
      flow(5, { ...TIGHT, key: anySource(6005, "v4"), dscp: dscp(46), outOfProfile: drop }),
      flow(6, { ...TIGHT, key: media(6006, "v4"), dscp: dscp(34), outOfProfile: remark(36) }),
      flow(7, { ...TIGHT, key: anySource(6007, "v6"), dscp: dscp(46), outOfProfile: drop }),
    ];
    const wanted = desired(flows, { interfaces: [link("to-b", 1_000_000)], pools: [pool(1, 2000)] });
    const countersOf = async (id: number) => {
      const found = (await kernel.counters()).get(id)!;
      return [found.inProfile.packets, found.inProfile.octets, found.outOfProfile.packets, found.outOfProfile.octets];
    };

    beforeAll(async () => {
      await buildPath();
      await countAt([6001, 6002, 6003, 6004, 6005, 6006, 6007], [0, 34, 36, 46]);
      kernel = await open();
      await reconcile(kernel, wanted);
    });
    afterAll(async () => {
      await kernel.cleanup();
      await kernel.close();
    });

    it("are read back after a restart exactly as they were wanted", async () => {
      const second = await open();
      const observed = await second.read();
      expect(new Map([...observed.flows].map(([id, { rule }]) => [id, rule]))).toEqual(wanted.flows);
      expect(second.plan(wanted, observed)).toEqual([]);
      await second.close();
    });

    it("let through exactly the burst: what is above is dropped, re-marked, or best effort", async () => {
      await send("a", [burst(6001, "v4"), burst(6002, "v4"), burst(6003, "v6"), burst(6004, "v6"), burst(6005, "v4")]);
      await vi.waitFor(async () => {
        expect(await received()).toEqual({
          "6001/46": BUCKET,
          "6002/34": BUCKET,
          "6002/36": SENT - BUCKET,
          "6003/46": BUCKET,
          "6003/0": SENT - BUCKET,
          "6004/34": BUCKET,
          "6004/36": SENT - BUCKET,
          "6005/46": BUCKET,
        });
      }, PATIENCE);
      for (const id of [1, 2, 3, 4, 5])
        expect(await countersOf(id)).toEqual([BUCKET, BUCKET * SIZE, SENT - BUCKET, (SENT - BUCKET) * SIZE]);
    });

    it("let through no packet that is larger than the flow's", async () => {
      const few = 4;
      await send("a", [
        burst(6006, "v4", few, LARGE),
        burst(6007, "v6", few, LARGE),
        // The large ones took their part of the bucket.
        burst(6006, "v4", BUCKET - few),
        burst(6007, "v6", BUCKET - few),
      ]);
      await vi.waitFor(async () => {
        expect(await received()).toMatchObject({ "6006/34": BUCKET - few, "6006/36": few, "6007/46": BUCKET - few });
      }, PATIENCE);
      for (const id of [6, 7])
        expect(await countersOf(id)).toEqual([BUCKET - few, (BUCKET - few) * SIZE, few, few * LARGE]);
      expect(await received()).not.toHaveProperty("6007/0");
    });
  });
});

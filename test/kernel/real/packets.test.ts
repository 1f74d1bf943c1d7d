import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type LinuxKernel, openLinuxKernel } from "../../../src/kernel/linux.js";
import type { FlowRule, ObservedClass } from "../../../src/kernel/port.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { dscp, kilobitsPerSecond, octets } from "../../../src/model/units.js";
import { reconcile } from "../contract.js";
import { desired, flow, link, pool, remark } from "../fixtures.js";
import { inOwnNamespace, run } from "./namespace.js";
import { A, B, type Burst, buildPath, countAt, received, send } from "./path.js";

const PACKETS = 100;
const MANY = 20_000;
const PATIENCE = { timeout: 15_000, interval: 10 };
const SIZE = 200;
/** 8000 octets/s and a burst of 1000: the bucket holds 45 packets of 200 octets. */
const POLICED = { rate: kilobitsPerSecond(64), burst: octets(1000) };
const BUCKET = 45;
/** The fixture's 10 000 octets/s and burst of 1500. */
const WIDE_BUCKET = 57;

const media = (port: number, family: "v4" | "v6" = "v4", sourcePort: number | "any" = 5000): FlowRule["key"] => ({
  protocol: "udp",
  source: { address: A[family], port: sourcePort === "any" ? undefined : sourcePort },
  destination: { address: B[family], port },
});

const burst = (port: number, family: "v4" | "v6" = "v4"): Burst => ({
  from: { address: A[family], port: 5000 },
  to: { address: B[family], port },
  packets: PACKETS,
  size: SIZE,
});

inOwnNamespace(import.meta.url, () => {
  describe("packets through the router", () => {
    let kernel: LinuxKernel;
    const flows = [
      flow(1, { key: media(6001), dscp: dscp(46), ...POLICED, outOfProfile: { action: "drop" } }),
      flow(2, { key: media(6002), dscp: dscp(34), pool: 2, ...POLICED, outOfProfile: remark(36) }),
      flow(3, { key: media(6003, "v6"), dscp: dscp(46), ...POLICED, outOfProfile: remark(0) }),
      flow(4, { key: media(6004, "v6", "any"), dscp: dscp(46), outOfProfile: { action: "drop" } }),
      flow(5, { key: media(6005, "v4", "any"), dscp: dscp(63), outOfProfile: { action: "drop" } }),
    ];
    const wanted = desired(flows, {
      interfaces: [link("to-b", 1_000_000)],
      pools: [pool(1, 2000), pool(2, 1000)],
      signalling: [{ protocol: "udp", port: 5060, servers: [B.v4, B.v6] }],
    });
    const classOf = async (kind: ObservedClass["kind"], id?: number): Promise<number> =>
      (await kernel.read()).classes.find((entry) => entry.kind === kind && entry.pool === id)?.sent.packets ?? -1;

    beforeAll(async () => {
      await buildPath();
      // Another program's mark must not become a claim on a pool.
      await run("nft", "table ip other { chain pre { type filter hook prerouting priority raw; meta mark set 1; }; }");
      await countAt([6001, 6002, 6003, 6004, 6005, 6009, 5060], [0, 24, 34, 36, 46, 63]);
      kernel = await openLinuxKernel({ table: "sluice_test", log: SILENT_LOGGER });
      await reconcile(kernel, wanted);
    });
    afterAll(async () => {
      await kernel.cleanup();
      await kernel.close();
    });

    it("marks, polices, classifies and counts each of them", async () => {
      await send("a", [
        ...[6001, 6002].map((port) => burst(port)),
        burst(6003, "v6"),
        burst(6004, "v6"),
        burst(6005),
        burst(6009),
      ]);
      const counters = await vi.waitFor(async () => {
        const found = await kernel.counters();
        for (const id of [1, 2, 3, 4, 5]) {
          const { inProfile, outOfProfile } = found.get(id)!;
          expect(inProfile.packets + outOfProfile.packets).toBe(PACKETS);
          expect(inProfile.octets).toBe(inProfile.packets * SIZE);
          expect(outOfProfile.octets).toBe(outOfProfile.packets * SIZE);
        }
        const dropped = [1, 4, 5].reduce((sum, id) => sum + found.get(id)!.outOfProfile.packets, 0);
        const arrived = Object.values(await received()).reduce((sum, packets) => sum + packets, 0);
        expect(arrived).toBe(PACKETS * 6 - dropped);
        return found;
      }, PATIENCE);
      const inProfile = (id: number): number => counters.get(id)!.inProfile.packets;
      for (const [id, bucket] of [
        [1, BUCKET],
        [2, BUCKET],
        [3, BUCKET],
        [4, WIDE_BUCKET],
        [5, WIDE_BUCKET],
      ] as const) {
        expect(inProfile(id)).toBeGreaterThanOrEqual(bucket);
        expect(inProfile(id)).toBeLessThan(PACKETS);
      }
      expect(await received()).toEqual({
        "6001/46": inProfile(1),
        "6002/34": inProfile(2),
        "6002/36": PACKETS - inProfile(2),
        "6003/46": inProfile(3),
        "6003/0": PACKETS - inProfile(3),
        "6004/46": inProfile(4),
        "6005/63": inProfile(5),
        "6009/0": PACKETS,
      });
      expect(await classOf("pool", 1)).toBe(inProfile(1) + inProfile(3) + inProfile(4) + inProfile(5));
      expect(await classOf("pool", 2)).toBe(inProfile(2));
      // Best effort: re-marked packets and what is no session, foreign mark or not. Neighbour discovery may add to it.
      expect(await classOf("default")).toBeGreaterThanOrEqual(PACKETS * 3 - inProfile(2) - inProfile(3));
    });

    it("marks signalling of others and its own, and only to and from the servers", async () => {
      const before = await classOf("signalling");
      const call = { packets: 10, size: 500 };
      await send("a", [
        { from: { address: A.v4, port: 5061 }, to: { address: B.v4, port: 5060 }, ...call },
        { from: { address: A.v6, port: 5061 }, to: { address: B.v6, port: 5060 }, ...call },
        { from: { address: A.v4, port: 5060 }, to: { address: B.v4, port: 6009 }, ...call },
      ]);
      await send(undefined, [
        { from: { address: "198.51.100.1", port: 5061 }, to: { address: B.v4, port: 5060 }, ...call },
      ]);
      await vi.waitFor(async () => {
        expect(await received()).toMatchObject({ "5060/24": 30, "6009/0": PACKETS + 10 });
        expect(await classOf("signalling")).toBe(before + 30);
      }, PATIENCE);
    });

    it("gives the exact last counters of what it removes while packets flow", async () => {
      const seen = async (): Promise<number> => (await received())["6004/46"] ?? 0;
      const start = await seen();
      const before = (await kernel.counters()).get(4)!.inProfile.packets;
      expect(before).toBe(start);
      const generous = flow(4, { ...flows[3], rate: kilobitsPerSecond(1_000_000) });
      const state = { ...wanted, flows: new Map([...wanted.flows, [4, generous]]) };
      const changed = await kernel.apply(state, kernel.plan(state, await kernel.read()));
      expect(changed.removed.get(4)?.inProfile.packets).toBe(before);
      expect(changed.removed.get(4)?.outOfProfile.packets).toBe(PACKETS - before);
      const sending = send("a", [{ ...burst(6004, "v6"), packets: MANY }]);
      await vi.waitFor(
        async () => expect((await kernel.counters()).get(4)!.inProfile.packets).toBeGreaterThan(50),
        PATIENCE,
      );
      const gone = { ...state, flows: new Map([...state.flows].filter(([id]) => id !== 4)) };
      const { removed } = await kernel.apply(gone, [{ kind: "flow.remove", rule: generous }]);
      await sending;
      const last = removed.get(4)!;
      await vi.waitFor(async () => expect((await received())["6004/0"]).toBe(MANY - last.inProfile.packets), PATIENCE);
      expect(last.inProfile.packets).toBeGreaterThan(50);
      expect(last.inProfile.packets).toBeLessThan(MANY);
      expect(await seen()).toBe(start + last.inProfile.packets);
    });
  });
});

/** What the eBPF back end does to packets on their way through a router. */
import { cpus } from "node:os";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { CLOCK_TICK_NS } from "../../../src/kernel/ebpf/bucket.js";
import { openEbpfKernel } from "../../../src/kernel/ebpf/open.js";
import type { LinuxKernel } from "../../../src/kernel/linux.js";
import type { DesiredState, FlowRule, ObservedClass } from "../../../src/kernel/port.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { dscp, kilobitsPerSecond, octets, toBytesPerSecond } from "../../../src/model/units.js";
import { reconcile } from "../contract.js";
import { desired, flow, link, pool, remark } from "../fixtures.js";
import { inOwnNamespace, run } from "./namespace.js";
import { A, B, type Burst, buildPath, countAt, flood, received, send } from "./path.js";

const PACKETS = 100;
const MANY = 20_000;
const SIZE = 200;
const PATIENCE = { timeout: 15_000, interval: 10 };
/** 8000 octets/s. */
const POLICED = { rate: kilobitsPerSecond(64), burst: octets(4000) };
const TIGHT = { ...POLICED, burst: octets(1000), packetSize: octets(SIZE) };

const media = (port: number, family: "v4" | "v6" = "v4"): FlowRule["key"] => ({
  protocol: "udp",
  source: { address: A[family], port: 5000 },
  destination: { address: B[family], port },
});

const fromAnyPort = (key: FlowRule["key"]): FlowRule["key"] => ({ ...key, source: { ...key.source, port: undefined } });

const burst = (port: number, family: "v4" | "v6" = "v4", sourcePort = 5000): Burst => ({
  from: { address: A[family], port: sourcePort },
  to: { address: B[family], port },
  packets: PACKETS,
  size: SIZE,
});

/** Whole packets in a full bucket. */
const bucketOf = ({ rate, burst: held, packetSize = octets(1500) }: FlowRule): number =>
  Math.floor((Math.max(held, packetSize) + (toBytesPerSecond(rate) * CLOCK_TICK_NS) / 1e9) / SIZE);

inOwnNamespace(import.meta.url, () => {
  describe("packets through the router, eBPF", () => {
    let kernel: LinuxKernel;
    const flows = [
      flow(1, { key: media(6001), dscp: dscp(46), ...POLICED }),
      flow(2, { key: media(6002), dscp: dscp(34), pool: 2, ...POLICED, outOfProfile: remark(36) }),
      flow(3, { key: media(6003, "v6"), dscp: dscp(46), ...POLICED, outOfProfile: remark(0) }),
      flow(4, { key: fromAnyPort(media(6004, "v6")), dscp: dscp(46), ...TIGHT }),
      flow(5, { key: fromAnyPort(media(6005)), dscp: dscp(63), ...TIGHT }),
      flow(6, { key: media(6006), dscp: dscp(46), ...TIGHT, burst: octets(0) }),
    ];
    const wanted: DesiredState = desired(flows, {
      interfaces: [link("to-b", 1_000_000)],
      pools: [pool(1, 2000), pool(2, 1000)],
      signalling: [{ protocol: "udp", port: 5060, servers: [B.v4, B.v6] }],
    });
    const open = (maxFlows = 4096): Promise<LinuxKernel> =>
      openEbpfKernel({ table: "sluice_test", log: SILENT_LOGGER, maxFlows });
    const classOf = async (kind: ObservedClass["kind"], id?: number): Promise<number> =>
      (await kernel.read()).classes.find((entry) => entry.kind === kind && entry.pool === id)?.sent.packets ?? -1;
    const without = (id: number): DesiredState => ({
      ...wanted,
      flows: new Map([...wanted.flows].filter(([each]) => each !== id)),
    });

    beforeAll(async () => {
      await buildPath();
      await countAt([6001, 6002, 6003, 6004, 6005, 6006, 6007, 6008, 6009, 5060], [0, 24, 34, 36, 46, 63]);
      kernel = await open();
      await reconcile(kernel, wanted);
    });
    afterAll(async () => {
      await kernel.cleanup();
      await kernel.close();
    });

    it("are marked, policed to the octet, classified and counted", async () => {
      const start = performance.now();
      await send("a", [
        ...[6001, 6002].map((port) => burst(port)),
        burst(6003, "v6"),
        burst(6004, "v6", 5002),
        burst(6005, "v4", 5003),
        ...[6006, 6009].map((port) => burst(port)),
        // The right ports of two flows, but not of one: no session's packets.
        burst(6001, "v4", 5001),
        burst(6003, "v6", 5001),
      ]);
      const seconds = (performance.now() - start) / 1000;
      const counters = await vi.waitFor(async () => {
        const found = await kernel.counters();
        for (const { id } of flows) {
          const { inProfile, outOfProfile } = found.get(id)!;
          expect(inProfile.packets + outOfProfile.packets).toBe(PACKETS);
          expect(inProfile.octets).toBe(inProfile.packets * SIZE);
          expect(outOfProfile.octets).toBe(outOfProfile.packets * SIZE);
        }
        const dropped = [1, 4, 5, 6].reduce((sum, id) => sum + found.get(id)!.outOfProfile.packets, 0);
        const arrived = Object.values(await received()).reduce((sum, packets) => sum + packets, 0);
        expect(arrived).toBe(PACKETS * 9 - dropped);
        return found;
      }, PATIENCE);
      const inProfile = (id: number): number => counters.get(id)!.inProfile.packets;
      for (const rule of flows) {
        expect(inProfile(rule.id), `flow ${rule.id}`).toBeGreaterThanOrEqual(bucketOf(rule));
        const earned = Math.ceil((seconds * toBytesPerSecond(rule.rate)) / SIZE);
        expect(inProfile(rule.id), `flow ${rule.id}`).toBeLessThanOrEqual(Math.min(PACKETS, bucketOf(rule) + earned));
      }
      expect(await received()).toEqual({
        "6001/46": inProfile(1),
        "6001/0": PACKETS,
        "6002/34": inProfile(2),
        "6002/36": PACKETS - inProfile(2),
        "6003/46": inProfile(3),
        "6003/0": PACKETS - inProfile(3) + PACKETS,
        "6004/46": inProfile(4),
        "6005/63": inProfile(5),
        "6006/46": inProfile(6),
        "6009/0": PACKETS,
      });
      expect(await classOf("pool", 1)).toBe([1, 3, 4, 5, 6].reduce((sum, id) => sum + inProfile(id), 0));
      expect(await classOf("pool", 2)).toBe(inProfile(2));
      expect(await classOf("default")).toBeGreaterThanOrEqual(PACKETS * 5 - inProfile(2) - inProfile(3));
    });

    it("of signalling are marked, those of others and the router's own, and only to and from the servers", async () => {
      const start = await classOf("signalling");
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
        expect(await classOf("signalling")).toBe(start + 30);
      }, PATIENCE);
    });

    it("that resolve addresses go with signalling", async () => {
      const start = await classOf("signalling");
      // Nobody has the address: three ARP requests, and as many solicitations for the other.
      for (const address of ["198.51.100.77", "2001:db8:2::77"]) {
        await run("sh", "-c", `ping -c 1 -W 1 ${address} >/dev/null || true`);
      }
      await vi.waitFor(async () => expect(await classOf("signalling")).toBeGreaterThanOrEqual(start + 4), PATIENCE);
    });

    it("keep their mark while their flow is resized again and again", async () => {
      const sizes = [1_000_000, 900_000].map((kilobits) =>
        flow(7, { key: media(6007), rate: kilobitsPerSecond(kilobits), burst: octets(1_000_000) }),
      );
      const [one, other] = [sizes[0]!, sizes[1]!];
      const state = { ...wanted, flows: new Map([...wanted.flows, [7, one]]) };
      await kernel.apply(state, [{ kind: "flow.add", rule: one }]);
      let isSending = true;
      const sending = send("a", [{ ...burst(6007), packets: MANY }]).finally(() => {
        isSending = false;
      });
      let resized = 0;
      const counted: number[] = [];
      for (let now = one, next = other; isSending; [now, next] = [next, now]) {
        const { removed } = await kernel.apply(state, [
          { kind: "flow.remove", rule: now },
          { kind: "flow.add", rule: next },
        ]);
        counted.push(removed.get(7)!.inProfile.packets);
        resized += 1;
        if (resized % 16 === 0) await new Promise((done) => setTimeout(done, 1));
      }
      await sending;
      const last = (await kernel.counters()).get(7)!;
      await vi.waitFor(async () => {
        const { "6007/46": marked = 0, "6007/0": unmarked = 0 } = await received();
        expect([marked, unmarked]).toEqual([MANY, 0]);
      }, PATIENCE);
      expect(resized).toBeGreaterThan(100);
      expect(counted.filter((packets) => packets > 0).length).toBeGreaterThan(10);
      // A packet between the reading of the old entry and the setting of the new one is carried, and not counted.
      const sum = counted.reduce((total, packets) => total + packets, last.inProfile.packets);
      expect(last.outOfProfile.packets).toBe(0);
      expect(sum).toBeLessThanOrEqual(MANY);
      expect(sum).toBeGreaterThan(MANY * 0.95);
      await reconcile(kernel, wanted);
    });

    it("keep their mark while the maps are made anew for another limit of flows", async () => {
      const generous = { rate: kilobitsPerSecond(1_000_000), burst: octets(1_000_000) };
      const rule = flow(8, { key: fromAnyPort(media(6008)), ...generous });
      const state = { ...wanted, flows: new Map([...wanted.flows, [8, rule]]) };
      await kernel.apply(state, [{ kind: "flow.add", rule }]);
      const stop = flood(6008, 1000);
      const packets = async (): Promise<number> => (await kernel.counters([rule])).get(8)!.inProfile.packets;
      for (const maxFlows of [8192, 4096, 8192, 4096]) {
        const start = await packets();
        await vi.waitFor(async () => expect(await packets()).toBeGreaterThan(start), PATIENCE);
        const next = await open(maxFlows);
        const changes = next.plan(state, await next.read());
        expect(changes).toEqual([{ kind: "structure" }]);
        await next.apply(state, changes);
        await next.close();
      }
      await stop();
      await vi.waitFor(async () => {
        const { "6008/46": marked = 0, "6008/0": unmarked = 0 } = await received();
        expect(unmarked).toBe(0);
        expect(await packets()).toBeLessThanOrEqual(marked);
        // Those between two calls for the flow, once for each time: what comes in 20 ms, should the machine be busy.
        expect(await packets()).toBeGreaterThan(marked - 80);
      }, PATIENCE);
      await reconcile(kernel, wanted);
    });

    it("are counted to the last one of a flow that goes", async () => {
      const generous = flow(4, { ...flows[3], rate: kilobitsPerSecond(1_000_000), burst: octets(1_000_000) });
      const before = (await kernel.counters()).get(4)!;
      const state = { ...wanted, flows: new Map([...wanted.flows, [4, generous]]) };
      const changed = await kernel.apply(state, kernel.plan(state, await kernel.read()));
      expect(changed.removed.get(4)).toEqual(before);
      const seen = async (): Promise<number> => (await received())["6004/46"] ?? 0;
      const start = await seen();
      const sending = send("a", [{ ...burst(6004, "v6"), packets: MANY }]);
      await vi.waitFor(
        async () => expect((await kernel.counters([generous])).get(4)!.inProfile.packets).toBeGreaterThan(50),
        PATIENCE,
      );
      const { removed } = await kernel.apply(without(4), [{ kind: "flow.remove", rule: generous }]);
      await sending;
      const last = removed.get(4)!.inProfile.packets;
      await vi.waitFor(
        async () => expect((await seen()) - start + ((await received())["6004/0"] ?? 0)).toBe(MANY),
        PATIENCE,
      );
      expect(last).toBeLessThan(MANY);
      // A packet that had found the flow when it went is marked, and counted too late: one for each processor at most.
      const uncounted = (await seen()) - start - last;
      expect(uncounted).toBeGreaterThanOrEqual(0);
      expect(uncounted).toBeLessThanOrEqual(cpus().length);
      await reconcile(kernel, wanted);
    });

    it("are counted on after a restart", async () => {
      const second = await open();
      const observed = await second.read();
      expect(second.plan(wanted, observed)).toEqual([]);
      expect(new Map([...observed.flows].map(([id, { counters }]) => [id, counters]))).toEqual(await kernel.counters());
      const count = observed.flows.get(5)!.counters;
      await second.close();
      await send("a", [burst(6005)]);
      await vi.waitFor(async () => {
        const { inProfile, outOfProfile } = (await kernel.counters()).get(5)!;
        const sum = count.inProfile.packets + count.outOfProfile.packets + PACKETS;
        expect(inProfile.packets + outOfProfile.packets).toBe(sum);
      }, PATIENCE);
    });
  });
});

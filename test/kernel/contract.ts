/** What every implementation of the kernel port does. */
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { samePool, sameRule, sameTunnel } from "../../src/kernel/plan.js";
import type {
  AggregateMatch,
  DesiredState,
  FlowRule,
  KernelPort,
  ManagedInterface,
  PoolClass,
  Tunnel,
  TunnelId,
} from "../../src/kernel/port.js";
import { dscp, kilobitsPerSecond, octets } from "../../src/model/units.js";
import { ZERO_FLOW_COUNTERS } from "../../src/model/usage.js";
import { desired as desiredState, flow, flow6, pool, remark } from "./fixtures.js";

export interface ContractSubject {
  readonly kernel: KernelPort;
  readonly interfaces: readonly ManagedInterface[];
  /** Another port onto the same kernel, as after a restart. */
  reopen(): Promise<KernelPort>;
}

/** What not every back end can do; one that cannot must refuse it before anything is touched. */
export interface Capabilities {
  /** Flows that differ in the source port alone are told apart. */
  readonly sourcePortAlone: boolean;
  readonly tunnels: boolean;
  /** Pools carry packets of aggregates. */
  readonly aggregates: boolean;
}

const EVERYTHING: Capabilities = { sourcePortAlone: true, tunnels: true, aggregates: true };

type Subject = ContractSubject;

export async function reconcile(kernel: KernelPort, wanted: DesiredState): Promise<void> {
  await kernel.apply(wanted, kernel.plan(wanted, await kernel.read()));
}

async function expectHeld(kernel: KernelPort, wanted: DesiredState): Promise<void> {
  const observed = await kernel.read();
  expect(kernel.plan(wanted, observed)).toEqual([]);
  expect(observed.structure).toBe(true);
  expect([...observed.flows.keys()].sort()).toEqual([...wanted.flows.keys()].sort());
  for (const rule of wanted.flows.values()) expect(sameRule(observed.flows.get(rule.id)!.rule, rule)).toBe(true);
  expect([...observed.pools.keys()].sort()).toEqual([...wanted.pools.keys()].sort());
  for (const entry of wanted.pools.values()) expect(samePool(observed.pools.get(entry.id)!, entry)).toBe(true);
  expect([...observed.tunnels.keys()].sort()).toEqual([...wanted.tunnels.keys()].sort());
  for (const entry of wanted.tunnels.values()) expect(sameTunnel(observed.tunnels.get(entry.id)!, entry)).toBe(true);
}

const tunnel = (id: TunnelId, changes: Partial<Tunnel> = {}): Tunnel => ({
  id,
  name: `core ${id}`,
  kind: "vxlan",
  local: "203.0.113.1",
  remote: "203.0.113.2",
  sourcePort: 50_000 + 2 * id,
  destinationPort: 4789,
  mtu: octets(1450),
  ...changes,
});

const tunnelMap = (...tunnels: readonly Tunnel[]): DesiredState["tunnels"] =>
  new Map(tunnels.map((entry) => [entry.id, entry]));

const anySource = (rule: FlowRule): FlowRule => ({
  ...rule,
  key: { ...rule.key, source: { ...rule.key.source, port: undefined } },
});

const arbitraryFlow: fc.Arbitrary<FlowRule> = fc
  .record({
    id: fc.integer({ min: 1, max: 12 }),
    six: fc.boolean(),
    any: fc.boolean(),
    tcp: fc.boolean(),
    rate: fc.integer({ min: 1, max: 50_000 }),
    burst: fc.integer({ min: 0, max: 100_000 }),
    code: fc.integer({ min: 0, max: 63 }),
    out: fc.option(fc.integer({ min: 0, max: 63 }), { nil: undefined }),
    pool: fc.integer({ min: 1, max: 3 }),
    tunnel: fc.option(fc.integer({ min: 1, max: 2 }), { nil: undefined }),
  })
  .map(({ id, six, any, tcp, rate, burst, code, out, pool: poolId, tunnel: tunnelId }) => {
    const rule = (six ? flow6 : flow)(id, {
      rate: kilobitsPerSecond(rate),
      burst: octets(burst),
      dscp: code as FlowRule["dscp"],
      pool: poolId,
      ...(out === undefined ? {} : { outOfProfile: remark(out) }),
      ...(tunnelId === undefined ? {} : { tunnel: tunnelId }),
    });
    const typed: FlowRule = tcp ? { ...rule, key: { ...rule.key, protocol: "tcp" } } : rule;
    return any ? anySource(typed) : typed;
  });

const codePoint = (code: number): AggregateMatch => ({ by: "codePoint", dscp: dscp(code) });

const PLAIN: readonly AggregateMatch[] = [
  {
    by: "flow",
    protocol: 17,
    source: { address: "203.0.113.1", port: 50_000 },
    destination: { address: "203.0.113.2", port: 4789 },
  },
  { by: "flow", protocol: 6, source: { address: "2001:db8::1" }, destination: { address: "2001:db8::2", port: 80 } },
  { by: "flow", protocol: 50, source: { address: "203.0.113.1" }, destination: { address: "203.0.113.2" } },
];

const carrying = (entry: PoolClass, carries: readonly AggregateMatch[], only?: string): PoolClass => ({
  ...entry,
  carries,
  ...(only === undefined ? {} : { only }),
});

/** No two of them carry the same. */
const arbitraryAggregates: fc.Arbitrary<readonly PoolClass[]> = fc
  .tuple(fc.subarray([0, 10, 46, 63]), fc.subarray([...PLAIN]), fc.option(fc.constantFrom("wan0", "lan0")), fc.nat(1))
  .map(([codes, flows, only, shift]) => {
    const matches = [...codes.map(codePoint), ...flows];
    const [mine, others] = [matches.filter((_, at) => at % 2 === shift), matches.filter((_, at) => at % 2 !== shift)];
    return [carrying(pool(0x4000), mine, only ?? undefined), carrying(pool(0x4001), others, "wan0")].filter(
      ({ carries = [] }) => carries.length > 0,
    );
  });

const arbitraryPools: fc.Arbitrary<readonly PoolClass[]> = fc
  .tuple(
    fc.integer({ min: 8, max: 9000 }),
    fc.integer({ min: 8, max: 9000 }),
    fc.option(fc.constant({ ...pool(9), only: "lan0" })),
    arbitraryAggregates,
  )
  .map(([first, second, extra, aggregates]) => [
    pool(1, first),
    pool(2, second, 'access "down" 100%'),
    pool(3),
    ...(extra === null ? [] : [extra]),
    ...aggregates,
  ]);

export function describeKernelContract(
  name: string,
  make: () => Promise<Subject>,
  capabilities: Capabilities = EVERYTHING,
): void {
  describe(`kernel contract: ${name}`, () => {
    let subject: Subject;
    let kernel: KernelPort;
    const wanted: typeof desiredState = (flows, options = {}) =>
      desiredState(flows, { interfaces: subject.interfaces, ...options });

    beforeEach(async () => {
      subject = await make();
      kernel = subject.kernel;
    });
    afterEach(async () => {
      await kernel.cleanup();
      await kernel.close();
    });

    it("holds nothing at first", async () => {
      const observed = await kernel.read();
      expect(observed.structure).toBe(false);
      expect(observed.structureId).toBeUndefined();
      expect([observed.flows.size, observed.pools.size, observed.classes.length]).toEqual([0, 0, 0]);
      expect((await kernel.counters()).size).toBe(0);
    });

    it("installs every kind of flow and reads it back", async () => {
      const state = wanted([
        flow(1),
        flow(2, { outOfProfile: remark(36), rate: kilobitsPerSecond(2_000_000) }),
        flow6(3, { outOfProfile: remark(0) }),
        anySource(flow(4)),
        anySource(flow6(5)),
        flow(6, { key: { ...flow(6).key, protocol: "tcp" }, burst: octets(0) }),
      ]);
      await reconcile(kernel, state);
      await expectHeld(kernel, state);
      const counters = await kernel.counters();
      expect([...counters.keys()].sort()).toEqual([1, 2, 3, 4, 5, 6]);
      expect(counters.get(1)).toEqual(ZERO_FLOW_COUNTERS);
      const rules = [...state.flows.values()];
      const absent = rules
        .slice(0, 1)
        .map((rule) => ({ ...rule, id: 99, key: { ...rule.key, destination: { ...rule.key.destination, port: 9 } } }));
      expect(await kernel.counters([...rules.slice(0, 2), ...absent])).toEqual(
        new Map(rules.slice(0, 2).map(({ id }) => [id, ZERO_FLOW_COUNTERS])),
      );
    });

    it("rounds a rate up to whole octets per second and plans no change for that", async () => {
      const state = wanted([flow(1, { rate: 64_001 as FlowRule["rate"] })]);
      await reconcile(kernel, state);
      expect((await kernel.read()).flows.get(1)?.rule.rate).toBe(64_008);
      await expectHeld(kernel, state);
    });

    it("reads after a restart what was installed before", async () => {
      const state = wanted([flow(1), flow6(2)], { pools: [pool(1), pool(2, 500)] });
      await reconcile(kernel, state);
      const second = await subject.reopen();
      await expectHeld(second, state);
      await reconcile(second, wanted([flow(1)], { pools: [pool(1)] }));
      await second.close();
      await expectHeld(kernel, wanted([flow(1)], { pools: [pool(1)] }));
    });

    it("shows the classes of every managed interface", async () => {
      await reconcile(kernel, wanted([], { pools: [pool(1, 3000)] }));
      const { classes } = await kernel.read();
      for (const { name, rate, signallingRate } of subject.interfaces) {
        const mine = classes.filter((entry) => entry.interface === name);
        expect(mine.find((entry) => entry.kind === "link")).toMatchObject({ rate, ceil: rate });
        expect(mine.find((entry) => entry.kind === "signalling")).toMatchObject({ rate: signallingRate });
        expect(mine.find((entry) => entry.kind === "pool")).toMatchObject({ pool: 1, rate: 3_000_000, ceil: rate });
        expect(mine.filter((entry) => entry.kind === "default")).toHaveLength(1);
      }
    });

    it("gives the final counters of what it removes", async () => {
      await reconcile(kernel, wanted([flow(1), flow(2)]));
      const state = wanted([flow(2)]);
      const result = await kernel.apply(state, [{ kind: "flow.remove", rule: flow(1) }]);
      expect([...result.removed]).toEqual([[1, ZERO_FLOW_COUNTERS]]);
      await expectHeld(kernel, state);
    });

    it("changes a flow by removing and adding it in one step", async () => {
      await reconcile(kernel, wanted([flow(1)]));
      const state = wanted([flow(1, { rate: kilobitsPerSecond(200), dscp: 34 as FlowRule["dscp"] })]);
      const changes = kernel.plan(state, await kernel.read());
      expect(changes.map((change) => change.kind)).toEqual(["flow.remove", "flow.add"]);
      expect((await kernel.apply(state, changes)).removed.get(1)).toEqual(ZERO_FLOW_COUNTERS);
      await expectHeld(kernel, state);
    });

    it("hands a key from one flow to another", async () => {
      await reconcile(kernel, wanted([flow(1)]));
      const state = wanted([flow(2, { key: flow(1).key })]);
      await reconcile(kernel, state);
      await expectHeld(kernel, state);
    });

    it("refuses a taken key, and nothing of that call stays", async () => {
      const state = wanted([flow(1), flow(2)]);
      await reconcile(kernel, state);
      const next = wanted([flow(1), flow(3), flow(4, { key: flow(1).key })], { pools: [pool(1), pool(2)] });
      const attempt = kernel.apply(next, [
        { kind: "pool.set", pool: pool(2) },
        { kind: "flow.remove", rule: flow(2) },
        { kind: "flow.add", rule: flow(3) },
        { kind: "flow.add", rule: flow(4, { key: flow(1).key }) },
      ]);
      await expect(attempt).rejects.toMatchObject({
        family: "kernel",
        code: "KERNEL_REFUSED",
        message: expect.stringContaining("flow 4"),
        detail: { errno: "EEXIST" },
      });
      await expectHeld(kernel, state);
    });

    it("puts a pool back to its old rate when the flows are refused", async () => {
      const state = wanted([flow(1)], { pools: [pool(1, 1000)] });
      await reconcile(kernel, state);
      const attempt = kernel.apply(wanted([], { pools: [pool(1, 2000)] }), [
        { kind: "pool.set", pool: pool(1, 2000) },
        { kind: "flow.remove", rule: flow(7) },
      ]);
      await expect(attempt).rejects.toMatchObject({ detail: { errno: "ENOENT" } });
      await expectHeld(kernel, state);
    });

    it("refuses a flow it cannot carry out before anything is touched", async () => {
      const state = wanted([flow(1)]);
      await reconcile(kernel, state);
      const wrong: readonly FlowRule[] = [
        flow(2, { rate: 0 as FlowRule["rate"] }),
        flow(2, { pool: 5 }),
        flow(2, { key: { ...flow(2).key, destination: flow6(2).key.destination } }),
        flow(2, { key: { ...flow(2).key, destination: { address: "198.51.100.20", port: 0 } } }),
        flow(0),
      ];
      for (const rule of wrong) {
        const attempt = kernel.apply(wanted([flow(1), rule]), [
          { kind: "flow.remove", rule: flow(1) },
          { kind: "flow.add", rule },
        ]);
        await expect(attempt).rejects.toMatchObject({ family: "kernel", detail: { errno: "EINVAL" } });
      }
      await expectHeld(kernel, state);
    });

    /** With everything else that a call may carry beside it. */
    const expectRefusal = async (rule: FlowRule, tunnels: DesiredState["tunnels"] = new Map()): Promise<void> => {
      const state = wanted([flow(1), flow(2)]);
      await reconcile(kernel, state);
      const next = wanted([flow(1), flow(3), rule], { pools: [pool(1, 2000), pool(2)], tunnels });
      const attempt = kernel.apply(next, kernel.plan(next, await kernel.read()));
      await expect(attempt).rejects.toMatchObject({
        family: "kernel",
        code: "KERNEL_UNSUPPORTED",
        message: expect.stringContaining(`flow ${rule.id}`),
        remedy: expect.any(String),
      });
      await expectHeld(kernel, state);
    };

    it(`${capabilities.sourcePortAlone ? "tells" : "refuses to tell"} flows apart by the source port alone`, async () => {
      const { key } = flow(1);
      const others = [
        flow(4, { key: { ...key, source: { ...key.source, port: 9 } } }),
        anySource(flow(4, { key })),
        flow(4, { key: { ...key, source: { ...key.source, port: 9 } }, rate: kilobitsPerSecond(1) }),
      ];
      for (const other of others) {
        if (!capabilities.sourcePortAlone) await expectRefusal(other);
        else {
          const state = wanted([flow(1), other]);
          await reconcile(kernel, state);
          await expectHeld(kernel, state);
        }
      }
      // One after the other is another matter.
      const [other = flow(4)] = others;
      await reconcile(kernel, wanted([flow(1)]));
      await reconcile(kernel, wanted([other]));
      await expectHeld(kernel, wanted([other]));
    });

    it.skipIf(capabilities.tunnels)("refuses tunnels", async () => {
      await expectRefusal(flow(4, { tunnel: 1 }), tunnelMap(tunnel(1)));
    });

    describe.skipIf(!capabilities.tunnels)("with tunnels", () => {
      const tunnels = tunnelMap(tunnel(1), tunnel(255));
      const flows = [
        flow(1, { tunnel: 1 }),
        flow6(2, { tunnel: 255, outOfProfile: remark(36) }),
        anySource(flow(3, { tunnel: 1 })),
        anySource(flow6(4, { tunnel: 1 })),
        // Policed by packets.
        flow(5, { tunnel: 255, packetSize: octets(200), burst: octets(600) }),
        flow(6),
      ];

      it("steers every kind of flow, reads it back after a restart, and counts it", async () => {
        const state = wanted(flows, { tunnels });
        await reconcile(kernel, state);
        await expectHeld(kernel, state);
        const second = await subject.reopen();
        await expectHeld(second, state);
        expect((await second.read()).flows.get(2)?.rule.tunnel).toBe(255);
        expect((await second.read()).flows.get(6)?.rule).not.toHaveProperty("tunnel");
        const zero = new Map(flows.map(({ id }) => [id, ZERO_FLOW_COUNTERS]));
        expect(await second.counters()).toEqual(zero);
        expect(await second.counters(flows)).toEqual(zero);
        const { removed } = await second.apply(wanted([], { tunnels }), [
          ...flows.map((rule) => ({ kind: "flow.remove", rule }) as const),
        ]);
        expect(removed).toEqual(zero);
        await second.close();
        await expectHeld(kernel, wanted([], { tunnels }));
      });

      it("moves a flow into a tunnel, from one to another, and out again", async () => {
        for (const id of [undefined, 1, 255, undefined]) {
          const state = wanted([flow(1, id === undefined ? {} : { tunnel: id })], { tunnels });
          await reconcile(kernel, state);
          await expectHeld(kernel, state);
        }
      });

      it("makes the structure again when a tunnel comes or goes, not when it changes", async () => {
        const kinds = async (state: DesiredState): Promise<readonly string[]> => {
          const changes = kernel.plan(state, await kernel.read());
          await kernel.apply(state, changes);
          await expectHeld(kernel, state);
          return changes.map(({ kind }) => kind);
        };
        await reconcile(kernel, wanted([flow(1)]));
        expect(await kinds(wanted([flow(1)], { tunnels: tunnelMap(tunnel(1)) }))).toEqual(["structure", "tunnel.set"]);
        const steered = [flow(1, { tunnel: 1 })];
        expect(await kinds(wanted(steered, { tunnels: tunnelMap(tunnel(1)) }))).toEqual(["flow.remove", "flow.add"]);
        const moved = tunnelMap(tunnel(1, { remote: "203.0.113.3" }));
        expect(await kinds(wanted(steered, { tunnels: moved }))).toEqual(["tunnel.set"]);
        expect(await kinds(wanted([flow(1)]))).toEqual(["structure", "flow.remove", "flow.add", "tunnel.remove"]);
      });

      it("lets no tunnel go that a flow is wanted in, and takes no flow for one that is not there", async () => {
        const state = wanted([flow(1, { tunnel: 1 })], { tunnels: tunnelMap(tunnel(1)) });
        await reconcile(kernel, state);
        const unknown = {
          code: "KERNEL_TUNNEL_UNKNOWN",
          message: expect.stringContaining("flow 1"),
          detail: { errno: "EINVAL" },
        };
        const without = wanted([flow(1, { tunnel: 1 })]);
        await expect(kernel.apply(without, kernel.plan(without, await kernel.read()))).rejects.toMatchObject(unknown);
        const other = wanted([flow(1, { tunnel: 2 })], { tunnels: tunnelMap(tunnel(1)) });
        await expect(kernel.apply(other, kernel.plan(other, await kernel.read()))).rejects.toMatchObject(unknown);
        await expectHeld(kernel, state);
      });

      it("refuses a taken key in a tunnel, and nothing of that call stays", async () => {
        const state = wanted([flow(1, { tunnel: 1 })], { tunnels });
        await reconcile(kernel, state);
        const attempt = kernel.apply(state, [
          { kind: "flow.add", rule: flow(3, { tunnel: 1 }) },
          { kind: "flow.add", rule: flow(4, { tunnel: 255, key: flow(1).key }) },
        ]);
        await expect(attempt).rejects.toMatchObject({ code: "KERNEL_REFUSED", detail: { errno: "EEXIST" } });
        await expectHeld(kernel, state);
      });
    });

    it("has a class on one interface alone, where that is asked for", async () => {
      const { name } = subject.interfaces[0]!;
      const state = wanted([], { pools: [{ ...pool(1), only: name }, pool(2)] });
      await reconcile(kernel, state);
      await expectHeld(kernel, state);
      const { classes } = await kernel.read();
      const places = classes.filter((entry) => entry.pool === 1).map((entry) => entry.interface);
      expect(places).toEqual([name]);
      expect(classes.filter((entry) => entry.pool === 2)).toHaveLength(subject.interfaces.length);
      await reconcile(kernel, wanted([], { pools: [pool(1), pool(2)] }));
      await expectHeld(kernel, wanted([], { pools: [pool(1), pool(2)] }));
    });

    it("puts RSVP messages among signalling, or not, without another change", async () => {
      await reconcile(kernel, wanted([flow(1)]));
      for (const rsvp of [true, false]) {
        const state = wanted([flow(1)], rsvp ? { rsvp } : {});
        const changes = kernel.plan(state, await kernel.read());
        expect(changes).toEqual([{ kind: "structure" }]);
        await kernel.apply(state, changes);
        await expectHeld(kernel, state);
      }
    });

    it.skipIf(capabilities.aggregates)("refuses pools that carry aggregates", async () => {
      const state = wanted([flow(1)]);
      await reconcile(kernel, state);
      const next = wanted([flow(2)], { pools: [pool(1), carrying(pool(5), [codePoint(46)])] });
      await expect(kernel.apply(next, kernel.plan(next, await kernel.read()))).rejects.toMatchObject({
        code: "KERNEL_UNSUPPORTED",
        message: expect.stringContaining("pool 5"),
        remedy: expect.any(String),
      });
      await expectHeld(kernel, state);
    });

    describe.skipIf(!capabilities.aggregates)("with aggregates", () => {
      const kinds = async (state: DesiredState): Promise<readonly string[]> => {
        const changes = kernel.plan(state, await kernel.read());
        await kernel.apply(state, changes);
        await expectHeld(kernel, state);
        return changes.map(({ kind }) => kind);
      };

      it("holds every kind of match, also after a restart", async () => {
        const { name } = subject.interfaces[0]!;
        const state = wanted([flow(1)], {
          pools: [
            pool(1),
            carrying(pool(0x4000, 500), [codePoint(46), codePoint(0), ...PLAIN], name),
            carrying(pool(0x4001, 200), [codePoint(63)]),
          ],
        });
        await reconcile(kernel, state);
        await expectHeld(kernel, state);
        const second = await subject.reopen();
        await expectHeld(second, state);
        await second.close();
        await reconcile(kernel, wanted([flow(1)]));
        await expectHeld(kernel, wanted([flow(1)]));
      });

      it("makes the structure again when the first of a kind comes or the last goes, not in between", async () => {
        const { name } = subject.interfaces[0]!;
        const [plain, other] = PLAIN.map((match) => match) as [AggregateMatch, AggregateMatch];
        const with_ = (...pools: readonly PoolClass[]) => wanted([flow(1)], { pools: [pool(1), ...pools] });
        await reconcile(kernel, wanted([flow(1)]));
        expect(await kinds(with_(carrying(pool(9), [codePoint(46)], name)))).toEqual(["structure", "pool.set"]);
        expect(await kinds(with_(carrying(pool(9, 2000), [codePoint(46)], name)))).toEqual(["pool.set"]);
        expect(await kinds(with_(carrying(pool(9, 2000), [codePoint(46)])))).toEqual(["pool.set"]);
        const flows = with_(carrying(pool(9, 2000), [codePoint(46), plain], name));
        expect(await kinds(flows)).toEqual(["structure", "pool.set"]);
        expect(await kinds(with_(carrying(pool(9, 2000), [codePoint(46), plain, other], name)))).toEqual([
          "structure",
          "pool.set",
        ]);
        expect(await kinds(wanted([flow(1)]))).toEqual(["structure", "pool.remove"]);
      });

      it("hands a code point from one pool to another", async () => {
        await reconcile(kernel, wanted([], { pools: [carrying(pool(8), [codePoint(46)])] }));
        const state = wanted([], { pools: [pool(8), carrying(pool(7), [codePoint(46)])] });
        await reconcile(kernel, state);
        await expectHeld(kernel, state);
        await reconcile(kernel, wanted([], { pools: [carrying(pool(6), [codePoint(46)])] }));
        await expectHeld(kernel, wanted([], { pools: [carrying(pool(6), [codePoint(46)])] }));
      });

      it("follows the managed interfaces, where a pool carries on all of them", async () => {
        const aggregates = carrying(pool(8), [codePoint(46)]);
        await reconcile(kernel, wanted([], { pools: [aggregates], interfaces: subject.interfaces.slice(0, 1) }));
        const state = wanted([], { pools: [aggregates] });
        await reconcile(kernel, state);
        await expectHeld(kernel, state);
        const fewer = wanted([], { pools: [aggregates], interfaces: subject.interfaces.slice(1) });
        await reconcile(kernel, fewer);
        await expectHeld(kernel, fewer);
      });

      it("refuses what cannot be matched or has two classes, before anything is touched", async () => {
        const { name } = subject.interfaces[0]!;
        const state = wanted([flow(1)], { pools: [pool(1), carrying(pool(8), [codePoint(46)], name)] });
        await reconcile(kernel, state);
        const [plain] = PLAIN as [Extract<AggregateMatch, { by: "flow" }>];
        const wrong: readonly AggregateMatch[] = [
          codePoint(46),
          { by: "codePoint", dscp: 64 as never },
          { ...plain, protocol: 0 },
          { ...plain, protocol: 132 },
          { ...plain, destination: { address: plain.destination.address } },
          { ...plain, destination: { address: "2001:db8::1", port: 5 } },
          { ...plain, source: { address: "203.0.113.01", port: 5 } },
          { ...plain, source: { address: plain.source.address, port: 0 } },
        ];
        for (const match of wrong) {
          const next = wanted([], { pools: [pool(1), state.pools.get(8)!, carrying(pool(7), [match])] });
          await expect(kernel.apply(next, kernel.plan(next, await kernel.read())), match.by).rejects.toMatchObject({
            code: match === wrong[0] ? "KERNEL_POOL_CONFLICT" : "KERNEL_POOL_INVALID",
            detail: { errno: "EINVAL" },
          });
        }
        await expectHeld(kernel, state);
        // The same code point on another interface is another aggregate.
        const other = subject.interfaces[1]?.name ?? "other0";
        const more = wanted([flow(1)], { pools: [...state.pools.values(), carrying(pool(7), [codePoint(46)], other)] });
        await reconcile(kernel, more);
        await expectHeld(kernel, more);
      });
    });

    it("resizes, adds and removes pools", async () => {
      await reconcile(kernel, wanted([], { pools: [pool(1, 1000), pool(2, 500)] }));
      const state = wanted([], { pools: [pool(1, 2500), pool(0x7fff, 100)] });
      await reconcile(kernel, state);
      await expectHeld(kernel, state);
    });

    it("makes the structure again when signalling or links are wanted otherwise, and keeps flows", async () => {
      await reconcile(kernel, wanted([flow(1)]));
      const state = wanted([flow(1)], {
        signalling: [],
        interfaces: subject.interfaces.map((entry) => ({ ...entry, rate: kilobitsPerSecond(5000) })),
      });
      const changes = kernel.plan(state, await kernel.read());
      expect(changes).toEqual([{ kind: "structure" }]);
      await kernel.apply(state, changes);
      await expectHeld(kernel, state);
    });

    it("carries out calls made together one after the other", async () => {
      const state = wanted(Array.from({ length: 20 }, (_, index) => flow(index + 1)));
      await reconcile(kernel, wanted([]));
      const calls = [...state.flows.values()].map((rule) => kernel.apply(state, [{ kind: "flow.add", rule }]));
      await Promise.all(calls);
      await expectHeld(kernel, state);
    });

    it("takes everything away, twice if asked", async () => {
      await reconcile(kernel, wanted([flow(1)]));
      await kernel.cleanup();
      await kernel.cleanup();
      const observed = await kernel.read();
      expect([observed.structure, observed.flows.size, observed.pools.size, observed.classes.length]).toEqual([
        false,
        0,
        0,
        0,
      ]);
    });

    it("reaches any state from any other", { timeout: 30_000 }, async () => {
      const numbers: fc.Arbitrary<readonly TunnelId[]> = capabilities.tunnels ? fc.subarray([1, 2]) : fc.constant([]);
      const states = fc.array(
        fc.record({ flows: fc.array(arbitraryFlow, { maxLength: 12 }), pools: arbitraryPools, tunnels: numbers }),
        { minLength: 2, maxLength: 4 },
      );
      const plain = ({ tunnel: _, ...rule }: FlowRule): FlowRule => rule;
      await fc.assert(
        fc.asyncProperty(states, async (steps) => {
          for (const step of steps) {
            // Two flows with one key cannot both be wanted: ids make the keys differ but for the family.
            const flows = step.flows.filter((rule, at) => step.flows.findIndex((other) => other.id === rule.id) === at);
            const tunnels = tunnelMap(...step.tunnels.map((id) => tunnel(id)));
            const state = wanted(
              flows.map((rule) => (rule.tunnel !== undefined && tunnels.has(rule.tunnel) ? rule : plain(rule))),
              { pools: capabilities.aggregates ? step.pools : step.pools.filter(({ carries }) => !carries), tunnels },
            );
            await reconcile(kernel, state);
            await expectHeld(kernel, state);
          }
        }),
        { numRuns: 8 },
      );
    });
  });
}

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FakeKernel } from "../../src/kernel/fake.js";
import { planChanges } from "../../src/kernel/plan.js";
import type { DesiredState, FlowRule, ObservedState } from "../../src/kernel/port.js";
import { structureId } from "../../src/kernel/structure-id.js";
import { kilobitsPerSecond } from "../../src/model/units.js";
import { desired, flow, link, pool, remark } from "./fixtures.js";

const arbitraryFlow: fc.Arbitrary<FlowRule> = fc
  .record({
    id: fc.integer({ min: 1, max: 8 }),
    port: fc.integer({ min: 1, max: 4 }),
    rate: fc.constantFrom(64, 80, 2000),
    out: fc.constantFrom<FlowRule["outOfProfile"]>({ action: "drop" }, remark(0), remark(10)),
    pool: fc.integer({ min: 1, max: 3 }),
  })
  .map(({ id, port, rate, out, pool: poolId }) =>
    flow(id, {
      // Ids share ports on purpose: a key passes from flow to flow.
      key: { ...flow(1).key, destination: { address: "198.51.100.20", port } },
      rate: kilobitsPerSecond(rate),
      outOfProfile: out,
      pool: poolId,
    }),
  );

const unique = (rules: readonly FlowRule[]): readonly FlowRule[] =>
  rules.filter(
    (rule, at) =>
      rules.findIndex((other) => other.id === rule.id || other.key.destination.port === rule.key.destination.port) ===
      at,
  );

const arbitraryState: fc.Arbitrary<DesiredState> = fc
  .record({
    flows: fc.array(arbitraryFlow, { maxLength: 8 }).map(unique),
    rates: fc.tuple(...[1, 2, 3].map(() => fc.constantFrom(100, 200))),
    extra: fc.boolean(),
    rate: fc.constantFrom(1000, 2000),
  })
  .map(({ flows, rates, extra, rate }) =>
    desired(flows, {
      pools: [...rates.map((kilobits, index) => pool(index + 1, kilobits)), ...(extra ? [pool(9)] : [])],
      interfaces: [link("wan0", rate)],
    }),
  );

type Loss = (kernel: FakeKernel) => void;
const arbitraryLoss: fc.Arbitrary<Loss> = fc.oneof(
  fc.integer({ min: 1, max: 8 }).map(
    (id): Loss =>
      (kernel) =>
        kernel.loseFlow(id),
  ),
  fc.integer({ min: 1, max: 3 }).map(
    (id): Loss =>
      (kernel) =>
        kernel.losePool(id),
  ),
  fc.constant<Loss>((kernel) => kernel.loseStructure()),
  fc.constant<Loss>((kernel) => kernel.loseEverything()),
);

const NOTHING: ObservedState = {
  structure: false,
  interfaces: [],
  tunnels: new Map(),
  pools: new Map(),
  classes: [],
  flows: new Map(),
};

describe("plan", () => {
  it("reaches what is wanted from whatever is there, with orphans and losses, and then rests", async () => {
    await fc.assert(
      fc.asyncProperty(
        arbitraryState,
        arbitraryState,
        fc.array(arbitraryLoss, { maxLength: 3 }),
        async (before, wanted, losses) => {
          const kernel = new FakeKernel();
          await kernel.apply(before, kernel.plan(before, await kernel.read()));
          for (const lose of losses) lose(kernel);
          await kernel.apply(wanted, kernel.plan(wanted, await kernel.read()));
          const observed = await kernel.read();
          expect(new Map([...observed.flows].map(([id, entry]) => [id, entry.rule]))).toEqual(wanted.flows);
          expect(observed.pools).toEqual(wanted.pools);
          expect(kernel.plan(wanted, observed)).toEqual([]);
        },
      ),
      { numRuns: 200 },
    );
  });

  it("touches only what differs", () => {
    const wanted = desired([flow(1), flow(2), flow(3)]);
    const counters = {
      inProfile: { packets: 0, octets: 0 as never },
      outOfProfile: { packets: 0, octets: 0 as never },
    };
    const observed: ObservedState = {
      ...NOTHING,
      structure: true,
      structureId: structureId(wanted),
      pools: new Map([
        [1, pool(1)],
        [7, pool(7)],
      ]),
      flows: new Map([flow(1), flow(2, { pool: 7 }), flow(9)].map((rule) => [rule.id, { rule, counters }])),
    };
    expect(planChanges(wanted, observed)).toEqual([
      { kind: "flow.remove", rule: flow(2, { pool: 7 }) },
      { kind: "flow.remove", rule: flow(9) },
      { kind: "flow.add", rule: flow(2) },
      { kind: "flow.add", rule: flow(3) },
      { kind: "pool.remove", pool: pool(7) },
    ]);
  });

  it("sees a change of every field of a flow", () => {
    const before = flow(1);
    const variants: readonly Partial<FlowRule>[] = [
      { session: "fedcba9876543210" as FlowRule["session"] },
      { key: flow(2).key },
      { key: { ...before.key, source: { ...before.key.source, port: undefined } } },
      { key: { ...before.key, protocol: "tcp" } },
      { dscp: 10 as FlowRule["dscp"] },
      { pool: 2 },
      { rate: kilobitsPerSecond(81) },
      { burst: 1501 as FlowRule["burst"] },
      { outOfProfile: remark(0) },
    ];
    const counters = {
      inProfile: { packets: 0, octets: 0 as never },
      outOfProfile: { packets: 0, octets: 0 as never },
    };
    const observed = { ...NOTHING, flows: new Map([[1, { rule: before, counters }]]) };
    for (const variant of variants) {
      const changes = planChanges(desired([flow(1, variant)]), observed).filter(({ kind }) => kind.startsWith("flow"));
      expect(changes.map(({ kind }) => kind)).toEqual(["flow.remove", "flow.add"]);
    }
  });

  it("knows structures for other interfaces or signalling apart, but not by their order", () => {
    const base = desired([], { interfaces: [link("a"), link("b")] });
    expect(structureId({ ...base, interfaces: [link("b"), link("a")] })).toBe(structureId(base));
    expect(structureId({ ...base, signalling: [...base.signalling].reverse() })).toBe(structureId(base));
    expect(structureId({ ...base, interfaces: [link("a")] })).not.toBe(structureId(base));
    expect(structureId({ ...base, signalling: [] })).not.toBe(structureId(base));
    expect(structureId({ ...base, signallingDscp: 26 as never })).not.toBe(structureId(base));
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { samePool, sameRule } from "../../../src/kernel/plan.js";
import type { FlowId, FlowRule, PoolClass } from "../../../src/kernel/port.js";
import { kilobitsPerSecond } from "../../../src/model/units.js";
import { addFlowCounters, ZERO_FLOW_COUNTERS } from "../../../src/model/usage.js";
import { flow, pool } from "../fixtures.js";
import { Bench, packets, poolsOf } from "./bench.js";

/** What a policy server wants, and what traffic there was; flow numbers are not given again. */
class Site {
  readonly bench = new Bench();
  readonly wanted = new Map<FlowId, FlowRule>();
  readonly carried = new Map<FlowId, number>();
  pools: ReadonlyMap<number, PoolClass> = poolsOf(pool(1));
  #next = 1;

  /** A decision; the policy server wants it from then on, but an installation only if it `insists`. */
  decide(decision: Decision): { readonly done: Promise<unknown>; readonly accepted: (insists: boolean) => void } {
    const flows = new Map<FlowId, FlowRule | undefined>();
    for (let made = 0; made < decision.install; made += 1) flows.set(this.#next, flow(this.#next++));
    const old = [...this.wanted.keys()];
    for (const at of decision.remove) if (old.length > 0) flows.set(old[at % old.length] ?? 0, undefined);
    for (const at of decision.change) {
      const rule = this.wanted.get(old[at % old.length] ?? 0);
      if (rule !== undefined && !flows.has(rule.id)) flows.set(rule.id, { ...rule, rate: kilobitsPerSecond(100 + at) });
    }
    const pools = decision.resize === undefined ? this.pools : poolsOf(pool(1, decision.resize));
    const accepted = (insists: boolean): void => {
      for (const [id, rule] of flows) {
        if (rule === undefined) this.wanted.delete(id);
        else if (insists) this.wanted.set(id, rule);
      }
      if (insists) this.pools = pools;
    };
    return { done: this.bench.keeper.update({ flows, pools }), accepted };
  }

  traffic(at: number): void {
    const ids = [...this.wanted.keys()];
    const id = ids[at % Math.max(1, ids.length)];
    if (id === undefined) return;
    this.bench.kernel.count(id, packets(at));
    this.carried.set(id, (this.carried.get(id) ?? 0) + at);
  }

  async comeBack(): Promise<void> {
    this.bench.restart();
    await this.bench.during(this.bench.keeper.start());
    await this.bench.during(this.bench.keeper.replace({ flows: this.wanted, pools: this.pools }));
  }

  async check(): Promise<void> {
    const { kernel, keeper, journal } = this.bench;
    const { structure, pools, flows } = await kernel.read();
    expect(structure).toBe(true);
    expect([...flows.keys()].sort()).toEqual([...this.wanted.keys()].sort());
    for (const [id, rule] of this.wanted) expect(sameRule(rule, flows.get(id)!.rule)).toBe(true);
    expect([...pools.keys()]).toEqual([...this.pools.keys()]);
    for (const [id, each] of this.pools) expect(samePool(each, pools.get(id)!)).toBe(true);
    const counted = await keeper.counters();
    for (const [id, count] of this.carried) {
      const told = this.wanted.has(id) ? counted.get(id) : journal.get(id);
      expect([id, told]).toEqual([id, addFlowCounters(ZERO_FLOW_COUNTERS, packets(count))]);
    }
    expect(keeper.status().pending).toBe(0);
  }
}

interface Decision {
  readonly install: number;
  readonly remove: readonly number[];
  readonly change: readonly number[];
  readonly resize: number | undefined;
}

const some = fc.array(fc.nat({ max: 50 }), { maxLength: 3 });
const decision: fc.Arbitrary<Decision> = fc.record({
  install: fc.nat({ max: 4 }),
  remove: some,
  change: some,
  resize: fc.option(fc.integer({ min: 100, max: 9000 }), { nil: undefined, freq: 4 }),
});
const fault = fc.constantFrom("none", "none", "refused", "refused twice", "lost before", "lost after" as const);

type Step = (site: Site) => Promise<void>;
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(decision, fault).map(
      ([each, what]): Step =>
        (site) =>
          decideUnder(site, each, what),
    ),
  },
  {
    weight: 3,
    arbitrary: fc
      .record({ each: decision, call: fc.integer({ min: 1, max: 6 }), landed: fc.boolean(), insists: fc.boolean() })
      .map(
        (kill): Step =>
          (site) =>
            killIn(site, kill),
      ),
  },
  {
    weight: 3,
    arbitrary: fc.nat({ max: 50 }).map(
      (at): Step =>
        async (site) =>
          site.traffic(at),
    ),
  },
  { weight: 1, arbitrary: fc.constant<Step>((site) => flush(site)) },
);

async function decideUnder(site: Site, each: Decision, what: string): Promise<void> {
  const { kernel } = site.bench;
  if (what.startsWith("refused")) kernel.failAt(0, undefined, what === "refused" ? 1 : 2);
  if (what.startsWith("lost")) kernel.loseAgent({ applied: what === "lost after" });
  const { done, accepted } = site.decide(each);
  const [{ status } = { status: "rejected" }] = await Promise.allSettled([site.bench.during(done)]);
  if (status === "fulfilled") accepted(true);
  else expect(what).toBe("refused twice");
  kernel.clearFaults();
  await site.bench.clock.pass(2000);
  await site.check();
}

async function killIn(
  site: Site,
  kill: { readonly each: Decision; readonly call: number; readonly landed: boolean; readonly insists: boolean },
): Promise<void> {
  site.bench.kernel.dieAt(kill.call, kill.landed);
  const { done, accepted } = site.decide(kill.each);
  let finished = false;
  done.then(
    () => {
      finished = true;
    },
    () => undefined,
  );
  await site.bench.clock.pass(10);
  // What was acknowledged stands; a removal is not taken back.
  accepted(finished || kill.insists);
  await site.comeBack();
  await site.check();
}

async function flush(site: Site): Promise<void> {
  await site.bench.keeper.counters();
  site.bench.kernel.loseEverything();
  await site.bench.clock.pass(61_000);
  await site.check();
}

describe("killed at any point", () => {
  it("comes back with what is wanted, leaks nothing and loses no count", { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12, size: "max" }), async (steps) => {
        const site = new Site();
        await site.bench.keeper.start();
        await site.bench.during(site.bench.keeper.replace({ flows: site.wanted, pools: site.pools }));
        for (const each of steps) await each(site);
        await site.comeBack();
        await site.check();
      }),
      { numRuns: 150 },
    );
  });
});

/** Many decisions made at once end as they would one after the other. For any kernel. */
import { expect } from "vitest";
import { sameRule } from "../../../src/kernel/plan.js";
import type { FlowId, FlowRule, KernelPolicy, KernelPort, LocalState } from "../../../src/kernel/port.js";
import { Reconciler } from "../../../src/kernel/reconcile/reconciler.js";
import { SYSTEM_CLOCK } from "../../../src/model/clock.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import { kilobitsPerSecond } from "../../../src/model/units.js";
import type { FlowCounters } from "../../../src/model/usage.js";
import { flow, pool } from "../fixtures.js";
import { poolsOf } from "./bench.js";

const FLOWS = 250;
const POOLS = poolsOf(pool(1), pool(2, 500));

/** The same numbers every time, without pattern. */
function* numbers(seed: number): Generator<number, never> {
  for (let state = seed; ; ) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state >>> 8;
  }
}

/** Installations, removals, changes of rate or pool; now and then a pool gets another size, or goes and comes. */
function decisions(count: number, seed: number): readonly KernelPolicy[] {
  const source = numbers(seed);
  const below = (limit: number): number => source.next().value % limit;
  let pools = POOLS;
  return Array.from({ length: count }, () => {
    const flows = new Map<FlowId, FlowRule | undefined>();
    for (let each = 0; each < 4; each += 1) {
      const id = 1 + below(FLOWS);
      const rule = flow(id, { rate: kilobitsPerSecond(64 + below(3)), pool: 1 + below(2) });
      flows.set(id, below(3) === 0 ? undefined : rule);
    }
    if (below(50) === 0) pools = poolsOf(pool(1, 1000 + below(9)), pool(2, 500));
    return { flows, pools };
  });
}

/** @param during - called when all decisions are under way. */
export async function expectParallelAsSequence(
  kernel: KernelPort,
  local: LocalState,
  { count = 1000, seed = 1, during = () => undefined }: { count?: number; seed?: number; during?: () => void } = {},
): Promise<void> {
  const finals = new Map<FlowId, FlowCounters>();
  const usage = {
    record: (counters: ReadonlyMap<FlowId, FlowCounters>): void => {
      for (const [id, each] of counters) finals.set(id, each);
    },
  };
  const keeper = new Reconciler({ kernel, local, usage, clock: SYSTEM_CLOCK, log: SILENT_LOGGER });
  try {
    await keeper.start();
    const made = decisions(count, seed);
    const expected = new Map<FlowId, FlowRule>();
    for (const { flows } of made) {
      for (const [id, rule] of flows) {
        if (rule === undefined) expected.delete(id);
        else expected.set(id, rule);
      }
    }
    const all = Promise.all(made.map((policy) => keeper.update(policy)));
    during();
    await all;
    const observed = await kernel.read();
    const sorted = (ids: Iterable<FlowId>): readonly FlowId[] => [...ids].sort((one, other) => one - other);
    expect(sorted(observed.flows.keys())).toEqual(sorted(expected.keys()));
    for (const [id, rule] of expected) expect([id, sameRule(rule, observed.flows.get(id)!.rule)]).toEqual([id, true]);
    expect(kernel.plan(keeper.desired, observed)).toEqual([]);
    expect(keeper.status()).toMatchObject({ pending: 0, failures: 0 });
  } finally {
    await keeper.close();
  }
}

import { afterAll, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { type LinuxKernel, openLinuxKernel } from "../../../src/kernel/linux.js";
import type { FlowId } from "../../../src/kernel/port.js";
import { Reconciler } from "../../../src/kernel/reconcile/reconciler.js";
import { SYSTEM_CLOCK } from "../../../src/model/clock.js";
import { type Logger, SILENT_LOGGER } from "../../../src/model/log.js";
import type { FlowCounters } from "../../../src/model/usage.js";
import { flow, pool } from "../fixtures.js";
import { flowsOf, LOCAL, POOLS, packets, poolsOf } from "../reconcile/bench.js";
import { inOwnNamespace, run } from "./namespace.js";

const TABLE = "sluice_test";
/** A second on a machine that has nothing else to do. */
const WITHIN = { timeout: 8000, interval: 100 };

inOwnNamespace(import.meta.url, () => {
  let kernel: LinuxKernel;
  let keeper: Reconciler;
  const repairs: unknown[] = [];
  const finals = new Map<FlowId, FlowCounters>();
  const log: Logger = {
    ...SILENT_LOGGER,
    warn: (event, fields) => {
      if (event === "kernel.repaired") repairs.push(typeof fields === "function" ? fields() : fields);
    },
    child: () => log,
  };
  const usage = {
    record: (counters: ReadonlyMap<FlowId, FlowCounters>): void => {
      for (const [id, each] of counters) finals.set(id, each);
    },
  };
  const held = async () => {
    const observed = await kernel.read();
    return kernel.plan(keeper.desired, observed).length === 0 && observed.flows.size === keeper.desired.flows.size;
  };

  beforeAll(async () => {
    await run("ip", "link", "add", "wan0", "type", "veth", "peer", "name", "lan0");
    kernel = await openLinuxKernel({ table: TABLE, log: SILENT_LOGGER, maxFlows: 4096 });
    const wanted = { ...LOCAL, pools: POOLS, tunnels: new Map(), flows: flowsOf(flow(1)) };
    await kernel.apply(wanted, [
      { kind: "structure" },
      { kind: "pool.set", pool: pool(1) },
      { kind: "flow.add", rule: flow(1), counters: packets(9) },
    ]);
    keeper = new Reconciler({ kernel, local: LOCAL, usage, clock: SYSTEM_CLOCK, log });
    await keeper.start();
    await keeper.update({ flows: flowsOf(flow(2), flow(3)), pools: POOLS });
  });
  beforeEach(() => repairs.splice(0));
  afterAll(async () => {
    await keeper.close();
    await kernel.cleanup();
    await kernel.close();
  });

  it("takes over what it finds, with its counters", async () => {
    expect((await keeper.counters()).get(1)).toEqual(packets(9));
    expect([...keeper.desired.flows.keys()]).toEqual([1, 2, 3]);
  });

  it("puts our table back when somebody deletes it at once, and counts on", async () => {
    await run("nft", "delete", "table", "inet", TABLE);
    await vi.waitFor(async () => expect(await held()).toBe(true), WITHIN);
    expect((await kernel.counters()).get(1)).toEqual(packets(9));
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(repairs).toEqual([
      expect.objectContaining({ structure: true, flows: expect.objectContaining({ missing: 3 }) }),
    ]);
  });

  it("puts a tree back when somebody deletes its root", async () => {
    await run("tc", "qdisc", "del", "dev", "wan0", "root");
    await vi.waitFor(async () => expect(await held()).toBe(true), WITHIN);
    expect((await keeper.counters()).get(1)).toEqual(packets(9));
  });

  it("carries out a decision although the table has just gone", async () => {
    await run("nft", "delete", "table", "inet", TABLE);
    await keeper.update({
      flows: new Map([...flowsOf(flow(4)), [1, undefined] as const]),
      pools: poolsOf(pool(1, 2000)),
    });
    expect((await kernel.read()).flows.has(4)).toBe(true);
    expect(finals.get(1)).toEqual(packets(9));
    await vi.waitFor(async () => expect(await held()).toBe(true), WITHIN);
  });
});

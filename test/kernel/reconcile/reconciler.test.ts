import { beforeEach, describe, expect, it } from "vitest";
import { KernelError } from "../../../src/model/errors.js";
import { kilobitsPerSecond, millis, octets } from "../../../src/model/units.js";
import { settle } from "../../support/fake-clock.js";
import { flow, pool } from "../fixtures.js";
import { Bench, flowsOf, POOLS, packets, poolsOf, without } from "./bench.js";

let bench: Bench;
const install = (...ids: readonly number[]) =>
  bench.keeper.update({ flows: flowsOf(...ids.map((id) => flow(id))), pools: POOLS });
const remove = (...ids: readonly number[]) => bench.keeper.update({ flows: without(...ids), pools: POOLS });
const kinds = () => bench.kernel.applied.at(-1)?.map(({ kind }) => kind);

beforeEach(async () => {
  bench = new Bench();
  await bench.keeper.start();
});

describe("decisions", () => {
  it("are in the kernel when they resolve, pools before flows", async () => {
    expect(await install(1, 2)).toEqual({ finals: new Map(), changes: 3 });
    expect(kinds()).toEqual(["pool.set", "flow.add", "flow.add"]);
    expect(await bench.flows()).toEqual([1, 2]);
    expect((await install(1, 2)).changes).toBe(0);
  });

  it("give the final counters of what went, noted before and after", async () => {
    await install(1);
    bench.kernel.count(1, packets(5));
    expect((await remove(1)).finals).toEqual(new Map([[1, packets(5)]]));
    expect(bench.journal).toEqual(new Map([[1, packets(5)]]));
  });

  it("let a flow that is treated otherwise count on", async () => {
    await install(1);
    bench.kernel.count(1, packets(5));
    const rule = flow(1, { rate: kilobitsPerSecond(200) });
    expect((await bench.keeper.update({ flows: flowsOf(rule), pools: POOLS })).finals.size).toBe(0);
    expect([kinds(), bench.journal.size]).toEqual([["flow.remove", "flow.add"], 0]);
    bench.kernel.count(1, packets(2));
    expect((await bench.keeper.counters()).get(1)).toEqual(packets(7));
    expect((await remove(1)).finals.get(1)).toEqual(packets(7));
  });

  it("are tried once more when the kernel refuses", async () => {
    bench.kernel.failAt(0);
    await install(1);
    expect(await bench.flows()).toEqual([1]);
    expect(bench.keeper.status()).toMatchObject({ failures: 1, pending: 0 });
  });

  it("leave everything as it was when the kernel refuses again", async () => {
    await install(1);
    bench.kernel.refuseFlow(2);
    const both = new Map([...flowsOf(flow(2)), ...without(1)]);
    await expect(bench.keeper.update({ flows: both, pools: poolsOf(pool(1), pool(3)) })).rejects.toMatchObject({
      code: "KERNEL_REFUSED",
    });
    expect([...bench.keeper.desired.flows.keys()]).toEqual([1]);
    expect([...bench.keeper.desired.pools.keys()]).toEqual([1]);
    await bench.clock.pass(1000);
    const observed = await bench.kernel.read();
    expect([[...observed.flows.keys()], [...observed.pools.keys()]]).toEqual([[1], [1]]);
    expect(bench.written("kernel.transaction.failed")).toHaveLength(1);
    expect(bench.written("kernel.transaction.failed")[0]?.fields.changes).toContainEqual(
      expect.stringContaining("add flow 2 (udp 192.0.2.10:10002"),
    );
  });

  it("are not tried again when they are wrong in themselves", async () => {
    const passes = bench.keeper.status().passes;
    const rule = flow(1, { rate: kilobitsPerSecond(0) });
    await expect(bench.keeper.update({ flows: flowsOf(rule), pools: POOLS })).rejects.toMatchObject({
      code: "KERNEL_FLOW_INVALID",
    });
    expect(bench.keeper.status()).toMatchObject({ passes, failures: 1 });
  });

  it("find out what became of them when the connection to the kernel is lost in them", async () => {
    for (const applied of [true, false]) {
      bench.kernel.loseAgent({ applied });
      await install(1);
      expect(await bench.flows()).toEqual([1]);
      bench.kernel.count(1, packets(3));
      bench.kernel.loseAgent({ applied });
      expect((await remove(1)).finals.get(1)).toEqual(packets(3));
      expect(await bench.flows()).toEqual([]);
    }
  });

  it("first find out about a flow of which nobody knows whether the kernel has it", async () => {
    bench.kernel.loseAgent({ applied: true });
    bench.kernel.failReads(new KernelError("KERNEL_REFUSED", "no reading", { operation: "read" }));
    await expect(install(1)).rejects.toMatchObject({ message: "no reading" });
    bench.kernel.failReads(undefined);
    expect(await bench.flows()).toEqual([1]);
    await remove(1);
    expect(await bench.flows()).toEqual([]);
  });

  it("lose nothing of what a flow counts while it is exchanged", async () => {
    await install(1);
    bench.kernel.count(1, packets(5));
    bench.kernel.slow(millis(100));
    const rule = flow(1, { rate: kilobitsPerSecond(200) });
    const changed = bench.keeper.update({ flows: flowsOf(rule), pools: POOLS });
    await settle();
    bench.kernel.count(1, packets(2));
    await bench.during(changed);
    bench.kernel.slow(millis(0));
    expect((await bench.keeper.counters()).get(1)).toEqual(packets(7));
    bench.kernel.count(1, packets(1));
    expect((await remove(1)).finals.get(1)).toEqual(packets(8));
  });

  it("do not wait for a reading that takes long, and are not undone by it", async () => {
    await install(1, 2);
    bench.kernel.slowReads(millis(2000));
    bench.kernel.emit({ kind: "ruleset" });
    await bench.clock.pass(60);
    const before = bench.clock.time;
    await install(3);
    bench.kernel.slowReads(millis(0));
    await remove(1);
    expect(bench.clock.time).toBe(before);
    expect(bench.keeper.status().passes).toBe(0);
    await bench.clock.pass(2000);
    expect(bench.keeper.status()).toMatchObject({ passes: 1, repairs: 0, pending: 0 });
    expect(await bench.flows()).toEqual([2, 3]);
  });

  it("sweep what a complete policy does not want", async () => {
    await install(1, 2);
    bench.kernel.count(1, packets(4));
    const { finals, changes } = await bench.keeper.replace({ flows: flowsOf(flow(2), flow(3)), pools: POOLS });
    expect([finals, changes]).toEqual([new Map([[1, packets(4)]]), 2]);
    expect(await bench.flows()).toEqual([2, 3]);
  });

  it("look at the kernel before a complete policy is said to be in force", async () => {
    await install(1, 2);
    bench.kernel.loseEverything();
    await bench.keeper.replace({ flows: flowsOf(flow(1), flow(2)), pools: POOLS });
    const observed = await bench.kernel.read();
    expect([observed.structure, observed.pools.size, observed.flows.size]).toEqual([true, 1, 2]);
  });

  describe("where the watch tells every change", () => {
    const complete = (): Promise<number> =>
      bench.keeper.replace({ flows: flowsOf(flow(1), flow(2)), pools: POOLS }).then(() => bench.keeper.status().passes);

    beforeEach(async () => {
      bench.kernel.watchAll();
      await install(1);
      bench.restart();
      bench.kernel.watchAll();
      await bench.keeper.start();
    });

    it("need no other reading than the one of the start", async () => {
      expect(await complete()).toBe(0);
      expect(kinds()).toEqual(["flow.add"]);
      expect(await bench.flows()).toEqual([1, 2]);
    });

    it("look at the kernel after an event, until a reading followed it", async () => {
      bench.kernel.loseEverything();
      bench.kernel.emit({ kind: "ruleset" });
      expect(await complete()).toBe(1);
      const observed = await bench.kernel.read();
      expect([observed.structure, [...observed.flows.keys()]]).toEqual([true, [1, 2]]);
      expect(await complete()).toBe(1);
    });

    it("look at it while nobody knows what became of a flow", async () => {
      bench.kernel.loseAgent({ applied: true });
      bench.kernel.failReads(new KernelError("KERNEL_REFUSED", "no reading", { operation: "read" }));
      await expect(install(2)).rejects.toMatchObject({ message: "no reading" });
      bench.kernel.failReads(undefined);
      const { passes } = bench.keeper.status();
      expect(await complete()).toBeGreaterThan(passes);
      expect(await bench.flows()).toEqual([1, 2]);
    });

    it("look at it where tunnels are, for their routes are not watched", async () => {
      const [local, remote] = ["203.0.113.1", "203.0.113.2"];
      const ports = { sourcePort: 4790, destinationPort: 4789 };
      const tunnel = { id: 1, name: "core", kind: "vxlan", local, remote, ...ports, mtu: octets(1450) } as const;
      await bench.keeper.replace({ flows: flowsOf(flow(1)), pools: POOLS, tunnels: new Map([[1, tunnel]]) });
      expect(bench.keeper.status().passes).toBe(1);
    });
  });

  it("keep what was wanted when a complete policy cannot be had", async () => {
    await install(1);
    bench.kernel.refuseFlow(3);
    await expect(bench.keeper.replace({ flows: flowsOf(flow(3)), pools: poolsOf(pool(2)) })).rejects.toBeInstanceOf(
      KernelError,
    );
    await bench.clock.pass(1000);
    expect(await bench.flows()).toEqual([1]);
    expect([...bench.keeper.desired.pools.keys()]).toEqual([1]);
  });
});

describe("a restart", () => {
  it("takes the sessions that it finds, and their counters, and touches none", async () => {
    await install(1, 2);
    bench.kernel.count(1, packets(5));
    bench.restart();
    await bench.keeper.start();
    expect(bench.kernel.applied).toEqual([]);
    expect([...bench.keeper.desired.flows.keys()]).toEqual([1, 2]);
    await bench.clock.pass(200_000);
    expect(bench.kernel.applied).toEqual([]);
    expect((await bench.keeper.counters()).get(1)).toEqual(packets(5));
  });

  it("mends the structure at once", async () => {
    await install(1);
    bench.kernel.loseStructure();
    bench.restart();
    await bench.keeper.start();
    expect(bench.kernel.applied.flat()).toEqual([{ kind: "structure" }]);
  });
});

describe("somebody else", () => {
  it("flushes the table: all is back within a second, counters too, and it is logged once", async () => {
    await install(1, 2);
    bench.kernel.count(1, packets(9));
    await bench.clock.pass(60_000);
    bench.kernel.loseEverything();
    bench.kernel.emit({ kind: "ruleset" });
    bench.kernel.emit({ kind: "queueing", interface: "wan0" });
    await bench.clock.pass(1000);
    const observed = await bench.kernel.read();
    expect([observed.structure, [...observed.pools.keys()], [...observed.flows.keys()]]).toEqual([true, [1], [1, 2]]);
    expect(observed.flows.get(1)?.counters).toEqual(packets(9));
    expect(bench.lines).toEqual([
      {
        level: "warn",
        event: "kernel.repaired",
        fields: {
          structure: true,
          pools: 1,
          tunnels: 0,
          flows: { missing: 2, unwanted: 0, otherwise: 0 },
          examples: [1, 2],
          reasons: ["the ruleset changed", "the queueing of wan0 changed"],
        },
      },
    ]);
  });

  it("does so unseen, and a decision about pools runs into it: all is back within a second", async () => {
    await install(1, 2);
    bench.kernel.loseEverything();
    await bench.keeper.update({ flows: flowsOf(flow(3)), pools: poolsOf(pool(1, 2000)) });
    await bench.clock.pass(1000);
    expect(await bench.flows()).toEqual([1, 2, 3]);
    expect(bench.keeper.status().pending).toBe(0);
  });

  it("takes a flow away without an event: the next pass on the timer puts it back", async () => {
    await install(1, 2);
    bench.kernel.loseFlow(2);
    await bench.clock.pass(61_000);
    expect(await bench.flows()).toEqual([1, 2]);
  });

  it("does so again and again: it is logged once a minute, with its number", async () => {
    await install(1);
    for (let times = 0; times < 100; times += 1) {
      bench.kernel.loseFlow(1);
      bench.kernel.emit({ kind: "ruleset" });
      await bench.clock.pass(1000);
      expect(await bench.flows()).toEqual([1]);
    }
    expect(bench.keeper.status().repairs).toBe(100);
    await bench.clock.pass(60_000);
    const repeated = bench.written("kernel.repaired").map(({ fields }) => fields.repeated);
    expect(repeated).toEqual([undefined, 59, 40]);
  });

  it("is told to health when it goes on, and no more when it stops", async () => {
    await install(1);
    for (let times = 0; times < 6; times += 1) {
      bench.kernel.loseStructure();
      bench.kernel.emit({ kind: "ruleset" });
      await bench.clock.pass(1000);
    }
    expect(bench.keeper.problems()).toEqual([expect.stringContaining("again and again, since 1970-")]);
    await bench.clock.pass(61_000);
    expect(bench.keeper.problems()).toEqual([]);
  });

  it("took a flow away before it ended: its last count is its end", async () => {
    await install(1);
    bench.kernel.count(1, packets(9));
    await bench.clock.pass(60_000);
    bench.kernel.loseEverything();
    expect((await remove(1)).finals.get(1)).toEqual(packets(9));
    expect(await bench.flows()).toEqual([]);
  });

  it("sets a counter back: what is told never grows smaller", async () => {
    await install(1);
    bench.kernel.count(1, packets(9));
    expect((await bench.keeper.counters()).get(1)).toEqual(packets(9));
    bench.kernel.resetCounters(1);
    bench.kernel.count(1, packets(2));
    expect((await bench.keeper.counters()).get(1)).toEqual(packets(9));
    bench.kernel.count(1, packets(3));
    expect((await remove(1)).finals.get(1)).toEqual(packets(12));
  });

  it("left flows that are not wanted: they go, and what they carried is noted", async () => {
    await install(1);
    bench.kernel.count(1, packets(9));
    bench.kernel.loseAgent({ applied: true });
    bench.kernel.failReads(new KernelError("KERNEL_REFUSED", "no reading", { operation: "read" }));
    await expect(install(2)).rejects.toMatchObject({ message: "no reading" });
    bench.kernel.count(2, packets(1));
    bench.kernel.failReads(undefined);
    expect(await bench.flows()).toEqual([1, 2]);
    await bench.clock.pass(2000);
    expect(await bench.flows()).toEqual([1]);
    expect(bench.journal.get(2)).toEqual(packets(1));
  });
});

describe("health", () => {
  it("is known soon after the first start, and after a table that was lost: an interface that is not there", async () => {
    const other = new Bench();
    other.kernel.setPresent("wan0", false);
    await other.keeper.start();
    await other.clock.pass(1000);
    expect(other.keeper.problems()).toEqual([expect.stringContaining("the interface wan0 is not there")]);
    other.kernel.loseEverything();
    other.kernel.emit({ kind: "ruleset" });
    await other.clock.pass(2000);
    expect(other.keeper.problems()).toEqual([expect.stringContaining("the interface wan0 is not there")]);
  });

  it("names an interface that is not there, and goes on", async () => {
    bench.kernel.setPresent("wan0", false);
    bench.kernel.emit({ kind: "interface", interface: "wan0" });
    await bench.clock.pass(1000);
    expect(bench.keeper.problems()).toEqual([expect.stringContaining("the interface wan0 is not there, since ")]);
    await install(1);
    bench.kernel.setPresent("wan0", true);
    bench.kernel.emit({ kind: "interface", interface: "wan0" });
    await bench.clock.pass(1000);
    expect(bench.keeper.problems()).toEqual([]);
  });

  it("names a repair that keeps failing and since when, and mends all the others", async () => {
    await bench.keeper.replace({
      flows: flowsOf(...Array.from({ length: 50 }, (_, at) => flow(at + 1))),
      pools: POOLS,
    });
    bench.kernel.refuseFlow(17);
    for (const id of await bench.flows()) bench.kernel.loseFlow(id);
    bench.kernel.emit({ kind: "lost", reason: "overrun" });
    await bench.clock.pass(1000);
    expect(await bench.flows()).toHaveLength(49);
    const [first] = bench.keeper.problems();
    expect(first).toMatch(/^flow 17 cannot be repaired: the kernel refused create flow 17: ENOMEM, since /);
    await bench.clock.pass(30_000);
    expect(bench.keeper.problems()).toEqual([first]);
    expect(bench.keeper.status()).toMatchObject({ pending: 1, lastPass: { ok: false } });
    bench.kernel.refuseFlow(undefined);
    await bench.clock.pass(60_000);
    expect([bench.keeper.problems(), (await bench.flows()).length]).toEqual([[], 50]);
  });

  it("says when the kernel cannot be read", async () => {
    bench.kernel.failReads(new KernelError("KERNEL_REFUSED", "no reading", { operation: "read" }));
    bench.kernel.emit({ kind: "ruleset" });
    await bench.clock.pass(20_000);
    expect(bench.keeper.problems()).toEqual([expect.stringContaining("the kernel cannot be read: no reading, since ")]);
    expect(bench.written("kernel.reading.failed")).toHaveLength(1);
    bench.kernel.failReads(undefined);
    await bench.clock.pass(60_000);
    expect(bench.keeper.problems()).toEqual([]);
  });
});

describe("the end", () => {
  it("leaves the kernel as it is, and nothing running", async () => {
    await install(1);
    await bench.keeper.close();
    expect(bench.clock.pending).toBe(0);
    bench.kernel.loseEverything();
    bench.kernel.emit({ kind: "ruleset" });
    await settle();
    expect(bench.clock.pending).toBe(0);
  });

  it("tells those who wait that there will be no pass", async () => {
    await install(1);
    bench.kernel.slowReads(millis(5000));
    const settled: Promise<unknown>[] = [];
    for (const id of [2, 3]) {
      bench.kernel.failAt(0);
      settled.push(install(id));
      await settle();
    }
    const outcome = Promise.allSettled(settled);
    await bench.during(bench.keeper.close());
    expect((await outcome).map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
  });
});

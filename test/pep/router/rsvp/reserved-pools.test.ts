import { describe, expect, it } from "vitest";
import { FakeKernel } from "../../../../src/kernel/fake.js";
import type { AggregateMatch, PoolClass } from "../../../../src/kernel/port.js";
import { Reconciler } from "../../../../src/kernel/reconcile/reconciler.js";
import { SILENT_LOGGER } from "../../../../src/model/log.js";
import { type BitsPerSecond, bitsPerSecond, dscp } from "../../../../src/model/units.js";
import { type PoolRange, type ReservedClass, ReservedPools } from "../../../../src/pep/router/rsvp/reserved-pools.js";
import { FakeClock } from "../../../support/fake-clock.js";

async function open(kernel: FakeKernel, range?: PoolRange): Promise<ReservedPools> {
  const pools = new ReservedPools(
    new Reconciler({
      kernel,
      local: { interfaces: [], signalling: [], signallingDscp: dscp(24) },
      usage: { record: () => undefined },
      clock: new FakeClock(),
      log: SILENT_LOGGER,
    }),
    range,
  );
  await pools.start();
  return pools;
}

const voice = (rate: number, id = 1): PoolClass => ({ id, name: "voice", rate: bitsPerSecond(rate) });
const policy = (...pools: readonly PoolClass[]) => ({
  flows: new Map(),
  pools: new Map(pools.map((pool) => [pool.id, pool])),
});
const held = async (kernel: FakeKernel) =>
  [...(await kernel.read()).pools.values()].map(({ id, name, rate }) => `${id} ${name} ${rate}`).sort();
const RATE = bitsPerSecond(80_000);
const asked = (name: string, rate: BitsPerSecond, more: Partial<ReservedClass> = {}): ReservedClass => ({
  name,
  rate,
  ...more,
});
const EF: AggregateMatch = { by: "codePoint", dscp: dscp(46) };

describe("pools of two masters", () => {
  it("are joined, and each master changes its own only", async () => {
    const kernel = new FakeKernel();
    const pools = await open(kernel);
    await pools.replace(policy(voice(160_000)));
    await pools.reserve(asked("rsvp-a", RATE));
    await pools.reserve(asked("rsvp-b", RATE));
    await pools.replace(policy(voice(240_000)));
    expect(await held(kernel)).toEqual(["1 voice 240000", "16384 rsvp-a 80000", "16385 rsvp-b 80000"]);
    await pools.reserve(asked("rsvp-a", bitsPerSecond(120_000)));
    await pools.release("rsvp-b");
    await pools.update(policy());
    expect(await held(kernel)).toEqual(["16384 rsvp-a 120000"]);
  });

  it("asked for at the same time do not undo each other", async () => {
    const kernel = new FakeKernel();
    const pools = await open(kernel);
    await Promise.all([
      pools.reserve(asked("rsvp-a", RATE)),
      pools.replace(policy(voice(160_000))),
      pools.reserve(asked("rsvp-b", RATE)),
    ]);
    expect(await held(kernel)).toEqual(["1 voice 160000", "16384 rsvp-a 80000", "16385 rsvp-b 80000"]);
  });

  it("that the kernel refuses leave what was, for both", async () => {
    const kernel = new FakeKernel();
    const pools = await open(kernel);
    await pools.replace(policy(voice(160_000)));
    await pools.reserve(asked("rsvp-a", RATE));
    kernel.failAt(0, undefined, Number.POSITIVE_INFINITY);
    await expect(pools.reserve(asked("rsvp-a", bitsPerSecond(800_000)))).rejects.toThrow("refused");
    await expect(pools.reserve(asked("rsvp-b", RATE))).rejects.toThrow("refused");
    await expect(pools.replace(policy(voice(800_000)))).rejects.toThrow("refused");
    kernel.failAt(1000);
    await pools.reserve(asked("rsvp-c", RATE));
    expect(await held(kernel)).toEqual(["1 voice 160000", "16384 rsvp-a 80000", "16385 rsvp-c 80000"]);
  });

  it("are taken over after a restart; what nobody claims goes with the sweep, the policy server's stay", async () => {
    const kernel = new FakeKernel();
    const before = await open(kernel);
    await before.replace(policy(voice(160_000), voice(80_000, 0x4005)));
    await before.reserve(asked("rsvp-a", RATE));
    await before.reserve(asked("rsvp-b", RATE));
    const pools = await open(kernel);
    await pools.reserve(asked("rsvp-b", RATE));
    await pools.reserve(asked("rsvp-c", RATE));
    expect(await held(kernel)).toEqual([
      "1 voice 160000",
      "16384 rsvp-a 80000",
      "16385 rsvp-b 80000",
      "16386 rsvp-c 80000",
      "16389 voice 80000",
    ]);
    await pools.sweep();
    expect(await held(kernel)).toEqual([
      "1 voice 160000",
      "16385 rsvp-b 80000",
      "16386 rsvp-c 80000",
      "16389 voice 80000",
    ]);
  });

  it("stay as large as they were found until the sweep, whoever of those that share them asks first", async () => {
    const kernel = new FakeKernel();
    const before = await open(kernel);
    await before.reserve(asked("rsvp-a", bitsPerSecond(240_000), { only: "r2", carries: [EF] }));
    const pools = await open(kernel);
    await pools.reserve(asked("rsvp-a", RATE, { only: "r2", carries: [EF] }));
    expect(await held(kernel)).toEqual(["16384 rsvp-a 240000"]);
    await pools.release("rsvp-a");
    expect(await held(kernel)).toEqual(["16384 rsvp-a 240000"]);
    await pools.reserve(asked("rsvp-a", bitsPerSecond(320_000), { only: "r2", carries: [EF] }));
    expect(await held(kernel)).toEqual(["16384 rsvp-a 320000"]);
    await pools.reserve(asked("rsvp-a", RATE, { only: "r2", carries: [EF] }));
    await pools.sweep();
    expect(await held(kernel)).toEqual(["16384 rsvp-a 80000"]);
    await pools.release("rsvp-a");
    expect(await held(kernel)).toEqual([]);
  });

  it("say where their class is and what it carries, and carry something else in place", async () => {
    const kernel = new FakeKernel();
    const pools = await open(kernel);
    await pools.reserve(asked("rsvp-a", RATE, { only: "r2", carries: [EF] }));
    expect((await kernel.read()).pools.get(0x4000)).toMatchObject({ only: "r2", carries: [EF] });
    const other: AggregateMatch = { by: "codePoint", dscp: dscp(34) };
    await pools.reserve(asked("rsvp-a", RATE, { only: "r2", carries: [other] }));
    expect((await kernel.read()).pools.get(0x4000)).toMatchObject({ only: "r2", carries: [other] });
  });

  it("have the numbers that they are given, and no more", async () => {
    const kernel = new FakeKernel();
    const pools = await open(kernel, { first: 493, last: 494 });
    await pools.reserve(asked("rsvp-a", RATE));
    await pools.reserve(asked("rsvp-b", RATE));
    await expect(pools.reserve(asked("rsvp-c", RATE))).rejects.toMatchObject({
      code: "RSVP_POOLS",
      message: expect.stringContaining("493 to 494"),
      remedy: expect.any(String),
    });
    await pools.release("rsvp-a");
    await pools.reserve(asked("rsvp-c", RATE));
    expect(await held(kernel)).toEqual(["493 rsvp-c 80000", "494 rsvp-b 80000"]);
    const again = await open(kernel, { first: 493, last: 494 });
    await again.sweep();
    expect(await held(kernel)).toEqual([]);
  });
});

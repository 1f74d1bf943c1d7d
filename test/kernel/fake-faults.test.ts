import { describe, expect, it } from "vitest";
import { FakeKernel } from "../../src/kernel/fake.js";
import type { Clock } from "../../src/model/clock.js";
import { KernelError } from "../../src/model/errors.js";
import { millis, octets, timestamp } from "../../src/model/units.js";
import { ZERO_COUNTER } from "../../src/model/usage.js";
import { reconcile } from "./contract.js";
import { desired, flow } from "./fixtures.js";

const wanted = desired([flow(1), flow(2)]);

describe("faults of the fake kernel", () => {
  it("fails once at the change asked for and changes nothing", async () => {
    const kernel = new FakeKernel();
    await reconcile(kernel, desired([flow(1)]));
    kernel.failAt(1);
    const both = [
      { kind: "flow.remove", rule: flow(1) },
      { kind: "flow.add", rule: flow(2) },
    ] as const;
    await expect(kernel.apply(wanted, both.slice(0, 1))).resolves.toBeDefined();
    await reconcile(kernel, desired([flow(1)]));
    await expect(kernel.apply(wanted, both)).rejects.toBeInstanceOf(KernelError);
    expect([...(await kernel.read()).flows.keys()]).toEqual([1]);
    await expect(kernel.apply(wanted, both)).resolves.toBeDefined();
    expect([...(await kernel.read()).flows.keys()]).toEqual([2]);
  });

  it("is as slow as it is told to be", async () => {
    const waiting: (() => void)[] = [];
    const clock: Clock = {
      now: () => timestamp(0),
      after: (delay, callback) => {
        expect(delay).toBe(500);
        waiting.push(callback);
        return { cancel: () => undefined };
      },
    };
    const kernel = new FakeKernel({ clock });
    kernel.slow(millis(500));
    let done = false;
    const call = reconcile(kernel, wanted).then(() => {
      done = true;
    });
    for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
    expect([waiting.length, done, (await kernel.read()).flows.size]).toEqual([1, false, 0]);
    waiting[0]!();
    await call;
    expect((await kernel.read()).flows.size).toBe(2);
  });

  it("counts traffic, reports it on removal and starts again from zero", async () => {
    const kernel = new FakeKernel();
    await reconcile(kernel, wanted);
    kernel.count(1, { inProfile: { packets: 2, octets: octets(400) } });
    kernel.count(1, { outOfProfile: { packets: 1, octets: octets(200) } });
    const counters = {
      inProfile: { packets: 2, octets: 400 },
      outOfProfile: { packets: 1, octets: 200 },
    };
    expect((await kernel.counters()).get(1)).toEqual(counters);
    const again = [
      { kind: "flow.remove", rule: flow(1) },
      { kind: "flow.add", rule: flow(1) },
    ] as const;
    expect((await kernel.apply(wanted, again)).removed.get(1)).toEqual(counters);
    expect((await kernel.counters()).get(1)?.inProfile).toEqual(ZERO_COUNTER);
  });

  it("loses what it is told to lose", async () => {
    const kernel = new FakeKernel();
    await reconcile(kernel, wanted);
    kernel.loseFlow(1);
    kernel.losePool(1);
    kernel.loseStructure();
    const kinds = async () => kernel.plan(wanted, await kernel.read()).map((change) => change.kind);
    expect(await kinds()).toEqual(["structure", "pool.set", "flow.add"]);
    kernel.loseEverything();
    expect(await kinds()).toEqual(["structure", "pool.set", "flow.add", "flow.add"]);
  });

  it("is closed after close", async () => {
    const kernel = new FakeKernel();
    await kernel.close();
    await expect(kernel.read()).rejects.toMatchObject({ code: "KERNEL_CLOSED" });
  });
});

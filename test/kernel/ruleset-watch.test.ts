import { beforeEach, describe, expect, it } from "vitest";
import type { Generation } from "../../src/kernel/netlink/nf-tables.js";
import { foreignCommits, RulesetWatch } from "../../src/kernel/ruleset-watch.js";
import { SILENT_LOGGER } from "../../src/model/log.js";
import { millis } from "../../src/model/units.js";
import { FakeClock } from "../support/fake-clock.js";

describe("the watch over the ruleset", () => {
  let now: Generation | Error;
  let told: number;
  let clock: FakeClock;
  let watch: RulesetWatch;
  const elapse = async (): Promise<void> => {
    clock.advance(millis(250));
    await new Promise((resolve) => setImmediate(resolve));
  };
  const commit = (own: number, foreign: number): void => {
    if (!(now instanceof Error)) now = { id: (now.id + own + foreign) >>> 0, commits: now.commits + own };
  };

  beforeEach(async () => {
    now = { id: 0xfffffff0, commits: 3 };
    told = 0;
    clock = new FakeClock();
    const generation = async (): Promise<Generation> => {
      if (now instanceof Error) throw now;
      return now;
    };
    watch = new RulesetWatch({ generation, clock, log: SILENT_LOGGER, changed: () => told++ });
    await watch.start();
  });

  it("counts what is not ours, also where the number comes round", () => {
    expect(foreignCommits({ id: 0xffffffff, commits: 5 }, { id: 3, commits: 7 })).toBe(2);
  });

  it("tells another's commit among ours, once", async () => {
    commit(100, 0);
    await elapse();
    expect(told).toBe(0);
    commit(20, 1);
    await elapse();
    await elapse();
    expect(told).toBe(1);
  });

  it("lets our own tools commit as often as they say, no more", async () => {
    await watch.suspend();
    commit(4, 1);
    await elapse();
    await watch.resume(1);
    await elapse();
    expect(told).toBe(0);
    await watch.suspend();
    commit(4, 2);
    await watch.resume(1);
    expect(told).toBe(1);
  });

  it("tells what came before our own tools began", async () => {
    commit(0, 1);
    await watch.suspend();
    expect(told).toBe(1);
    await watch.resume(1);
  });

  it("sees after a failed look what happened before it", async () => {
    const before = now;
    now = new RangeError("no answer");
    await elapse();
    now = before;
    commit(0, 1);
    await elapse();
    expect(told).toBe(1);
  });

  it("looks at once when asked, and says when it cannot know", async () => {
    commit(3, 1);
    expect([await watch.lookNow(), told]).toEqual([true, 1]);
    expect([await watch.lookNow(), told]).toEqual([true, 1]);
    await watch.suspend();
    commit(0, 1);
    expect([await watch.lookNow(), told]).toEqual([false, 1]);
    await watch.resume(1);
    now = new RangeError("no answer");
    expect([await watch.lookNow(), told]).toEqual([false, 1]);
  });

  it("is silent when closed", async () => {
    watch.close();
    commit(0, 1);
    await elapse();
    expect(told).toBe(0);
  });
});

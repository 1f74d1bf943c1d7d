import { describe, expect, it } from "vitest";
import { CounterMemory } from "../../../src/kernel/reconcile/counter-memory.js";
import { octets } from "../../../src/model/units.js";
import type { FlowCounters } from "../../../src/model/usage.js";

const counted = (packets: number, over = 0): FlowCounters => ({
  inProfile: { packets, octets: octets(packets * 100) },
  outOfProfile: { packets: over, octets: octets(over * 100) },
});

describe("counter memory", () => {
  it("gives what was noted last", () => {
    const memory = new CounterMemory();
    for (let id = 1; id <= 1000; id += 1) memory.note(id, counted(id, 1), memory.moment());
    expect([memory.last(1), memory.last(500), memory.last(1000)]).toEqual([
      counted(1, 1),
      counted(500, 1),
      counted(1000, 1),
    ]);
    expect(memory.last(1001)).toBeUndefined();
    for (let id = 1; id <= 1000; id += 1) memory.forget(id);
    memory.note(7, counted(3), memory.moment());
    expect([memory.size, memory.last(7), memory.last(8)]).toEqual([1, counted(3), undefined]);
  });

  it("counts on from where it was when somebody sets a counter back", () => {
    const memory = new CounterMemory();
    memory.note(1, counted(10), memory.moment());
    expect(memory.note(1, counted(0), memory.moment())).toEqual(counted(10));
    expect(memory.note(1, counted(5), memory.moment())).toEqual(counted(15));
    expect(memory.final(1, counted(6))).toEqual(counted(16));
  });

  it("takes an older answer for no news", () => {
    const memory = new CounterMemory();
    const early = memory.moment();
    memory.note(1, counted(10), memory.moment());
    expect(memory.note(1, counted(8), early)).toEqual(counted(10));
    expect(memory.note(1, counted(11), memory.moment())).toEqual(counted(11));
  });

  it("adds what a flow that was made anew does not know of", () => {
    const memory = new CounterMemory();
    memory.note(1, counted(10), memory.moment());
    memory.restarted(1, counted(10), counted(12));
    expect(memory.note(1, counted(11), memory.moment())).toEqual(counted(13));
    memory.restarted(1, counted(13), counted(13));
    expect(memory.note(1, counted(14), memory.moment())).toEqual(counted(14));
  });

  it("never has a final count below what was told", () => {
    const memory = new CounterMemory();
    memory.note(1, counted(10, 2), memory.moment());
    expect(memory.final(1, counted(9, 3))).toEqual(counted(10, 3));
  });
});

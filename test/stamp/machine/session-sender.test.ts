import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Fate, SimulatedPath } from "./path.js";

const times = (count: number, fate: Fate = {}): Fate[] => Array.from({ length: count }, () => fate);

describe("a measurement", () => {
  it("has the latency of each direction, without what the reflector takes", () => {
    const { sent, out, in: back, clocks } = new SimulatedPath().send(...times(20, { out: 12, in: 30 })).collect();
    expect({ sent, clocks }).toEqual({ sent: 20, clocks: "synchronised" });
    expect(out).toMatchObject({ lost: 0, jitter: 0 });
    expect(out.latency).toBeCloseTo(12, 2);
    expect(back.latency).toBeCloseTo(30, 2);
  });

  it("halves the round trip where the clocks do not agree, whatever they are apart", () => {
    const path = new SimulatedPath({ synchronised: false });
    path.reflectorClock = 5000;
    const { out, in: back, clocks } = path.send(...times(20, { out: 10, in: 30 })).collect();
    expect(clocks).toBe("unknown");
    expect(out.latency).toBeCloseTo(20, 2);
    expect(back.latency).toBeCloseTo(20, 2);
    expect(out.jitter).toBeCloseTo(0, 2);
  });

  it("believes no clocks that agree only in words", () => {
    const path = new SimulatedPath();
    path.reflectorClock = -40;
    const { out, clocks } = path.send(...times(20, { out: 10, in: 10 })).collect();
    expect(clocks).toBe("unknown");
    expect(out.latency).toBeCloseTo(10, 2);
  });

  it("has the 95th percentile: one of twenty may be later", () => {
    const late = (count: number) => [...times(100 - count, { out: 10 }), ...times(count, { out: 200 })];
    expect(new SimulatedPath().send(...late(5)).collect().out.latency).toBeCloseTo(10, 2);
    expect(new SimulatedPath().send(...late(6)).collect().out.latency).toBeCloseTo(200, 2);
  });

  it("has the interarrival jitter of RFC 3550", () => {
    const delays = [10, 14, 11, 11, 30, 9];
    let jitter = 0;
    delays.forEach((delay, index) => {
      if (index > 0) jitter += (Math.abs(delay - delays[index - 1]!) - jitter) / 16;
    });
    const { out, in: back } = new SimulatedPath().send(...delays.map((delay) => ({ out: delay }))).collect();
    expect(out.jitter).toBeCloseTo(jitter, 2);
    expect(back.jitter).toBeCloseTo(0, 2);
  });

  it("begins anew with each report, and jitter goes on", () => {
    const path = new SimulatedPath();
    path.send(...times(10, { out: 50 }), { out: "lost" }, {}).collect();
    const { sent, out } = path.send(...times(10)).collect();
    expect(sent).toBe(10);
    expect(out.lost).toBe(0);
    expect(out.latency).toBeCloseTo(10, 2);
    expect(out.jitter).toBeGreaterThan(0);
  });

  it("says nothing of times when nothing comes back, and that all was lost", () => {
    expect(new SimulatedPath().send(...times(10, { out: "lost" })).collect()).toEqual({
      sent: 10,
      out: { lost: 10 },
      in: { lost: 0 },
      clocks: "unknown",
    });
  });

  it("tells packets that are under way from lost ones", () => {
    const path = new SimulatedPath().send(...times(12, { out: 10 }));
    expect(path.sender.collect(path.now)).toMatchObject({ sent: 3, out: { lost: 0 }, in: { lost: 0 } });
  });
});

describe("a measurement under loss", () => {
  const exactly = (fates: readonly Fate[]) => {
    // With answers before and after them everything between can be told apart; four, as some come in another order.
    const { sent, out, in: back } = new SimulatedPath().send({}, ...fates, ...times(4)).collect();
    return { sent: sent - 5, out: out.lost, in: back.lost };
  };

  it("knows in which direction a packet was lost", () => {
    expect(exactly([{ out: "lost" }, {}, { in: "lost" }, { in: "lost" }, {}])).toEqual({ sent: 5, out: 1, in: 2 });
  });

  it("knows it of any sequence of losses, delays that reorder, and copies", () => {
    const delay = fc.integer({ min: 1, max: 350 });
    const fate = fc.record(
      {
        out: fc.oneof({ weight: 4, arbitrary: delay }, { weight: 1, arbitrary: fc.constant("lost" as const) }),
        in: fc.oneof({ weight: 4, arbitrary: delay }, { weight: 1, arbitrary: fc.constant("lost" as const) }),
        twiceIn: fc.integer({ min: 0, max: 100 }),
      },
      { requiredKeys: ["out", "in"] },
    );
    fc.assert(
      fc.property(fc.array(fate, { maxLength: 60 }), (fates) => {
        const lostOut = fates.filter(({ out }) => out === "lost").length;
        const lostIn = fates.filter(({ out, in: back }) => out !== "lost" && back === "lost").length;
        expect(exactly(fates)).toEqual({ sent: fates.length, out: lostOut, in: lostIn });
      }),
    );
  });

  it("counts a packet that was doubled on its way once", () => {
    const path = new SimulatedPath().send({}, { twiceOut: 5 }, { twiceOut: 20, in: 30 }, {});
    expect(path.collect()).toMatchObject({ sent: 4, out: { lost: 0 }, in: { lost: 0 } });
    expect(path.verdicts.filter((verdict) => verdict === "duplicate")).toHaveLength(2);
  });

  it("takes a packet that comes too late as lost, and only once", () => {
    const path = new SimulatedPath().send({}, { out: 1500 }, ...times(20));
    const { sent, out, in: back } = path.collect();
    expect({ sent, lost: out.lost + back.lost }).toEqual({ sent: 22, lost: 1 });
    expect(path.verdicts).toContain("late");
    expect(path.send(...times(3)).collect()).toMatchObject({ sent: 3, out: { lost: 0 }, in: { lost: 0 } });
  });

  it("takes none for late that this end was late to look at", () => {
    // Nothing is sent while it is held up, as both are one process.
    const path = new SimulatedPath({ interval: 10 });
    path.heldUp = 1500;
    path.send(...times(5)).pass(1600);
    path.heldUp = 0;
    const { sent, out, in: back } = path.collect();
    expect({ sent, lost: out.lost + back.lost }).toEqual({ sent: 5, lost: 0 });
    expect(out.latency).toBeCloseTo(10, 2);
  });

  it("adds up over reports, wherever they fall", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom("out", "in", "none"), fc.boolean()), { maxLength: 80 }), (plan) => {
        const path = new SimulatedPath().send({});
        const sum = { sent: 0, out: 0, in: 0 };
        const add = ({ sent, out, in: back }: ReturnType<SimulatedPath["collect"]>): void => {
          sum.sent += sent;
          sum.out += out.lost;
          sum.in += back.lost;
        };
        for (const [lost, isReport] of plan) {
          path.send(lost === "none" ? {} : { [lost]: "lost" });
          if (isReport) add(path.sender.collect(path.now));
        }
        add(path.send({}).collect());
        const count = (which: string) => plan.filter(([lost]) => lost === which).length;
        expect(sum.sent).toBe(plan.length + 2);
        expect(sum.out + sum.in).toBe(count("out") + count("in"));
        if (!hasLongGap(plan)) expect(sum.in).toBe(count("in"));
      }),
    );
  });
});

/** Losses that last as long as a lost packet is waited for, twice the time-out. */
function hasLongGap(plan: readonly (readonly [string, boolean])[]): boolean {
  let row = 0;
  return plan.some(([lost]) => {
    row = lost === "none" ? 0 : row + 1;
    return row >= 18;
  });
}

describe("a measurement while something is started again or set", () => {
  it("goes on with a reflector that counts from 0 again", () => {
    const path = new SimulatedPath().send(...times(30));
    path.collect();
    path.restartReflector().send(...times(10), { in: "lost" }, {}, { out: "lost" }, ...times(10));
    expect(path.collect()).toMatchObject({ sent: 23, out: { lost: 1 }, in: { lost: 1 } });
    expect(path.sender.restarts).toBe(1);
  });

  it.each([
    ["the reflector's", 30_000, 0],
    ["the reflector's, back", -30_000, 0],
    ["its own", 0, 30_000],
    ["its own, back", 0, -30_000],
  ])("has no jitter of a clock that is set: %s", (_, reflector, own) => {
    const path = new SimulatedPath({ synchronised: false }).send(...times(10));
    path.reflectorClock += reflector;
    path.senderClock += own;
    const { sent, out, in: back } = path.send(...times(10)).collect();
    expect(sent).toBe(20);
    expect(out.jitter).toBeCloseTo(0, 2);
    expect(back.jitter).toBeCloseTo(0, 2);
    expect(out.latency).toBeCloseTo(10, 2);
  });

  it.each([-500, 500])("takes no time of a packet that was under way when its clock was set by %i ms", (step) => {
    const path = new SimulatedPath().send(...times(9)).send({ out: 120 });
    path.senderClock += step;
    const { sent, out, in: back } = path.send(...times(10)).collect();
    expect({ sent, lost: out.lost + back.lost }).toEqual({ sent: 20, lost: 0 });
    expect(path.verdicts.filter((verdict) => verdict === "timeless")).toHaveLength(1);
    expect(Math.max(out.latency ?? 0, back.latency ?? 0)).toBeLessThan(125);
  });

  it("takes nothing for an answer that has another timestamp or another session", () => {
    const path = new SimulatedPath().send({});
    const estimate = { synchronised: true, format: "ntp", error: 0.1 as never } as const;
    const asked = path.sender.send((Date.UTC(2026, 0, 1) + path.now) as never, estimate, path.now);
    const sender = { sequence: asked.sequence, timestamp: asked.timestamp, estimate, ttl: 64 };
    const packet = { sequence: 1, timestamp: asked.timestamp, estimate, session: 5, received: asked.timestamp, sender };
    const reply = (change: object) =>
      path.sender.reply({ packet: { ...packet, ...change }, at: asked.timestamp, estimate, now: path.now });
    expect(reply({ session: 6 })).toBe("foreign");
    expect(reply({ sender: { ...sender, timestamp: asked.timestamp + 1 } })).toBe("foreign");
    expect(reply({ sender: { ...sender, sequence: 77 } })).toBe("late");
    expect(reply({})).toBe("first");
  });
});

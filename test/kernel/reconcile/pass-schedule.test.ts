import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type ScheduleAction,
  type ScheduleEvent,
  type ScheduleState,
  scheduleFrom,
  stepSchedule,
} from "../../../src/kernel/reconcile/pass-schedule.js";
import { millis, type Timestamp } from "../../../src/model/units.js";

const TIMES = { interval: millis(60_000), debounce: millis(50), spacing: 4, backOff: millis(250) };

class Bench {
  state: ScheduleState = scheduleFrom(TIMES);
  now = 1000;
  action: ScheduleAction = { run: false, alarm: undefined };

  event(event: ScheduleEvent): ScheduleAction {
    const { state, action } = stepSchedule(this.state, event, this.now as Timestamp);
    this.state = state;
    this.action = action;
    return action;
  }

  ended(duration = 0, ok = true): ScheduleAction {
    return this.event({ kind: "ended", ok, duration: millis(duration) });
  }

  /** Waits for the alarm that is set. */
  alarm(): ScheduleAction {
    this.now += this.action.alarm ?? 0;
    return this.event({ kind: "alarm" });
  }
}

describe("schedule of passes", () => {
  it("begins with the start, and then runs every interval", () => {
    const bench = new Bench();
    expect(bench.event({ kind: "changed" })).toEqual({ run: false, alarm: undefined });
    expect(bench.ended()).toEqual({ run: false, alarm: 50 });
    expect(bench.alarm().run).toBe(true);
    expect(bench.ended()).toEqual({ run: false, alarm: 60_000 });
    expect(bench.alarm().run).toBe(true);
  });

  it("takes a swarm of events for one, and is not put off by it", () => {
    const bench = new Bench();
    bench.ended();
    expect(bench.event({ kind: "changed" }).alarm).toBe(50);
    bench.now += 30;
    expect(bench.event({ kind: "changed" }).alarm).toBe(20);
    expect(bench.alarm().run).toBe(true);
  });

  it("rests four times as long as a pass took, but not when somebody waits", () => {
    const bench = new Bench();
    bench.ended(2000);
    expect(bench.event({ kind: "changed" }).alarm).toBe(50);
    expect(bench.alarm().run).toBe(true);
    bench.ended(2000);
    expect(bench.event({ kind: "changed" }).alarm).toBe(8000);
    expect(bench.event({ kind: "wanted" }).run).toBe(true);
    bench.event({ kind: "changed" });
    expect(bench.ended(2000).alarm).toBe(8000);
  });

  it("runs again at once for somebody who came while it ran", () => {
    const bench = new Bench();
    bench.ended(2000);
    bench.event({ kind: "wanted" });
    bench.event({ kind: "wanted" });
    expect(bench.ended(2000).run).toBe(true);
    expect(bench.ended(2000)).toEqual({ run: false, alarm: 60_000 });
  });

  it("waits longer after each failure, and no longer than the interval", () => {
    const bench = new Bench();
    bench.ended();
    const waits = [bench.event({ kind: "failed" }).alarm];
    for (let failure = 0; failure < 12; failure += 1) {
      bench.alarm();
      waits.push(bench.ended(0, false).alarm);
    }
    expect(waits.slice(0, 4)).toEqual([250, 500, 1000, 2000]);
    expect(waits.at(-1)).toBe(60_000);
    bench.alarm();
    bench.ended();
    expect(bench.event({ kind: "failed" }).alarm).toBe(250);
  });

  it("does nothing after it is closed", () => {
    const bench = new Bench();
    bench.ended();
    bench.event({ kind: "close" });
    for (const kind of ["changed", "failed", "wanted", "alarm"] as const) {
      expect(bench.event({ kind })).toEqual({ run: false, alarm: undefined });
    }
  });

  it("never runs two at a time, and never stops for good", () => {
    const event = fc.oneof(
      fc.constantFrom("changed", "failed", "wanted", "alarm", "ended" as const),
      fc.integer({ min: 1, max: 5000 }),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60, size: "max" }), (events) => {
        const bench = new Bench();
        let running = true;
        for (const each of events) {
          if (typeof each === "number") {
            bench.now += each;
            continue;
          }
          if (each === "ended" && !running) continue;
          if (each === "ended") running = false;
          const { run, alarm } =
            each === "ended"
              ? bench.ended(10)
              : bench.event({ kind: each as "changed" | "failed" | "wanted" | "alarm" });
          if (run) expect(running).toBe(false);
          if (run) running = true;
          if (!running) expect(alarm).toBeGreaterThan(0);
        }
      }),
    );
  });
});

/** What a policy server knows of a path whose ends, and itself, are started one after the other. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { millis } from "../../../src/model/units.js";
import { PathQualities } from "../../../src/pdp/quality/path-qualities.js";
import type { PathFinding } from "../../../src/stamp/machine/session-sender.js";
import { type Fate, SimulatedPath } from "../../stamp/machine/path.js";
import { FakeClock } from "../../support/fake-clock.js";

const POOL = "hq-branch";
const NOBODY: Fate = { out: "lost" };

interface Schedule {
  /** In ms, from the start of the router here. */
  readonly reflectorAt: number;
  readonly policyServerAt: number;
  readonly interval: number;
  readonly report: number;
  /** Part of the packets that are lost, of those that anybody would answer. */
  readonly loses?: (packet: number) => boolean;
}

/** Runs for so long, and asks after each packet what is known. */
function known(schedule: Schedule, duration: number, ask: (paths: PathQualities, at: number) => void): void {
  const { reflectorAt, policyServerAt, interval, report, loses = () => false } = schedule;
  const clock = new FakeClock();
  const paths = new PathQualities({
    pools: [{ id: 2, name: POOL }],
    window: millis(30_000),
    staleAfter: millis(15_000),
    clock,
  });
  const path = new SimulatedPath({ interval });
  let due = report;
  for (let packet = 0; path.now < duration; packet++) {
    path.send(path.now < reflectorAt || loses(packet) ? NOBODY : {});
    clock.advance(interval);
    if (path.now >= due) {
      due += report;
      const finding = path.sender.collect(path.now);
      if (path.now >= policyServerAt && finding.sent > 0) paths.report([reportOf(finding)]);
    }
    ask(paths, path.now);
  }
}

/** As a router tells it. */
function reportOf({ sent, out, in: back, clocks }: PathFinding) {
  return { pool: 2, out: { ...out, sent }, in: { ...back, sent: sent - out.lost }, clocks };
}

const schedules = fc.record({
  reflectorAt: fc.nat(50_000),
  policyServerAt: fc.nat(50_000),
  interval: fc.integer({ min: 50, max: 2000 }),
  report: fc.integer({ min: 2000, max: 8000 }),
});
const RUN = 80_000;
/** From the start of the last of the three: a report, the fate of its packets, and the report after. */
const settledAfter = ({ reflectorAt, policyServerAt, interval, report }: Schedule): number =>
  Math.max(reflectorAt, policyServerAt) + 2 * (report + interval) + 1000;

describe("the loss of a path", () => {
  it("is none as soon as anything is known of it, in whichever order all was started, if it loses nothing", () => {
    fc.assert(
      fc.property(schedules, (schedule) => {
        let answered = false;
        known(schedule, RUN, (paths, at) => {
          const [up, down] = [paths.of(POOL, "up"), paths.of(POOL, "down")];
          if (up !== undefined && Number.isFinite(up.latency)) answered = true;
          if (answered) expect([up?.loss, down?.loss, at]).toEqual([0, 0, at]);
          else expect(up?.loss ?? 1).toBe(1);
          if (at > settledAfter(schedule)) expect(answered).toBe(true);
        });
      }),
      { numRuns: 60 },
    );
  });

  it("is what is lost after its start, and nothing else", () => {
    fc.assert(
      fc.property(schedules, fc.integer({ min: 3, max: 12 }), (schedule, every) => {
        const lossy = { ...schedule, interval: 100, loses: (packet: number) => packet % every === 0 };
        let last: number | undefined;
        known(lossy, settledAfter(schedule) + 30_000, (paths) => {
          last = paths.of(POOL, "up")?.loss;
        });
        expect(last).toBeGreaterThan(0.9 / every - 0.01);
        expect(last).toBeLessThan(1.1 / every + 0.01);
      }),
      { numRuns: 30 },
    );
  });

  it("is all of it while the other edge has never answered", () => {
    const never = { reflectorAt: 1e9, policyServerAt: 0, interval: 100, report: 5000 };
    known(never, 60_000, (paths, at) => {
      if (at >= 5000) expect(paths.of(POOL, "up")?.loss).toBe(1);
    });
  });
});

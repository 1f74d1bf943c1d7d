import { beforeEach, describe, expect, it } from "vitest";
import { bitsPerSecond, timestamp } from "../../../src/model/units.js";
import { PoolWatch } from "../../../src/pdp/pools/pool-watch.js";
import { createLogger } from "../../../src/telemetry/logger.js";

const lines: Record<string, unknown>[] = [];
const log = createLogger({ format: "json", write: (line) => lines.push(JSON.parse(line)) });

let watch: PoolWatch;
let second = 0;
beforeEach(() => {
  lines.splice(0);
  second = 0;
  watch = new PoolWatch({ thresholds: (pool) => (pool === "quiet" ? [] : [80, 95]), log });
});

interface Load {
  readonly pool?: string;
  readonly room?: number;
  readonly most?: number;
  readonly refused?: number;
  readonly shed?: number;
}

/** A second with this load. */
function look(used: number, { pool = "p", room = 1000, most = room, refused = 0, shed = 0 }: Load = {}): void {
  second += 1;
  const load = { pool, used: bitsPerSecond(used), room: bitsPerSecond(room), most: () => bitsPerSecond(most) };
  watch.look({ ...load, refused, shed }, timestamp(1000 * second));
}

const told = () =>
  lines.splice(0).map(({ event, threshold, percent, sessions }) => [event, threshold ?? sessions, percent]);

function pass(seconds: number, used: number, load: Load = {}): void {
  for (let left = seconds; left > 0; left -= 1) look(used, load);
}

describe("a pool that fills", () => {
  it("is told at each threshold, and again when it has room for a while", () => {
    pass(3, 799);
    expect(told()).toEqual([]);
    expect(watch.warnings()).toEqual([]);
    look(800);
    look(949);
    look(951);
    expect(told()).toEqual([
      ["pdp.pool-near-full", 80, 80],
      ["pdp.pool-near-full", 95, 95],
    ]);
    expect(watch.warnings()).toEqual(["pool p is near full: 95 % of it is used"]);
    pass(20, 905);
    expect(told()).toEqual([]);
    pass(11, 899);
    expect(told()).toEqual([["pdp.pool-relaxed", 95, 89]]);
    expect(watch.warnings()).toEqual(["pool p is near full: 89 % of it is used"]);
    pass(11, 100);
    expect(told()).toEqual([["pdp.pool-relaxed", 80, 10]]);
    expect(watch.warnings()).toEqual([]);
  });

  it("does not fill the log when it goes up and down", () => {
    for (let turn = 0; turn < 10; turn += 1) {
      look(850);
      pass(2, 700);
    }
    expect(told()).toEqual([["pdp.pool-near-full", 80, 85]]);
    // Said once in a minute; what was not said is not taken back.
    for (let turn = 0; turn < 5; turn += 1) {
      pass(12, 700);
      look(850);
    }
    const after = told().map(([event]) => event);
    expect(after).toEqual(["pdp.pool-relaxed", "pdp.pool-near-full", "pdp.pool-relaxed"]);
  });

  it("is measured by what it may come to, as long as it can grow", () => {
    look(990, { most: 2000 });
    expect(told()).toEqual([]);
    look(990, { most: 1000 });
    expect(told()).toEqual([["pdp.pool-near-full", 95, 99]]);
  });

  it("is over-full when the network took it back, and not when nobody uses it", () => {
    look(0, { room: 0 });
    expect(told()).toEqual([]);
    look(10, { room: 0 });
    expect(told()).toEqual([["pdp.pool-near-full", 95, 999]]);
  });

  it("is not told of where no warnings are wanted", () => {
    pass(3, 1000, { pool: "quiet" });
    look(5, { pool: "quiet", room: 0 });
    expect([told(), watch.warnings()]).toEqual([[], []]);
  });
});

describe("sessions that a pool could not serve", () => {
  it("are told at once, then together once a minute, and remembered for a minute", () => {
    look(0, { refused: 1 });
    expect(told()).toEqual([["pdp.pool-refuses", 1, undefined]]);
    pass(30, 0, { refused: 2 });
    expect(told()).toEqual([]);
    expect(watch.warnings()).toEqual(["pool p was too full for 61 sessions lately"]);
    pass(30, 0);
    expect(told()).toEqual([["pdp.pool-refuses", 60, undefined]]);
    pass(60, 0);
    expect([told(), watch.warnings()]).toEqual([[], []]);
  });

  it("stand as a warning when they had to let go", () => {
    look(500, { shed: 1 });
    expect(watch.warnings()).toEqual(["pool p was taken back from 1 session lately"]);
    pass(60, 500);
    expect([told(), watch.warnings()]).toEqual([[], []]);
  });
});

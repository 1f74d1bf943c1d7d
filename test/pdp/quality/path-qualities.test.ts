import { beforeEach, describe, expect, it } from "vitest";
import { millis } from "../../../src/model/units.js";
import { PathQualities } from "../../../src/pdp/quality/path-qualities.js";
import type { PathQualityReport } from "../../../src/pdp/quality/probe-rows.js";
import { FakeClock } from "../../support/fake-clock.js";

let clock: FakeClock;
let paths: PathQualities;

beforeEach(() => {
  clock = new FakeClock();
  paths = new PathQualities({
    pools: [
      { id: 2, name: "hq-branch" },
      { id: 3, name: "hq-depot" },
    ],
    window: millis(30_000),
    staleAfter: millis(15_000),
    clock,
  });
});

const way = (latency: number, jitter = 1, lost = 0, sent = 50) => {
  return { latency: millis(latency), jitter: millis(jitter), lost, sent };
};
const tell = (change: Partial<PathQualityReport> = {}, after = 5000): void => {
  clock.advance(after);
  paths.report([{ pool: 2, out: way(10), in: way(20), clocks: "synchronised", ...change }]);
};

describe("what is known of paths", () => {
  it("is nothing before the first report, and then each direction", () => {
    expect(paths.of("hq-branch", "up")).toBeUndefined();
    tell({ out: way(10, 2, 5), in: way(20, 3, 0) });
    expect(paths.of("hq-branch", "up")).toEqual({ latency: 10, jitter: 2, loss: 0.1 });
    expect(paths.of("hq-branch", "down")).toEqual({ latency: 20, jitter: 3, loss: 0 });
    expect(paths.of("hq-depot", "up")).toBeUndefined();
    expect(paths.of("elsewhere", "up")).toBeUndefined();
  });

  it("is the worst report of the window, and the loss of all of it", () => {
    tell({ out: way(10, 9, 0) });
    tell({ out: way(80, 1, 10) });
    tell({ out: way(12, 2, 5) });
    expect(paths.of("hq-branch", "up")).toEqual({ latency: 80, jitter: 9, loss: 0.1 });
    for (let count = 0; count < 6; count++) tell({ out: way(11) });
    expect(paths.of("hq-branch", "up")).toEqual({ latency: 12, jitter: 2, loss: 5 / 350 });
    tell({ out: way(11) }, 5001);
    expect(paths.of("hq-branch", "up")).toEqual({ latency: 11, jitter: 1, loss: 0 });
  });

  it("is nothing any more when reports have stopped", () => {
    tell();
    clock.advance(15_000);
    expect(paths.of("hq-branch", "up")).toBeDefined();
    clock.advance(1);
    expect(paths.of("hq-branch", "up")).toBeUndefined();
    expect(paths.all()[0]).toEqual({ pool: "hq-branch", direction: "up", samples: 50, age: 15_001, method: "stale" });
    tell();
    expect(paths.of("hq-branch", "up")).toBeDefined();
  });

  it("is that no time would do as soon as nothing comes back, in both directions", () => {
    const dead = { latency: Number.POSITIVE_INFINITY, jitter: Number.POSITIVE_INFINITY, loss: 1 };
    tell();
    tell({ out: { lost: 50, sent: 50 }, in: { lost: 0, sent: 0 } });
    expect(paths.of("hq-branch", "up")).toEqual(dead);
    expect(paths.of("hq-branch", "down")).toEqual(dead);
    tell();
    expect(paths.of("hq-branch", "up")).toEqual({ latency: 10, jitter: 1, loss: 1 / 3 });
  });

  it("is nothing while the fate of no packet is known", () => {
    tell({ out: { lost: 0, sent: 0 }, in: { lost: 0, sent: 0 } });
    expect(paths.of("hq-branch", "up")).toBeUndefined();
  });

  it("does not grow with reports", () => {
    for (let count = 0; count < 1000; count++) tell({}, 10);
    expect(paths.all()[0]).toMatchObject({ samples: 50_000 });
    clock.advance(40_000);
    tell({}, 0);
    expect(paths.all()[0]).toMatchObject({ samples: 50 });
  });

  it("is shown with how it was found", () => {
    tell();
    expect(paths.all()).toEqual([
      {
        ...{ pool: "hq-branch", direction: "up", samples: 50, age: 0, method: "oneWay" },
        quality: { latency: 10, jitter: 1, loss: 0 },
      },
      {
        ...{ pool: "hq-branch", direction: "down", samples: 50, age: 0, method: "oneWay" },
        quality: { latency: 20, jitter: 1, loss: 0 },
      },
      { pool: "hq-depot", direction: "up", samples: 0, method: "waiting" },
      { pool: "hq-depot", direction: "down", samples: 0, method: "waiting" },
    ]);
    tell({ clocks: "unknown" });
    expect(paths.all()[0]?.method).toBe("roundTrip");
  });
});

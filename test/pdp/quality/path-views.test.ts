import { expect, it } from "vitest";
import { type Millis, millis } from "../../../src/model/units.js";
import type { MeasuredDirection } from "../../../src/pdp/quality/path-qualities.js";
import { pathViews } from "../../../src/pdp/quality/path-views.js";

it("shows a path that is alive, one that is dead, and one that nothing is known of", () => {
  const common = { pool: "p", direction: "up", samples: 50, age: millis(10), method: "oneWay" } as const;
  const dead = Number.POSITIVE_INFINITY as Millis;
  const waiting: MeasuredDirection = { pool: "p", direction: "down", samples: 0, method: "waiting" };
  expect(
    pathViews([
      { ...common, quality: { latency: millis(12), jitter: millis(1), loss: 0 } },
      { ...common, quality: { latency: dead, jitter: dead, loss: 1 } },
      waiting,
    ]),
  ).toEqual([{ ...common, latency: 12, jitter: 1, loss: 0 }, { ...common, loss: 1 }, waiting]);
});

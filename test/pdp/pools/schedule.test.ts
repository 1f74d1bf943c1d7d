import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bitsPerSecond, timestamp } from "../../../src/model/units.js";
import { type ScheduledTime, scheduledRate, untilNextMinute, wallClock } from "../../../src/pdp/pools/schedule.js";

const at = (iso: string) => timestamp(Date.parse(iso));
const office: ScheduledTime = { days: ["mon", "fri"], from: 480, to: 1080, rate: bitsPerSecond(9000) };
const night: ScheduledTime = { days: ["fri"], from: 1320, to: 360, rate: bitsPerSecond(1000) };

describe("schedule", () => {
  it.each([
    ["mon", 479, undefined],
    ["mon", 480, 9000],
    ["mon", 1079, 9000],
    ["mon", 1080, undefined],
    ["tue", 600, undefined],
    ["fri", 1319, undefined],
    ["fri", 1320, 1000],
    ["sat", 0, 1000],
    ["sat", 359, 1000],
    ["sat", 360, undefined],
    ["fri", 100, undefined],
  ] as const)("%s, minute %i: %s", (day, minute, rate) => {
    expect(scheduledRate([office, night], { day, minute })).toBe(rate);
  });

  it("has the first of two times that hold, and lasts to the end of a day", () => {
    const all: ScheduledTime = { days: ["mon"], from: 0, to: 1440, rate: bitsPerSecond(5000) };
    expect(scheduledRate([office, all], { day: "mon", minute: 500 })).toBe(9000);
    expect(scheduledRate([all, office], { day: "mon", minute: 500 })).toBe(5000);
    expect(scheduledRate([all], { day: "mon", minute: 1439 })).toBe(5000);
    expect(scheduledRate([all], { day: "tue", minute: 0 })).toBeUndefined();
  });

  it("goes by the zone's clocks, in summer and in winter", () => {
    const vienna = wallClock("Europe/Vienna");
    expect(vienna(at("2026-01-05T07:30:00Z"))).toEqual({ day: "mon", minute: 510 });
    expect(vienna(at("2026-07-06T07:30:00Z"))).toEqual({ day: "mon", minute: 570 });
    // The night of the change: 01:59 is followed by 03:00.
    expect(vienna(at("2026-03-29T00:59:59Z"))).toEqual({ day: "sun", minute: 119 });
    expect(vienna(at("2026-03-29T01:00:00Z"))).toEqual({ day: "sun", minute: 180 });
    expect(wallClock("UTC")(at("2026-01-04T00:00:00Z"))).toEqual({ day: "sun", minute: 0 });
    expect(wallClock("Asia/Kathmandu")(at("2026-01-04T18:15:00Z"))).toEqual({ day: "mon", minute: 0 });
  });

  it("looks again when the minute is over", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4e12 }), (time) => {
        const wait = untilNextMinute(timestamp(time));
        return wait > 0 && wait <= 60_000 && (time + wait) % 60_000 === 0;
      }),
    );
  });
});

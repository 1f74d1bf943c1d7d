import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatRate, formatSize, formatTime, parseRate, parseSize, parseTime } from "../../src/config/quantities.js";
import { bitsPerSecond, millis, octets } from "../../src/model/units.js";

describe("quantities", () => {
  it.each([
    ["10 Mbit/s", 10_000_000],
    ["170 kbit/s", 170_000],
    ["64kbit/s", 64_000],
    ["1.5 Gbit/s", 1_500_000_000],
  ])("reads the rate %s", (text, value) => {
    expect(parseRate(text)).toEqual({ value });
  });

  it.each([
    ["30 s", 30_000],
    ["500 ms", 500],
    ["5 min", 300_000],
    ["1.5 s", 1500],
  ])("reads the time %s", (text, value) => {
    expect(parseTime(text)).toEqual({ value });
  });

  it("reads sizes with binary and decimal units", () => {
    expect(parseSize("256 KiB")).toEqual({ value: 262_144 });
    expect(parseSize("256 kB")).toEqual({ value: 256_000 });
  });

  it.each(["", "kbit/s", "-5 kbit/s", "5e3 kbit/s", "5 kbit/s extra", "5,5 kbit/s", "0x10 kbit/s", "9".repeat(400)])(
    "refuses %j",
    (text) => {
      expect(parseRate(text)).toHaveProperty("fault.remedy");
    },
  );

  it("reads back what it writes", () => {
    const whole = fc.integer({ min: 1000, max: 1e9 });
    fc.assert(
      fc.property(whole, (value) => {
        expect(parseRate(formatRate(bitsPerSecond(value)))).toEqual({ value });
        expect(parseTime(formatTime(millis(value)))).toEqual({ value });
        expect(parseSize(formatSize(octets(value)))).toEqual({ value });
      }),
    );
  });

  it("answers any text", () => {
    fc.assert(
      fc.property(fc.string(), (text) =>
        [parseRate, parseTime, parseSize].every((parse) => typeof parse(text) === "object"),
      ),
    );
  });
});

import { describe, expect, it } from "vitest";
import { pib } from "../../../src/cops/pr/pib/index.js";
import { encodeRow, pridOf, type RowOf } from "../../../src/cops/pr/prc.js";
import { dscp, millis } from "../../../src/model/units.js";
import { type MeasuredPoolsInput, measuredPools } from "../../../src/pdp/quality/measured-pools.js";
import { qualityReports } from "../../../src/pdp/quality/probe-rows.js";
import { usageBindings } from "../../../src/pep/router/usage-rows.js";

const row = (change: Partial<RowOf<typeof pib.sluicePathQuality>> = {}) =>
  encodeRow(pib.sluicePathQuality, 4, {
    pool: pridOf(pib.sluicePool, 4),
    sent: 50,
    lostOut: 5,
    lostIn: 9,
    latencyOut: 12_500,
    latencyIn: 30_000,
    jitterOut: 250,
    jitterIn: null,
    clocks: "synchronised",
    ...change,
  });

describe("reports of measurements", () => {
  it("have each direction, of the packets that set out in it", () => {
    expect(qualityReports([...usageBindings(new Map()), row()])).toEqual([
      {
        pool: 4,
        out: { lost: 5, sent: 50, latency: 12.5, jitter: 0.25 },
        in: { lost: 9, sent: 45, latency: 30 },
        clocks: "synchronised",
      },
    ]);
  });

  it("never say that more was lost than was sent", () => {
    const read = qualityReports([row({ lostOut: 70, lostIn: 20, latencyOut: null, latencyIn: null, jitterOut: null })]);
    expect(read).toEqual([{ pool: 4, out: { lost: 50, sent: 50 }, in: { lost: 0, sent: 0 }, clocks: "synchronised" }]);
  });

  it("that cannot be read are left out", () => {
    expect(qualityReports([{ ...row(), values: Buffer.from("00", "hex") }] as never)).toEqual([]);
  });
});

describe("measured pools", () => {
  const input: MeasuredPoolsInput = {
    router: "r1",
    port: 862,
    every: millis(100),
    communities: [
      { name: "hq", router: "r1" },
      { name: "lab", router: "r1" },
      { name: "branch", router: "r2", edge: "10.3.0.1" },
      { name: "depot", router: "r3" },
    ],
    classes: [{ name: "voice", dscp: dscp(46) }],
    pools: [
      { id: 1, name: "common", measure: true },
      { id: 2, name: "out", from: "hq", to: "branch", class: "voice", measure: true },
      { id: 3, name: "back", from: "branch", to: "hq", class: "voice", measure: true },
      { id: 4, name: "quiet", from: "hq", to: "branch", class: "voice", measure: false },
      { id: 5, name: "no edge", from: "hq", to: "depot", class: "voice", measure: true },
      { id: 6, name: "inside", from: "hq", to: "lab", class: "voice", measure: true },
    ],
  };

  it("are those that lead from here to another edge, whichever end is which", () => {
    const common = { remote: "10.3.0.1", port: 862, dscp: 46, interval: 100 };
    expect(measuredPools(input)).toEqual([
      { pool: 2, name: "out", ...common },
      { pool: 3, name: "back", ...common },
    ]);
  });
});

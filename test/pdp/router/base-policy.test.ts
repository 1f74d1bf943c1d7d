import { describe, expect, it } from "vitest";
import { splitPrid } from "../../../src/cops/pr/oid.js";
import { pib } from "../../../src/cops/pr/pib/index.js";
import { decodeRow } from "../../../src/cops/pr/prc.js";
import { dscpOf } from "../../../src/model/phb.js";
import { kilobitsPerSecond } from "../../../src/model/units.js";
import { basePolicy, poolRateRow, targetKey } from "../../../src/pdp/router/base-policy.js";

const pools = [
  { id: 7, name: "common", rate: kilobitsPerSecond(100) },
  { id: 8, name: "hq-east", rate: kilobitsPerSecond(200), class: "voice" },
  { id: 9, name: "hq-west", rate: kilobitsPerSecond(300), class: "voice" },
];
const drop = { action: "drop" } as const;
const classes = [
  { name: "voice", pool: "common", dscp: dscpOf("EF"), outOfProfile: drop },
  {
    name: "video",
    pool: "common",
    dscp: dscpOf("AF41"),
    outOfProfile: { action: "remark", dscp: dscpOf("BE") } as const,
  },
  { name: "games", dscp: dscpOf("CS4"), outOfProfile: drop },
];

describe("the policy that every router begins with", () => {
  const { bindings, targets } = basePolicy(pools, classes);

  /** The queue that a target's packets go through. */
  function queueOf(key: string): number | undefined {
    const prid = targets.get(key)?.inProfile;
    const values = bindings.find((row) => row.prid === prid)?.values;
    if (prid === undefined || values === undefined) return undefined;
    const decoded = decodeRow(pib.dsAction, splitPrid(prid)?.instance ?? 0, values);
    return decoded.ok ? splitPrid(decoded.row.next)?.instance : undefined;
  }

  it("has a way for a class into each of its pools, and into its own where none is named", () => {
    expect(queueOf(targetKey("voice", undefined))).toBe(7);
    expect(queueOf(targetKey("voice", "common"))).toBe(7);
    expect(queueOf(targetKey("voice", "hq-east"))).toBe(8);
    expect(queueOf(targetKey("voice", "hq-west"))).toBe(9);
    expect(queueOf(targetKey("video", undefined))).toBe(7);
  });

  it("has none for a class into a pool of another, or for a class without a pool", () => {
    expect(targets.get(targetKey("video", "hq-east"))).toBeUndefined();
    expect(targets.get(targetKey("games", undefined))).toBeUndefined();
  });

  it("names every row once", () => {
    const names = bindings.map(({ prid }) => prid);
    expect(new Set(names).size).toBe(names.length);
  });

  it("has the row of a pool's rate to say again when that changes", () => {
    const row = poolRateRow({ id: 8, rate: kilobitsPerSecond(250.5) });
    const before = bindings.find(({ prid }) => prid === row.prid);
    expect(before).toBeDefined();
    expect(before?.values).not.toEqual(row.values);
    expect(decodeRow(pib.dsMinRate, 8, row.values)).toMatchObject({ ok: true, row: { absolute: 251 } });
  });
});

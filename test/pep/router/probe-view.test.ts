import { describe, expect, it } from "vitest";
import type { Binding } from "../../../src/cops/pr/bindings.js";
import { ZERO_OID } from "../../../src/cops/pr/oid.js";
import { pib } from "../../../src/cops/pr/pib/index.js";
import { encodeRow, pridOf, type RowOf } from "../../../src/cops/pr/prc.js";
import { PriStore } from "../../../src/cops/pr/pri-store.js";
import { addressToBytes } from "../../../src/model/ip.js";
import { dscp, kilobitsPerSecond, millis } from "../../../src/model/units.js";
import { type PolicyProbe, probeRow } from "../../../src/pdp/quality/probe-rows.js";
import { basePolicy, poolRateRow } from "../../../src/pdp/router/base-policy.js";
import { INSTALLABLE } from "../../../src/pep/router/capabilities.js";
import { readProbes, touchesProbes } from "../../../src/pep/router/probe-view.js";

const pools = [
  { id: 1, name: "common", rate: kilobitsPerSecond(100) },
  { id: 2, name: "hq-branch", rate: kilobitsPerSecond(200), class: "voice" },
];
const asked: PolicyProbe = { pool: 2, remote: "10.3.0.1", port: 862, dscp: dscp(46), interval: millis(100) };

function storeWith(...bindings: readonly Binding[]): PriStore {
  const store = new PriStore({ classes: INSTALLABLE, maxInstances: 1000 });
  const base = basePolicy(pools, [
    { name: "voice", pool: "common", dscp: dscp(46), outOfProfile: { action: "drop" } },
  ]).bindings;
  expect(store.apply({ removals: [], bindings: [...base, ...bindings] })).toMatchObject({ ok: true });
  return store;
}

const row = (instance: number, change: Partial<RowOf<typeof pib.sluiceProbe>> = {}): Binding =>
  encodeRow(pib.sluiceProbe, instance, {
    pool: pridOf(pib.sluicePool, 2),
    addrType: "ipv4",
    remoteAddr: addressToBytes("10.3.0.1"),
    remotePort: 862,
    dscp: 46,
    interval: 100,
    ...change,
  });

describe("probe view", () => {
  it("reads what the policy server wrote", () => {
    expect(readProbes(storeWith(probeRow(asked)))).toEqual([
      { instance: 2, row: expect.objectContaining({ remotePort: 862, interval: 100 }), wanted: asked },
    ]);
    const six = { ...asked, remote: "fd03::1" };
    expect(readProbes(storeWith(probeRow(six)))).toMatchObject([{ wanted: six }]);
    expect(readProbes(storeWith())).toEqual([]);
  });

  it.each([
    [
      "a pool without a queue",
      [encodeRow(pib.sluicePool, 9, { name: "x", queue: ZERO_OID }), row(2, { pool: pridOf(pib.sluicePool, 9) })],
      "probe 2: its pool has no queue with a rate",
    ],
    ["an address of the wrong length", [row(2, { addrType: "ipv6" })], "probe 2: the address has the wrong length"],
    ["two for a pool", [row(2), row(3)], "probe 3: pool 2 has another measurement"],
  ])("refuses %s", (_, bindings, why) => {
    expect(readProbes(storeWith(...bindings))).toBe(why);
  });

  it("knows which transactions concern it", () => {
    const store = storeWith(probeRow(asked));
    const touches = (...bindings: readonly Binding[]): boolean => {
      const prepared = store.prepare({ removals: [], bindings });
      if (!prepared.ok) throw new Error("refused");
      return touchesProbes(prepared.transaction);
    };
    expect(touches(probeRow({ ...asked, interval: millis(50) }))).toBe(true);
    expect(touches(poolRateRow({ id: 2, rate: kilobitsPerSecond(300) }))).toBe(false);
  });
});

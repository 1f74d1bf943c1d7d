import { describe, expect, it } from "vitest";
import type { Binding } from "../../../src/cops/pr/bindings.js";
import { ZERO_OID } from "../../../src/cops/pr/oid.js";
import { pib } from "../../../src/cops/pr/pib/index.js";
import { encodeRow, pridOf, type RowOf } from "../../../src/cops/pr/prc.js";
import { type PriChange, PriStore } from "../../../src/cops/pr/pri-store.js";
import { addressToBytes } from "../../../src/model/ip.js";
import { bitsPerSecond, dscp, kilobitsPerSecond, octets } from "../../../src/model/units.js";
import { aggregateRow } from "../../../src/pdp/router/aggregate-rows.js";
import { basePolicy, poolRateRow } from "../../../src/pdp/router/base-policy.js";
import { readAggregates, touchesAggregates } from "../../../src/pep/router/aggregate-view.js";
import { INSTALLABLE } from "../../../src/pep/router/capabilities.js";
import { touchedFlows } from "../../../src/pep/router/flow-view.js";

const pools = [
  { id: 1, name: "common", rate: kilobitsPerSecond(100) },
  { id: 2, name: "hq-branch", rate: kilobitsPerSecond(200), class: "voice" },
];
const asked = {
  pool: 2,
  remote: "10.3.0.1",
  dscp: dscp(46),
  rate: kilobitsPerSecond(468),
  burst: octets(5850),
  packetSize: octets(200),
  request: 1,
};

function storeWith(...bindings: readonly Binding[]): PriStore {
  const store = new PriStore({ classes: INSTALLABLE, maxInstances: 1000 });
  const base = basePolicy(pools, [
    { name: "voice", pool: "common", dscp: dscp(46), outOfProfile: { action: "drop" } },
  ]).bindings;
  expect(store.apply({ removals: [], bindings: [...base, ...bindings] })).toMatchObject({ ok: true });
  return store;
}

const tunnelTo = (remote: string, more: Partial<RowOf<typeof pib.sluiceTunnel>> = {}): Binding =>
  encodeRow(pib.sluiceTunnel, 5, {
    name: "hq-branch",
    kind: "vxlan",
    addrType: "ipv4",
    localAddr: addressToBytes("10.1.0.1"),
    remoteAddr: addressToBytes(remote),
    sourcePort: 49_157,
    destinationPort: 4789,
    mtu: 1450,
    ...more,
  });

function changesOf(store: PriStore, ...bindings: readonly Binding[]): readonly PriChange[] {
  const prepared = store.prepare({ removals: [], bindings });
  return prepared.ok ? prepared.transaction.changes : [];
}

describe("aggregate view", () => {
  it("reads what the policy server wrote", () => {
    const read = readAggregates(storeWith(aggregateRow(asked)));
    expect(read).toEqual([{ instance: 2, row: expect.objectContaining({ rate: 468, request: 1 }), wanted: asked }]);
    const six = readAggregates(storeWith(aggregateRow({ ...asked, remote: "fd03::1" })));
    expect(six).toMatchObject([{ wanted: { remote: "fd03::1" } }]);
  });

  it("reads rows of the class's first shape", () => {
    const row = aggregateRow(asked);
    const first = { ...row, values: row.values.slice(0, -2) };
    expect(readAggregates(storeWith(first))).toEqual(readAggregates(storeWith(row)));
  });

  it("reads the ceiling, and the outer flow of a tunnel", () => {
    const all = { ...asked, ceiling: kilobitsPerSecond(935), tunnel: 5 };
    const outer = { local: "10.1.0.1", sourcePort: 49_157, destinationPort: 4789 };
    expect(readAggregates(storeWith(tunnelTo("10.3.0.1"), aggregateRow(all)))).toMatchObject([
      { wanted: { ceiling: 935_000, tunnel: { protocol: 17, ...outer } } },
    ]);
    const gre = tunnelTo("10.3.0.1", { kind: "gre", sourcePort: 0, destinationPort: 0 });
    expect(readAggregates(storeWith(gre, aggregateRow(all)))).toMatchObject([
      { wanted: { tunnel: { protocol: 47, local: "10.1.0.1", sourcePort: 0, destinationPort: 0 } } },
    ]);
  });

  it("follows references rather than numbers", () => {
    const row = { ...rowOf(), pool: pridOf(pib.sluicePool, 2) };
    const store = storeWith(encodeRow(pib.sluiceAggregate, 77, row));
    expect(readAggregates(store)).toMatchObject([{ instance: 77, wanted: { pool: 2 } }]);
  });

  const rowOf = (): RowOf<typeof pib.sluiceAggregate> => ({
    pool: pridOf(pib.sluicePool, 2),
    addrType: "ipv4",
    remoteAddr: Buffer.from([10, 3, 0, 1]),
    dscp: 46,
    rate: 468,
    burstSize: 5850,
    packetSize: 200,
    request: 1,
    ceiling: 0,
    tunnel: ZERO_OID,
  });

  it.each<[string, readonly Binding[], string]>([
    ["an address of another length", [encodeRow(pib.sluiceAggregate, 2, { ...rowOf(), addrType: "ipv6" })], "length"],
    [
      "two of one pool",
      [encodeRow(pib.sluiceAggregate, 2, rowOf()), encodeRow(pib.sluiceAggregate, 3, rowOf())],
      "aggregate 3: pool 2 has another aggregate",
    ],
    [
      "a pool that is none",
      [encodeRow(pib.sluiceAggregate, 2, { ...rowOf(), pool: pridOf(pib.dsQ, 2) })],
      "aggregate 2: its pool has no queue with a rate",
    ],
    [
      "a tunnel to another edge",
      [tunnelTo("10.4.0.1"), aggregateRow({ ...asked, tunnel: 5 })],
      "aggregate 2: its tunnel goes to another edge",
    ],
    [
      "a tunnel that is none",
      [encodeRow(pib.sluiceAggregate, 2, { ...rowOf(), tunnel: pridOf(pib.sluicePool, 2) })],
      "aggregate 2: its tunnel is not known",
    ],
    [
      "a tunnel whose end is of another IP version",
      [tunnelTo("10.3.0.1", { addrType: "ipv6" }), aggregateRow({ ...asked, tunnel: 5 })],
      "aggregate 2: its tunnel's address has the wrong length",
    ],
  ])("says why it cannot reserve: %s", (_, bindings, text) => {
    expect(readAggregates(storeWith(...bindings))).toContain(text);
  });

  it("tells what concerns reservations from what concerns flows", () => {
    const store = storeWith(aggregateRow(asked));
    const aggregate = changesOf(store, aggregateRow({ ...asked, rate: bitsPerSecond(500_000), request: 2 }));
    const pool = changesOf(store, poolRateRow({ id: 2, rate: kilobitsPerSecond(300) }));
    const tunnel = changesOf(store, tunnelTo("10.3.0.1"));
    const touched = [aggregate, tunnel, pool].map((changes) => touchesAggregates({ changes }));
    expect(touched).toEqual([true, true, false]);
    expect(touchedFlows(store, aggregate).size).toBe(0);
    expect(touchedFlows(store, pool).size).toBeGreaterThan(0);
  });
});

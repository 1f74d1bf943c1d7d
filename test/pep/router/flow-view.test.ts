import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { oid } from "../../../src/cops/pr/oid.js";
import { pib } from "../../../src/cops/pr/pib/index.js";
import { encodeRow, pridOf } from "../../../src/cops/pr/prc.js";
import { PriStore } from "../../../src/cops/pr/pri-store.js";
import type { FlowKey } from "../../../src/model/flow.js";
import { addressFromBytes } from "../../../src/model/ip.js";
import { sessionIdOf } from "../../../src/model/session.js";
import { dscp, kilobitsPerSecond, type Octets, octets } from "../../../src/model/units.js";
import { basePolicy } from "../../../src/pdp/router/base-policy.js";
import { flowBindings, flowRemovals, tokenBucketRow } from "../../../src/pdp/router/flow-rows.js";
import { INSTALLABLE } from "../../../src/pep/router/capabilities.js";
import { readChanges, readFlow, readPools, touchedFlows } from "../../../src/pep/router/flow-view.js";

const policy = basePolicy(
  [
    { id: 1, name: "voice", rate: kilobitsPerSecond(170) },
    { id: 2, name: "video", rate: kilobitsPerSecond(170) },
  ],
  [
    { name: "voice", pool: "voice", dscp: dscp(46), outOfProfile: { action: "drop" } },
    { name: "video", pool: "video", dscp: dscp(34), outOfProfile: { action: "remark", dscp: dscp(36) } },
    { name: "other-voice", pool: "voice", dscp: dscp(46), outOfProfile: { action: "drop" } },
  ],
);

function storeWithBase() {
  const store = new PriStore({ classes: INSTALLABLE, maxInstances: 100_000 });
  const applied = store.apply({ removals: [], bindings: policy.bindings });
  expect(applied).toMatchObject({ ok: true });
  return store;
}

const port = fc.integer({ min: 1, max: 65535 });
const keyArbitrary: fc.Arbitrary<FlowKey> = fc
  .record({
    size: fc.constantFrom(4, 16),
    bytes: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    sport: fc.option(port, { nil: undefined }),
    dport: port,
    protocol: fc.constantFrom("udp" as const, "tcp" as const),
  })
  .map(({ size, bytes, sport, dport, protocol }) => ({
    protocol,
    source: { address: addressFromBytes(bytes.subarray(0, size)), port: sport },
    destination: { address: addressFromBytes(bytes.subarray(16, 16 + size)), port: dport },
  }));

const sizeArbitrary = fc.option(fc.integer({ min: 20, max: 65_535 }).map(octets), { nil: undefined });

const session = sessionIdOf("call", "tag");
const traffic = { rate: kilobitsPerSecond(80), burst: octets(3000), packetsPerSecond: 50 };
const target = (name: string) => policy.targets.get(name) ?? { inProfile: oid("0.0"), outOfProfile: undefined };
const rows = (instance: number, key: FlowKey, name = "voice", packetSize?: Octets) => [
  tokenBucketRow(7, traffic),
  ...flowBindings({ instance, session, key, parameters: 7, targets: target(name), packetSize }),
];

describe("flow view", () => {
  it("reads what the policy server wrote, for any key", () => {
    fc.assert(
      fc.property(keyArbitrary, fc.integer({ min: 1, max: 2 ** 31 }), sizeArbitrary, (key, instance, packetSize) => {
        const store = storeWithBase();
        const bindings = rows(instance, key, "voice", packetSize);
        expect(store.apply({ removals: [], bindings })).toMatchObject({ ok: true });
        expect(readFlow(store, instance)).toEqual({
          ok: true,
          rule: {
            id: instance,
            session,
            key,
            dscp: 46,
            pool: 1,
            rate: 80_000,
            burst: 3000,
            ...(packetSize === undefined ? {} : { packetSize }),
            outOfProfile: { action: "drop" },
          },
        });
      }),
      { numRuns: 50 },
    );
  });

  const key: FlowKey = {
    protocol: "udp",
    source: { address: "10.1.0.10", port: 6000 },
    destination: { address: "10.3.0.10", port: 6000 },
  };

  it("reads pools, remarking, and the removal of exactly one flow", () => {
    const store = storeWithBase();
    expect([...readPools(store).values()]).toEqual([
      { id: 1, name: "voice", rate: 170_000 },
      { id: 2, name: "video", rate: 170_000 },
    ]);
    store.apply({ removals: [], bindings: [...rows(5, key, "video"), ...rows(6, key, "other-voice").slice(1)] });
    expect(readFlow(store, 5)).toMatchObject({ rule: { pool: 2, outOfProfile: { action: "remark", dscp: 36 } } });
    expect(readFlow(store, 6)).toMatchObject({ rule: { pool: 1, dscp: 46 } });
    const before = store.size;
    expect(store.apply({ removals: flowRemovals(5), bindings: [] })).toMatchObject({ ok: true });
    expect(before - store.size).toBe(6);
    expect(readFlow(store, 5)).toBeUndefined();
    expect(readFlow(store, 6)).toMatchObject({ ok: true });
  });

  it("reads the flows of both directions of a session together", () => {
    const store = storeWithBase();
    const back = { protocol: "udp", source: key.destination, destination: key.source } as FlowKey;
    const bindings = [...rows(5, key), ...rows(6, back).slice(1)];
    const prepared = store.prepare({ removals: [], bindings });
    if (!prepared.ok) throw new Error("refused");
    const reading = readChanges(prepared.transaction);
    if (typeof reading === "string") throw new Error(reading);
    expect([...reading.touched.values()].map((rule) => rule?.key)).toEqual([key, back]);
  });

  it("knows of a packet size that changed alone", () => {
    const store = storeWithBase();
    store.apply({ removals: [], bindings: rows(5, key) });
    const prepared = store.prepare({ removals: [], bindings: rows(5, key, "voice", octets(200)) });
    const reading = prepared.ok ? readChanges(prepared.transaction) : "refused";
    expect(typeof reading !== "string" && reading.touched.get(5)?.packetSize).toBe(200);
  });

  it("knows which flows a change touches", () => {
    const store = storeWithBase();
    store.apply({ removals: [], bindings: [...rows(5, key), ...rows(6, key).slice(1)] });
    const touched = (bindings: Parameters<PriStore["prepare"]>[0]["bindings"]) => {
      const prepared = store.prepare({ removals: [], bindings });
      if (!prepared.ok) throw new Error(JSON.stringify(prepared.errors));
      return [...touchedFlows(prepared.transaction.after, prepared.transaction.changes)].sort((a, b) => a - b);
    };
    expect(touched(rows(9, key).slice(1))).toEqual([9]);
    expect(touched([tokenBucketRow(8, traffic)])).toEqual([]);
    expect(touched(rows(9, key))).toEqual([9]);
    // A shared row changes: every element may look different now.
    expect(touched([encodeRow(pib.dsDscpMarkAct, 47, { dscp: 10 })])).toEqual([5, 6, 0xffffffff]);
  });

  it("says why it cannot enforce a filter", () => {
    const store = storeWithBase();
    const wide = rows(5, key).map((binding) =>
      binding.prid === pridOf(pib.frwkIpFilter, 5)
        ? encodeRow(pib.frwkIpFilter, 5, {
            addrType: "ipv4",
            dstAddr: Buffer.from([10, 0, 0, 0]),
            dstPrefixLength: 8,
            srcAddr: Buffer.from([10, 0, 0, 0]),
            srcPrefixLength: 8,
            dscp: -1,
            flowId: -1,
            protocol: 17,
            dstL4PortMin: 0,
            dstL4PortMax: 65535,
            srcL4PortMin: 0,
            srcL4PortMax: 65535,
          })
        : binding,
    );
    store.apply({ removals: [], bindings: wide });
    expect(readFlow(store, 5)).toEqual({ ok: false, text: "prefixes are not supported" });
  });
});

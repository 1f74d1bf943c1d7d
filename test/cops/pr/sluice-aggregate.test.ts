/** Octets of our own classes for reservations, written out by hand, and tshark's reading of them. */
import { describe, expect, it } from "vitest";
import { encodeMessage } from "../../../src/cops/codec/encode.js";
import { encodeBer } from "../../../src/cops/pr/ber-writer.js";
import { encodeClientSi } from "../../../src/cops/pr/bindings.js";
import { encodeProvisioning } from "../../../src/cops/pr/decision.js";
import { CPERR } from "../../../src/cops/pr/errors.js";
import { ZERO_OID } from "../../../src/cops/pr/oid.js";
import { ALL_CLASSES, pib } from "../../../src/cops/pr/pib/index.js";
import { decodeRow, encodeRow, pridOf, type RowOf } from "../../../src/cops/pr/prc.js";
import { PriStore } from "../../../src/cops/pr/pri-store.js";
import { TROUBLE, tsharkFields } from "../tshark.js";

const AGGREGATE: RowOf<typeof pib.sluiceAggregate> = {
  pool: pridOf(pib.sluicePool, 3),
  addrType: "ipv4",
  remoteAddr: Buffer.from([10, 3, 0, 1]),
  dscp: 46,
  rate: 468,
  burstSize: 5850,
  packetSize: 200,
  request: 2,
  ceiling: 935,
  tunnel: pridOf(pib.sluiceTunnel, 5),
};
const STATE: RowOf<typeof pib.sluiceAggregateState> = {
  pool: pridOf(pib.sluicePool, 3),
  outgoing: 300,
  incoming: null,
  state: "refused",
  answers: 468,
  request: 2,
  reason: "no room",
};
/** 1.3.6.1.4.1.32473.1.2.1.3: 32473 is 1, 125, 89 in base 128. */
const POOL_OID = "060c 2b0601040181fd5901020103";
const TUNNEL_OID = "060c 2b0601040181fd5901060105";

const hex = (text: string): string => text.replaceAll(/\s/g, "");
const handle = Buffer.from("00000007", "hex");
const dec = (binding: ReturnType<typeof encodeRow>): Buffer =>
  encodeMessage({
    op: "DEC",
    clientType: 2,
    solicited: false,
    handle,
    decisions: encodeProvisioning({ removals: [], bindings: [binding] }),
  });

describe("rows of aggregates", () => {
  it("have the octets that they have to have", () => {
    const { prid, values } = encodeRow(pib.sluiceAggregate, 3, AGGREGATE);
    expect(prid).toBe("1.3.6.1.4.1.32473.1.4.1.3");
    expect(encodeBer(...values).toString("hex")).toBe(
      hex(`420103 ${POOL_OID} 020101 0404 0a030001 02012e 420201d4 420216da 420200c8 420102
        420203a7 ${TUNNEL_OID}`),
    );
    const state = encodeRow(pib.sluiceAggregateState, 3, STATE);
    expect(state.prid).toBe("1.3.6.1.4.1.32473.1.5.1.3");
    expect(encodeBer(...state.values).toString("hex")).toBe(
      hex(`420103 ${POOL_OID} 4202012c 0500 020103 420201d4 420102 0407 6e6f20726f6f6d`),
    );
  });

  it("come back as they went, of either IP version", () => {
    const six = { ...AGGREGATE, addrType: "ipv6", remoteAddr: Buffer.alloc(16, 0xfd) } as const;
    for (const row of [AGGREGATE, six]) {
      const decoded = decodeRow(pib.sluiceAggregate, 3, encodeRow(pib.sluiceAggregate, 3, row).values);
      expect(decoded).toEqual({ ok: true, row, warnings: [] });
    }
    const decoded = decodeRow(pib.sluiceAggregateState, 3, encodeRow(pib.sluiceAggregateState, 3, STATE).values);
    expect(decoded).toEqual({ ok: true, row: STATE, warnings: [] });
  });

  it("of the class's first shape have no ceiling and no tunnel", () => {
    const { values } = encodeRow(pib.sluiceAggregate, 3, AGGREGATE);
    for (const [left, row] of [
      [-2, { ...AGGREGATE, ceiling: 0, tunnel: ZERO_OID }],
      [-1, { ...AGGREGATE, tunnel: ZERO_OID }],
    ] as const) {
      expect(decodeRow(pib.sluiceAggregate, 3, values.slice(0, left))).toEqual({ ok: true, row, warnings: [] });
    }
  });

  it("are read by tshark as they were meant, without a complaint", async () => {
    const report = encodeMessage({
      op: "RPT",
      clientType: 2,
      handle,
      solicited: false,
      reportType: "accounting",
      signaled: [],
      named: encodeClientSi([encodeRow(pib.sluiceAggregateState, 3, STATE)]),
    });
    const fields = ["cops.prid.instance_id", "cops.epd.unsigned32", "cops.epd.int", "cops.epd.octets"];
    const messages = [dec(encodeRow(pib.sluiceAggregate, 3, AGGREGATE)), report];
    const [install = {}, state = {}] = await tsharkFields(messages, fields);
    expect(install["cops.prid.instance_id"]).toMatch(/32473\.1\.4\.1\.3$/);
    expect(install["cops.epd.unsigned32"]).toBe("3,468,5850,200,2,935");
    expect(install["cops.epd.int"]).toBe("1,46");
    expect(state["cops.prid.instance_id"]).toMatch(/32473\.1\.5\.1\.3$/);
    expect(state["cops.epd.unsigned32"]).toBe("3,300,468,2");
    expect(state["cops.epd.int"]).toBe("3");
    for (const field of TROUBLE) expect([field in install, field in state], field).toEqual([false, false]);
  });

  const wrong: readonly [string, number, (values: ReturnType<typeof encodeRow>["values"]) => unknown[]][] = [
    ["a rate of 0", CPERR.attrValueInvalid, (values) => values.with(5, { type: "unsigned32", value: 0 })],
    ["a code point of 64", CPERR.attrValueInvalid, (values) => values.with(4, { type: "integer", value: 64 })],
    ["IP version 3", CPERR.attrEnumSupLimited, (values) => values.with(2, { type: "integer", value: 3 })],
    ["3 octets of address", CPERR.attrValueInvalid, (values) => values.with(3, octets(3))],
    ["17 octets of address", CPERR.attrMaxLengthExceeded, (values) => values.with(3, octets(17))],
    ["no request", CPERR.tooFewAttrs, (values) => values.slice(0, -3)],
  ];
  const octets = (length: number) => ({ type: "octets", value: Buffer.alloc(length) }) as const;

  it.each(wrong)("are refused with %s", (_, code, spoil) => {
    const { values } = encodeRow(pib.sluiceAggregate, 3, AGGREGATE);
    const decoded = decodeRow(pib.sluiceAggregate, 3, spoil(values) as typeof values);
    expect(decoded).toMatchObject({ ok: false, errors: [{ cperr: { code } }] });
  });
});

describe("a store of rows", () => {
  const store = () => new PriStore({ classes: ALL_CLASSES, maxInstances: 10 });
  const pool = encodeRow(pib.sluicePool, 3, { name: "hq-branch", queue: ZERO_OID });
  const aggregate = encodeRow(pib.sluiceAggregate, 3, { ...AGGREGATE, tunnel: ZERO_OID });
  const codes = (
    rows: PriStore,
    removals: readonly { prid: typeof pool.prid }[],
    bindings: readonly (typeof pool)[],
  ) => {
    const applied = rows.apply({ removals, bindings });
    return applied.ok ? [] : applied.errors.map(({ cperr }) => cperr.code);
  };

  it("takes an aggregate only with its pool, and keeps the pool as long as it has one", () => {
    const rows = store();
    expect(codes(rows, [], [aggregate])).toEqual([CPERR.attrReferenceUnknown]);
    expect(codes(rows, [], [pool, aggregate])).toEqual([]);
    expect(codes(rows, [{ prid: pool.prid }], [])).toEqual([CPERR.deletedInRef]);
    expect(codes(rows, [{ prid: aggregate.prid }, { prid: pool.prid }], [])).toEqual([]);
  });

  it("takes an aggregate of a tunnel only with that", () => {
    const tunnelled = encodeRow(pib.sluiceAggregate, 3, AGGREGATE);
    const tunnel = encodeRow(pib.sluiceTunnel, 5, {
      name: "hq-branch",
      kind: "vxlan",
      addrType: "ipv4",
      localAddr: Buffer.from([10, 1, 0, 1]),
      remoteAddr: Buffer.from([10, 3, 0, 1]),
      sourcePort: 49_157,
      destinationPort: 4789,
      mtu: 1450,
    });
    expect(codes(store(), [], [pool, tunnelled])).toEqual([CPERR.attrReferenceUnknown]);
    expect(codes(store(), [], [pool, tunnel, tunnelled])).toEqual([]);
  });

  it("takes no state from a policy server", () => {
    const state = encodeRow(pib.sluiceAggregateState, 3, STATE);
    expect(codes(store(), [], [pool, state])).toEqual([CPERR.priNotifyOnly]);
  });
});

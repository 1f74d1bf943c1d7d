import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { BerValue } from "../../../src/cops/pr/ber.js";
import { encodeBer } from "../../../src/cops/pr/ber-writer.js";
import { oid, ZERO_OID } from "../../../src/cops/pr/oid.js";
import { type PackedRow, packRow, unpackRow } from "../../../src/cops/pr/packed-row.js";
import { pib } from "../../../src/cops/pr/pib/index.js";
import { decodeRow, encodeRow, type Prc, pridOf, type RowOf } from "../../../src/cops/pr/prc.js";
import { InternalError } from "../../../src/model/errors.js";
import { parseSessionId } from "../../../src/model/session.js";

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const port = fc.integer({ min: 0, max: 65_535 });
const address = fc.uint8Array({ minLength: 0, maxLength: 16 }).map((bytes) => Buffer.from(bytes));
const reference = fc.oneof(
  fc.constant(ZERO_OID),
  fc.integer({ min: 1, max: 0xffffffff }).map((n) => pridOf(pib.dsMeter, n)),
);
const digits = fc.stringMatching(/^[0-9a-f]{16}$/).map((text) => parseSessionId(text)!);
const plain = fc
  .string({ maxLength: 40, unit: "grapheme" })
  .filter((text) => [...text].every((c) => c >= " " && c !== "\x7f"));

/** A class with any row of it: between them, every syntax. */
type Case = readonly [Prc, Readonly<Record<string, unknown>>];
const rowOf = <P extends Prc>(prc: P, row: { [K in keyof RowOf<P>]: fc.Arbitrary<RowOf<P>[K]> }): fc.Arbitrary<Case> =>
  fc.record(row as Record<string, fc.Arbitrary<unknown>>).map((value) => [prc, value]);

const anyRow: fc.Arbitrary<Case> = fc.oneof(
  rowOf(pib.frwkIpFilter, {
    addrType: fc.constantFrom("ipv4" as const, "ipv6" as const),
    dstAddr: address,
    dstPrefixLength: fc.integer({ min: 0, max: 128 }),
    srcAddr: address,
    srcPrefixLength: fc.integer({ min: 0, max: 128 }),
    dscp: fc.integer({ min: -1, max: 63 }),
    flowId: fc.integer({ min: -1, max: 0xfffff }),
    protocol: fc.integer({ min: 0, max: 255 }),
    dstL4PortMin: port,
    dstL4PortMax: port,
    srcL4PortMin: port,
    srcL4PortMax: port,
  }),
  rowOf(pib.dsMeter, { succeedNext: reference, failNext: reference, specific: reference }),
  rowOf(pib.sluiceSession, { session: digits, clfrElement: reference, packetSize: port, tunnel: reference }),
  rowOf(pib.dsMinRate, {
    priority: fc.integer({ min: 1, max: 0xffffffff }),
    absolute: fc.option(fc.integer({ min: 1, max: 0xffffffff })),
    relative: fc.option(fc.integer({ min: 1, max: 0xffffffff })),
  }),
  rowOf(pib.frwkFeedbackTrafficThres, {
    packets: fc.option(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
    bytes: fc.option(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
  }),
  rowOf(pib.frwkFeedbackLink, {
    sel: reference,
    usage: fc.array(u32, { maxLength: 9 }).map((arcs) => oid(["1", "3", ...arcs].join("."))),
    interval: fc.integer({ min: 0, max: 0x7fffffff }),
    threshold: reference,
    flags: fc.uniqueArray(fc.integer({ min: 0, max: 40 })).map((set) => set.sort((a, b) => a - b)),
  }),
  rowOf(pib.frwkBaseFilter, { negation: fc.boolean() }),
  rowOf(pib.frwkRoleCombo, { roles: plain, capSetName: plain }),
);

describe("a packed row", () => {
  it("comes back as the row that the wire gave, from characters of one octet", () => {
    fc.assert(
      fc.property(anyRow, fc.integer({ min: 1, max: 0xffffffff }), ([prc, row], instance) => {
        const decoded = decodeRow(prc, instance, encodeRow(prc, instance, row).values);
        if (!decoded.ok) throw new Error(JSON.stringify(decoded.errors));
        const packed = packRow(prc, decoded.row);
        expect(unpackRow(prc, packed)).toEqual(decoded.row);
        expect([...packed].every((char) => char.charCodeAt(0) <= 0xff)).toBe(true);
      }),
      { numRuns: 400 },
    );
  });

  it("is the row's EPD without the InstanceId", () => {
    expect(Buffer.from(packRow(pib.frwkBaseFilter, { negation: false }), "latin1").toString("hex")).toBe("020102");
  });

  it("of another class is our mistake, and said so", () => {
    const packed = packRow(pib.frwkBaseFilter, { negation: false });
    expect(() => unpackRow(pib.dsMeter, packed)).toThrow(InternalError);
    expect(() => unpackRow(pib.frwkBaseFilter, "" as PackedRow)).toThrow(/PRI_PACKED|negation/);
  });
});

describe("writing BER", () => {
  it.each<[string, BerValue]>([
    ["a fraction", { type: "unsigned32", value: 1.5 }],
    ["no number", { type: "integer", value: Number.NaN }],
    ["more than 32 bits", { type: "unsigned32", value: 2 ** 32 }],
    ["more octets than an object holds", { type: "octets", value: Buffer.alloc(0x10000) }],
    ["text that is no identifier", { type: "oid", value: "1.3.x" as never }],
  ])("refuses %s, and the next value is not spoilt by it", (_, value) => {
    expect(() => encodeBer({ type: "integer", value: 1 }, value)).toThrow(InternalError);
    expect(encodeBer({ type: "integer", value: 1 }).toString("hex")).toBe("020101");
  });
});

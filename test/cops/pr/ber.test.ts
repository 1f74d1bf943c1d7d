import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type BerValue, decodeBer } from "../../../src/cops/pr/ber.js";
import { encodeBer } from "../../../src/cops/pr/ber-writer.js";
import { GPERR, PrDecodeError } from "../../../src/cops/pr/errors.js";
import { oid, splitPrid, ZERO_OID } from "../../../src/cops/pr/oid.js";

const octets = (hex: string): Buffer => Buffer.from(hex.replaceAll(" ", ""), "hex");

const anyOid = fc
  .tuple(
    fc.oneof(
      fc.tuple(fc.constantFrom(0, 1), fc.integer({ min: 0, max: 39 })),
      fc.tuple(fc.constant(2), fc.integer({ min: 0, max: 0xffffffff - 80 })),
    ),
    fc.array(fc.integer({ min: 0, max: 0xffffffff }), { maxLength: 12 }),
  )
  .map(([root, arcs]) => oid([...root, ...arcs].join(".")));

const anyValue: fc.Arbitrary<BerValue> = fc.oneof(
  fc.integer().map((value): BerValue => ({ type: "integer", value })),
  fc.integer({ min: 0, max: 0xffffffff }).map((value): BerValue => ({ type: "unsigned32", value })),
  fc.integer({ min: 0, max: 0xffffffff }).map((value): BerValue => ({ type: "timeTicks", value })),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value): BerValue => ({ type: "integer64", value })),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((value): BerValue => ({ type: "unsigned64", value })),
  fc.uint8Array({ maxLength: 300 }).map((value): BerValue => ({ type: "octets", value: Buffer.from(value) })),
  fc.uint8Array({ maxLength: 9 }).map((value): BerValue => ({ type: "opaque", value: Buffer.from(value) })),
  fc
    .uint8Array({ minLength: 4, maxLength: 4 })
    .map((value): BerValue => ({ type: "ipAddress", value: Buffer.from(value) })),
  anyOid.map((value): BerValue => ({ type: "oid", value })),
  fc.constant<BerValue>({ type: "null" }),
);

describe("BER", () => {
  it.each<[string, string, BerValue]>([
    ["the PRID of RFC 3084 §4.1", "06 07 2b 06 01 02 02 08 01", { type: "oid", value: oid("1.3.6.1.2.2.8.1") }],
    ["0.0", "06 01 00", { type: "oid", value: ZERO_OID }],
    ["an arc of five octets", "06 06 2a 8f ff ff ff 7f", { type: "oid", value: oid("1.2.4294967295") }],
    ["2.999", "06 02 88 37", { type: "oid", value: oid("2.999") }],
    ["-1", "02 01 ff", { type: "integer", value: -1 }],
    ["-129", "02 02 ff 7f", { type: "integer", value: -129 }],
    ["127", "02 01 7f", { type: "integer", value: 127 }],
    ["128: a leading zero keeps it positive", "42 02 00 80", { type: "unsigned32", value: 128 }],
    ["2^32-1", "42 05 00 ff ff ff ff", { type: "unsigned32", value: 0xffffffff }],
    ["2^64-1", "4b 09 00 ff ff ff ff ff ff ff ff", { type: "unsigned64", value: 2n ** 64n - 1n }],
    ["NULL", "05 00", { type: "null" }],
  ])("%s", (_, hex, value) => {
    expect(encodeBer(value).toString("hex")).toBe(octets(hex).toString("hex"));
    expect(decodeBer(octets(hex))).toEqual([value]);
  });

  it("comes back as it went", () => {
    fc.assert(
      fc.property(fc.array(anyValue, { maxLength: 6 }), (values) => {
        expect(decodeBer(encodeBer(...values))).toEqual(values);
      }),
    );
  });

  it("puts lengths above 127 into the long form, and reads a long form that was not needed", () => {
    const value = { type: "octets", value: Buffer.alloc(200, 7) } as const;
    expect(encodeBer(value).subarray(0, 3).toString("hex")).toBe("0481c8");
    expect(decodeBer(octets("04 82 00 01 09"))).toEqual([{ type: "octets", value: octets("09") }]);
  });

  it.each([
    ["an unknown tag", "0c 01 00", GPERR.unknownAsn1Tag, 0x0c],
    ["the indefinite form", "04 80 00 00", GPERR.invalidAsn1Length, 0],
    ["a length of three octets", "04 83 00 00 01 00", GPERR.invalidAsn1Length, 0],
    ["a tag without length", "04", GPERR.invalidAsn1Length, 0],
    ["a length that is cut off", "04 82 01", GPERR.invalidAsn1Length, 0],
    ["a value that is cut off", "04 02 01", GPERR.invalidAsn1Length, 0],
    ["an empty integer", "02 00", GPERR.invalidAsn1Length, 0],
    ["an Unsigned32 that is negative", "42 01 ff", GPERR.invalidAsn1Length, 0],
    ["an Unsigned32 of 2^32", "42 05 01 00 00 00 00", GPERR.invalidAsn1Length, 0],
    ["an integer of six octets", "02 06 00 00 00 00 00 01", GPERR.invalidAsn1Length, 0],
    ["an empty object identifier", "06 00", GPERR.invalidAsn1Length, 0],
    ["an arc that is cut off", "06 06 2b 06 01 04 01 89", GPERR.invalidAsn1Length, 0],
    ["an arc above 2^32-1", "06 06 2a 90 80 80 80 00", GPERR.invalidAsn1Length, 0],
    ["an IpAddress of three octets", "40 03 01 02 03", GPERR.invalidAsn1Length, 0],
    ["a NULL with contents", "05 01 00", GPERR.invalidAsn1Length, 0],
  ])("refuses %s", (_, hex, code, subCode) => {
    try {
      decodeBer(octets(hex));
    } catch (error) {
      expect(error).toBeInstanceOf(PrDecodeError);
      expect((error as PrDecodeError).gperr).toEqual({ code, subCode });
      return;
    }
    throw new Error("was decoded");
  });

  it("decodes or refuses any octets", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        try {
          decodeBer(Buffer.from(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(PrDecodeError);
        }
      }),
    );
  });
});

describe("OID", () => {
  it.each(["", "1", "3.1", "1.40", "1.3.", "1..3", "1.3.4294967296", "1.3.-1", "1.03", "a.b"])("is not %j", (text) => {
    expect(() => oid(text)).toThrow(/object identifier/);
  });

  it("cuts an instance off its class", () => {
    expect(splitPrid(oid("1.3.6.7"))).toEqual({ entry: "1.3.6", instance: 7 });
  });
});

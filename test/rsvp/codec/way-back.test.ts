/** The policy element for the way back, and the POLICY_DATA that it goes in. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { BytesPerSecond } from "../../../src/model/units.js";
import { RsvpDecodeError } from "../../../src/rsvp/codec/errors.js";
import { readPolicyData, writePolicyData } from "../../../src/rsvp/codec/policy-data.js";
import { floatUp } from "../../../src/rsvp/codec/token-bucket.js";
import { WAY_BACK_TYPE, wayBackOf, wayBackPolicy } from "../../../src/rsvp/codec/way-back.js";
import { octetsOf } from "../golden/golden.js";

const data = (hex: string) => ({ contents: octetsOf(hex) });
/** 75000 = 0x1.24f8p16; enterprise 32473 = 0x7ed9. */
const GOOD = "0008 0000 | 000c d349 00007ed9 47927c00";

function faultOf(...hex: readonly string[]): string {
  try {
    wayBackOf(hex.map(data));
  } catch (error) {
    if (error instanceof RsvpDecodeError) return `${error.reason}: ${error.message}`;
    throw error;
  }
  throw new Error("nothing was wrong");
}

describe("the element for the way back", () => {
  it("has the octets that it has to have, and comes back as it went", () => {
    expect(wayBackPolicy(75_000 as BytesPerSecond)).toEqual(data(GOOD));
    expect(wayBackOf([data(GOOD)])).toBe(75_000);
    fc.assert(
      fc.property(fc.double({ min: 0, max: 39e12, noNaN: true }), (rate) => {
        expect(wayBackOf([wayBackPolicy(rate as BytesPerSecond)])).toBe(floatUp(rate));
      }),
    );
  });

  it.each([
    ["no POLICY_DATA", []],
    ["no elements", ["0008 0000"]],
    ["others' elements", ["0008 0000 | 0008 0001 00000000 | 0004 0002"]],
    ["another's element of the same private type", ["0008 0000 | 000c d349 00000009 47927c00"]],
    ["an empty one, which deletes", [GOOD, "0008 0000 | 0004 d349"]],
    [
      "options, which are for others or unchecked",
      ["0014 0000 | 000c 03 01 0a090101 00000001 | 000c d349 00007ed9 47927c00"],
    ],
  ])("is not there with %s", (_, hex) => {
    expect(wayBackOf(hex.map(data))).toBeUndefined();
  });

  it("is the last of several, in one object or in more", () => {
    const other = "000c d349 00007ed9 00000000";
    expect(wayBackOf([data(`${GOOD} | ${other}`)])).toBe(0);
    expect(wayBackOf([data(`0008 0000 | ${other}`), data(GOOD)])).toBe(75_000);
  });

  it.each([
    ["no contents", "", "malformed: no Data Offset"],
    ["a Data Offset into the header", "0004 0000", "malformed: Data Offset is outside the object"],
    ["a Data Offset past the end", "000c 0000", "malformed: Data Offset is outside the object"],
    ["an element of no length", "0008 0000 | 0000 d349", "malformed: policy element of a wrong length"],
    [
      "an element past the end",
      "0008 0000 | 0010 d349 00007ed9 47927c00",
      "malformed: policy element of a wrong length",
    ],
    ["octets after the last element", "0008 0000 | 0004 0001 00", "malformed: policy element of a wrong length"],
    ["too little in it", "0008 0000 | 0008 d349 00007ed9", "malformed: element of a wrong length"],
    ["too much in it", "0008 0000 | 0010 d349 00007ed9 47927c00 00000000", "malformed: element of a wrong length"],
    [
      "part of an enterprise number",
      "0008 0000 | 0006 d349 0000 | 0006 0001 0000",
      "malformed: element of a wrong length",
    ],
    ["a rate that is no number", "0008 0000 | 000c d349 00007ed9 7fc00000", "badValue: rate NaN is outside"],
    ["a negative rate", "0008 0000 | 000c d349 00007ed9 c7927c00", "badValue: rate -75000 is outside"],
    ["a rate without end", "0008 0000 | 000c d349 00007ed9 7f800000", "badValue: rate Infinity is outside"],
  ])("cannot be read with %s", (_, hex, fault) => {
    expect(faultOf(hex)).toContain(fault);
  });
});

describe("POLICY_DATA", () => {
  const element = fc.record({
    type: fc.oneof(fc.constant(WAY_BACK_TYPE), fc.integer({ min: 0, max: 0xffff })),
    contents: fc
      .integer({ min: 0, max: 4 })
      .chain((words) => fc.uint8Array({ minLength: words * 4, maxLength: words * 4 }))
      .map((octets) => Buffer.from(octets)),
  });

  it("comes back as it went", () => {
    fc.assert(
      fc.property(fc.array(element, { maxLength: 4 }), (elements) => {
        expect(readPolicyData(writePolicyData(elements))).toEqual({ hasOptions: false, elements });
      }),
    );
  });

  it("of any octets is read or refused by the typed error, and says nothing that no rate can be", () => {
    const spoilt = fc
      .tuple(fc.array(element, { maxLength: 3 }), fc.nat(), fc.integer({ min: 0, max: 255 }))
      .map(([elements, place, octet]) => {
        const { contents } = writePolicyData(elements);
        contents.writeUInt8(octet, place % contents.length);
        return contents;
      });
    const any = fc.oneof(
      spoilt,
      fc.uint8Array({ maxLength: 60 }).map((octets) => Buffer.from(octets)),
    );
    fc.assert(
      fc.property(any, (contents) => {
        try {
          expect(wayBackOf([{ contents }]) ?? 0).toBeGreaterThanOrEqual(0);
        } catch (error) {
          expect(error).toBeInstanceOf(RsvpDecodeError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

/** Octets written out by hand against ours, and tshark's reading of what we encode. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeMessage } from "../../../src/cops/codec/decode.js";
import { encodeMessage } from "../../../src/cops/codec/encode.js";
import { CopsDecodeError } from "../../../src/cops/codec/errors.js";
import { OBJECTS } from "../../../src/cops/codec/object-table.js";
import { anyMessage } from "../arbitraries.js";
import { GOLDEN, octetsOf } from "../golden.js";
import { TROUBLE, tsharkFields } from "../tshark.js";

describe("golden messages", () => {
  it.each(GOLDEN)("$name", ({ message, hex }) => {
    expect(encodeMessage(message).toString("hex")).toBe(octetsOf(hex).toString("hex"));
    expect(decodeMessage(octetsOf(hex))).toEqual(message);
  });

  it("are there for every op code", () => {
    expect(new Set(GOLDEN.map(({ message }) => message.op)).size).toBe(10);
  });

  it("are read by tshark as they were meant, without a complaint", async () => {
    const fields = [...new Set(GOLDEN.flatMap(({ seen }) => Object.keys(seen)))];
    const rows = await tsharkFields(
      GOLDEN.map(({ message }) => encodeMessage(message)),
      fields,
    );
    expect(rows).toHaveLength(GOLDEN.length);
    GOLDEN.forEach(({ name, seen }, index) => {
      const row = Object.fromEntries(Object.keys(seen).map((field) => [field, rows[index]?.[field]]));
      expect({ name, ...row }).toEqual({ name, ...seen });
      expect(Object.keys(rows[index] ?? {}).filter((field) => !fields.includes(field))).toEqual([]);
    });
  });

  it("make tshark complain when they are spoiled: without this the test above could not fail", async () => {
    const spoiled = [
      "10 06 0002 00000010 | 0008 0b 01 7231ffff",
      "10 01 0002 00000010 | 0008 63 01 00000007",
      "10 04 0002 00000010 | 0002 01 01 00000007",
    ];
    const rows = await tsharkFields(spoiled.map(octetsOf), []);
    const trouble = rows.map((row) => TROUBLE.filter((field) => field in row));
    expect(trouble.map((fields) => fields.length > 0)).toEqual([true, true, true]);
  });
});

describe("any message", () => {
  it("is framed as tshark expects", async () => {
    const messages = fc.sample(anyMessage, { numRuns: 300, seed: 7 });
    const rows = await tsharkFields(messages.map(encodeMessage), ["cops.op_code", "cops.msg_len"]);
    expect(rows).toHaveLength(messages.length);
    rows.forEach((row, index) => {
      const message = messages[index];
      if (message === undefined) return;
      const frame = encodeMessage(message);
      expect([row["cops.msg_len"], row["cops.op_code"]]).toEqual([String(frame.length), String(frame[1])]);
      // What Named and Integrity hold is random here; how objects are framed is not.
      for (const field of ["cops.bad_cops_object_length", "cops.unknown_c_num", "cops.pepid.not_null"]) {
        expect(row[field]).toBeUndefined();
      }
    });
  });

  it("has the solicited flag on nothing but decisions and reports, and comes back as it went", () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        const frame = encodeMessage(message);
        expect((frame[0] ?? 0) & 0xf).toBe("solicited" in message && message.solicited ? 1 : 0);
        expect(decodeMessage(frame)).toEqual(message);
      }),
      { numRuns: 400 },
    );
  });
});

describe("objects and their places", () => {
  it("have the numbers of RFC 2748 §2.2", () => {
    expect(Object.values(OBJECTS).map(({ cNum, cType }) => `${cNum}.${cType}`)).toEqual([
      ..."1.1 2.1 3.1 3.2 4.1 4.2 5.1 6.1 6.2 6.3 6.4 6.5 7.1 7.2 7.3 7.4 7.5 8.1 9.1 9.2 10.1".split(" "),
      ..."11.1 12.1 13.1 13.2 14.1 14.2 15.1 16.1 16.2".split(" "),
    ]);
  });

  it.each([
    ["an OPN", "10 06 0002 00000018 | 0008 10 01 00000000 | 0008 0b 01 72310000"],
    [
      "the decisions of a DEC",
      "10 02 0002 00000028 | 0008 01 01 00000007 | 0008 10 01 00000000 | 0008 02 01 00080000 | 0008 06 01 00010000",
    ],
  ])("Integrity before %s is refused: it is always the last (RFC 2748 §3)", (_, hex) => {
    expect(() => decodeMessage(octetsOf(hex))).toThrow(CopsDecodeError);
    expect(() => decodeMessage(octetsOf(hex))).toThrow(/Integrity is not the last/);
  });
});

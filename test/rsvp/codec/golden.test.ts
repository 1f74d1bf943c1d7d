/** Octets written out by hand against ours. */
import { describe, expect, it } from "vitest";
import { MESSAGE_TYPE } from "../../../src/rsvp/codec/codes.js";
import { decodePacket } from "../../../src/rsvp/codec/decode.js";
import { encodePacket } from "../../../src/rsvp/codec/encode.js";
import { OBJECTS } from "../../../src/rsvp/codec/object-table.js";
import { GOLDEN } from "../golden/all.js";
import { octetsOf } from "../golden/golden.js";

const withoutChecksum = (octets: Buffer): string => {
  const blank = Buffer.from(octets);
  blank.writeUInt16BE(0, 2);
  return blank.toString("hex");
};

describe("golden messages", () => {
  it.each(GOLDEN)("$name: octets", ({ packet, hex }) => {
    expect(withoutChecksum(encodePacket(packet))).toBe(octetsOf(hex).toString("hex"));
  });

  it.each(GOLDEN)("$name: values", ({ packet, hex }) => {
    expect(decodePacket(octetsOf(hex))).toEqual(packet);
    expect(decodePacket(encodePacket(packet))).toEqual(packet);
  });

  it("are there for every message type", () => {
    expect(new Set(GOLDEN.map(({ packet }) => packet.message.kind))).toEqual(new Set(Object.keys(MESSAGE_TYPE)));
  });

  it("are there for every C-Type of every object", () => {
    const numbers = Object.values(OBJECTS).flatMap(({ classNum, cTypes }) =>
      (typeof cTypes === "number" ? [cTypes] : Object.values(cTypes)).map((cType) => `${classNum}.${cType}`),
    );
    const shown = GOLDEN.flatMap(({ hex }) => hex.split("|").slice(1)).map((group) => {
      const object = octetsOf(group);
      return `${object[2]}.${object[3]}`;
    });
    expect(numbers.filter((number) => !shown.includes(number))).toEqual([]);
  });
});

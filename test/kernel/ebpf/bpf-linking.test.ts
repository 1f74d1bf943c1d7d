import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ANCHOR_PROGRAM } from "../../../src/kernel/ebpf/anchor-program.js";
import { linked, MARKED_MAPS } from "../../../src/kernel/ebpf/linking.js";
import { InternalError } from "../../../src/model/errors.js";

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0");

describe("linking", () => {
  it("writes the anchor as the kernel takes it", () => {
    expect(linked(ANCHOR_PROGRAM, 0, []).toString("hex")).toBe("b4000000ffffffff" + "9500000000000000");
  });

  it("keeps every field of instructions without a mark", () => {
    const field = (bits: number): fc.Arbitrary<number> => fc.integer({ min: 0, max: 2 ** bits - 1 });
    // Immediate values of marks begin with 0x5c1ce.
    const immediate = field(32).filter((value) => value >>> 12 !== 0x5c1ce);
    fc.assert(
      fc.property(field(8), field(4), field(4), field(16), immediate, (code, destination, source, offset, value) => {
        const row = `${hex(code, 2)} ${hex(destination, 1)} ${hex(source, 1)} ${hex(offset, 4)} ${hex(value, 8)}`;
        const octets = linked([row], 14, []);
        expect([octets[0], octets[1]! & 15, octets[1]! >> 4]).toEqual([code, destination, source]);
        expect([octets.readUInt16LE(2), octets.readUInt32LE(4)]).toEqual([offset, value]);
      }),
    );
  });

  it.each([0, 14])("puts a link header of %i octets", (linkHeader) => {
    const octets = linked(["b7 3 0 0000 5c1ce000", "b4 3 0 0000 5c1ce000"], linkHeader, []);
    expect([octets.readUInt32LE(4), octets.readUInt32LE(12)]).toEqual([linkHeader, linkHeader]);
  });

  it("puts descriptors of maps, and the address of the settings' value", () => {
    const descriptors = [31, 32, 33, 34, 35];
    for (const [index, name] of MARKED_MAPS.entries()) {
      const octets = linked([`18 1 0 0000 ${hex(0x5c1ce100 + index, 8)}`, "00 0 0 0000 00000000"], 14, descriptors);
      expect(octets.readUInt32LE(4)).toBe(descriptors[index]);
      expect(octets[1]! >> 4).toBe(name === "settings" ? 2 : 1);
      expect(octets.subarray(8)).toEqual(Buffer.alloc(8));
    }
  });

  it("leaves comparisons with the value of a mark alone", () => {
    const row = "55 3 0 0001 5c1ce000";
    expect(linked([row], 14, []).readUInt32LE(4)).toBe(0x5c1ce000);
  });

  it.each(["", "b7 3 0 0000", "b7 3 0 0000 5c1ce0001", "zz 3 0 0000 00000000"])(
    "knows %j for no instruction",
    (row) => {
      expect(() => linked([row], 0, [])).toThrow(InternalError);
    },
  );

  it("links no program without its maps", () => {
    expect(() => linked(["18 1 0 0000 5c1ce101", "00 0 0 0000 00000000"], 0, [3])).toThrow(InternalError);
  });
});

/** Any packet comes back as it went; no octets make the decoder throw anything but its own error. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodePacket } from "../../../src/rsvp/codec/decode.js";
import { encodePacket } from "../../../src/rsvp/codec/encode.js";
import { RsvpDecodeError } from "../../../src/rsvp/codec/errors.js";
import { readIntegrity, signPacket, verifyDigest } from "../../../src/rsvp/codec/integrity.js";
import { anyPacket } from "../arbitraries.js";

describe("any packet", () => {
  it("comes back as it went", () => {
    fc.assert(
      fc.property(anyPacket, (packet) => {
        expect(decodePacket(encodePacket(packet))).toEqual(packet);
      }),
    );
  });

  it("has the length that its header says, whole words, and octets that do not change by reading", () => {
    fc.assert(
      fc.property(anyPacket, (packet) => {
        const octets = encodePacket(packet);
        expect(octets.length % 4).toBe(0);
        expect(octets.readUInt16BE(6)).toBe(octets.length);
        expect(encodePacket(decodePacket(octets)).equals(octets)).toBe(true);
      }),
    );
  });

  it("is refused with any one bit of it turned over, unless it has no checksum", () => {
    fc.assert(
      fc.property(anyPacket, fc.nat(), (packet, place) => {
        const octets = Buffer.from(encodePacket(packet));
        fc.pre(octets.readUInt16BE(2) !== 0);
        const bit = place % (octets.length * 8);
        octets.writeUInt8(octets.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        // A checksum of one bit that becomes 0 stands for none.
        fc.pre(octets.readUInt16BE(2) !== 0);
        expect(() => decodePacket(octets)).toThrow(RsvpDecodeError);
      }),
    );
  });
});

/** True if it was decoded; anything thrown but the typed error fails the test. */
function survives(octets: Buffer): boolean {
  try {
    decodePacket(octets);
    return true;
  } catch (error) {
    if (!(error instanceof RsvpDecodeError)) throw error;
    if (error.legible !== undefined && error.answer === undefined) throw new Error("an answer to nothing");
    return false;
  }
}

/** With the length and no checksum, so that what is behind them is reached. */
function reframed(octets: Buffer): Buffer {
  const copy = Buffer.from(octets.subarray(0, octets.length & ~3));
  if (copy.length >= 8) {
    copy.writeUInt16BE(0, 2);
    copy.writeUInt16BE(copy.length, 6);
  }
  return copy;
}

/** Offsets of the objects' length fields. */
function lengthFields(octets: Buffer): number[] {
  const places: number[] = [];
  for (let at = 8; at + 4 <= octets.length; at += Math.max(4, octets.readUInt16BE(at))) places.push(at);
  return places;
}

describe("hostile octets", () => {
  it("of any kind", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (octets) => void survives(Buffer.from(octets))));
  });

  it("behind a good header", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 8, maxLength: 300 }), fc.integer({ min: 0, max: 30 }), (random, type) => {
        const octets = reframed(Buffer.from(random));
        octets.writeUInt8(0x10, 0);
        octets.writeUInt8(type, 1);
        survives(octets);
      }),
    );
  });

  it("cut off anywhere", () => {
    fc.assert(
      fc.property(anyPacket, fc.nat(), (packet, place) => {
        const octets = encodePacket(packet);
        const end = place % octets.length;
        expect(survives(octets.subarray(0, end))).toBe(false);
        survives(reframed(octets.subarray(0, end)));
      }),
    );
  });

  it("with bits turned over", () => {
    const flips = fc.array(fc.nat(), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(anyPacket, flips, (packet, places) => {
        const octets = Buffer.from(encodePacket(packet));
        for (const place of places) {
          const bit = 64 + (place % Math.max(1, (octets.length - 8) * 8));
          if (bit >> 3 < octets.length) octets.writeUInt8(octets.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        }
        survives(reframed(octets));
      }),
    );
  });

  it("with a length field of 0, an odd one, or one past the end", () => {
    const length = fc.oneof(fc.constantFrom(0, 1, 3, 4, 5, 8, 0xfffc, 0xffff), fc.integer({ min: 0, max: 0xffff }));
    fc.assert(
      fc.property(anyPacket, fc.nat(), length, (packet, which, value) => {
        const octets = Buffer.from(encodePacket(packet));
        const places = lengthFields(octets);
        const place = places[which % Math.max(1, places.length)];
        if (place !== undefined) octets.writeUInt16BE(value, place);
        survives(reframed(octets));
      }),
    );
  });

  it("handed to what looks at INTEGRITY alone", () => {
    fc.assert(
      fc.property(anyPacket, fc.uint8Array({ maxLength: 60 }), fc.nat(), (packet, random, place) => {
        for (const octets of [Buffer.from(random), encodePacket(packet).subarray(0, place % 80)]) {
          try {
            verifyDigest(octets, Buffer.from("key"));
          } catch (error) {
            expect(error).toBeInstanceOf(RsvpDecodeError);
          }
        }
      }),
    );
  });
});

describe("the digest of RFC 2747", () => {
  const key = Buffer.from("a key of the neighbours");

  it("holds for what was signed, and for no other octets and no other key", () => {
    fc.assert(
      fc.property(anyPacket, fc.nat(), (packet, place) => {
        fc.pre(packet.message.kind !== "Bundle" && packet.message.kind !== "Hello");
        fc.pre(packet.message.kind !== "IntegrityChallenge");
        const octets = signPacket(packet, { flags: 0, keyId: 7, sequence: 9n }, key);
        expect(verifyDigest(octets, key)).toBe(true);
        expect(verifyDigest(octets, Buffer.from("another"))).toBe(false);
        expect(readIntegrity(octets)).toMatchObject({ keyId: 7, sequence: 9n });
        expect(decodePacket(octets).integrity).toEqual(readIntegrity(octets));
        const spoiled = Buffer.from(octets);
        // Not the object's header: without it there would be no digest to compare.
        const at = 16 + (place % (spoiled.length - 16));
        spoiled.writeUInt8(spoiled.readUInt8(at) ^ 0x20, at);
        expect(verifyDigest(spoiled, key)).toBe(false);
      }),
    );
  });

  it("may have a checksum beside it, which is left out of it (RFC 2747 §4.2)", () => {
    const [packet] = fc.sample(
      anyPacket.filter(({ message }) => message.kind === "Path"),
      { numRuns: 1, seed: 3 },
    );
    if (packet === undefined) throw new Error("no sample");
    const octets = signPacket(packet, { flags: 0, keyId: 7, sequence: 9n }, key);
    octets.writeUInt16BE(0x1234, 2);
    expect(verifyDigest(octets, key)).toBe(true);
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodePacket,
  encodePacket,
  INPUTS_MAX,
  PACKET_OCTETS,
  type Packet,
} from "../../../../src/portal/web/game/packet.js";

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const time = fc.double({ min: 0, max: 1e9, noNaN: true });
const packets: fc.Arbitrary<Packet> = fc.record(
  {
    kind: fc.constantFrom("state", "probe"),
    sequence: u32,
    sentAt: time,
    echo: fc.record({ sentAt: time, held: fc.integer({ min: 0, max: 60_000 }) }),
    received: u32,
    expected: u32,
    nextFrame: u32,
    digest: fc.record({ frame: u32, value: u32 }),
    firstFrame: u32,
    inputs: fc.array(fc.integer({ min: 0, max: 15 }), { maxLength: INPUTS_MAX }),
  },
  {
    requiredKeys: ["kind", "sequence", "sentAt", "received", "expected", "nextFrame", "digest", "firstFrame", "inputs"],
  },
);

describe("a packet", () => {
  it("comes out as it went in, always of one size", () => {
    fc.assert(
      fc.property(packets, (packet) => {
        const octets = encodePacket(packet);
        expect(octets.length).toBe(PACKET_OCTETS);
        expect(decodePacket(octets.buffer)).toEqual(packet);
      }),
    );
  });

  it("has its octets where they are promised", () => {
    const octets = encodePacket({
      kind: "probe",
      sequence: 0x01020304,
      sentAt: 1,
      received: 5,
      expected: 6,
      nextFrame: 7,
      digest: { frame: 8, value: 0xdeadbeef },
      firstFrame: 9,
      inputs: [1, 2, 3],
    });
    expect(Buffer.from(octets).toString("hex")).toBe(
      `53110300010203043ff00000000000007ff80000000000000000000000000005000000060000000700000008deadbeef00000009000000001230${"00".repeat(46)}`,
    );
  });

  it("is refused where it is something else, and nothing is thrown", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 0, maxLength: 2 * PACKET_OCTETS }), (octets) => {
        const packet = decodePacket(Uint8Array.from(octets).buffer);
        if (octets.length !== PACKET_OCTETS || octets[0] !== 0x53) expect(packet).toBeUndefined();
      }),
    );
    const good = encodePacket(fc.sample(packets, 1)[0]!);
    for (const [at, value] of [
      [0, 0],
      [1, 0x21],
      [1, 0x12],
      [2, INPUTS_MAX + 1],
      [8, 0x7f],
    ] as const) {
      const bad = Uint8Array.from(good);
      bad[at] = value;
      if (at === 8) bad[9] = 0xf0;
      expect(decodePacket(bad.buffer), `octet ${at}`).toBeUndefined();
    }
  });
});

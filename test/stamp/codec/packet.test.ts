import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DecodeError } from "../../../src/model/errors.js";
import { millis, type Timestamp, timestamp } from "../../../src/model/units.js";
import { decodeErrorEstimate, encodeErrorEstimate } from "../../../src/stamp/codec/error-estimate.js";
import { readNtpTime, writeNtpTime } from "../../../src/stamp/codec/ntp-time.js";
import {
  decodeReflectorPacket,
  decodeSenderPacket,
  encodeSenderPacket,
  faultOf,
  PACKET_LENGTH,
  reflect,
} from "../../../src/stamp/codec/packet.js";

const estimate = { synchronised: true, format: "ntp", error: millis(1) } as const;
/** 2026-01-02T03:04:05.250Z: 3976311845 seconds since 1900. */
const AT = timestamp(Date.UTC(2026, 0, 2, 3, 4, 5, 250));

const GOLDEN_SENDER =
  "00000007" + // sequence number
  "ed01b42540000000" + // timestamp: a quarter of a second
  "8f84" + // S; 0x84 * 2^(15 - 32) s, the first above a millisecond
  "012c" + // SSID
  "00".repeat(28);

const GOLDEN_REFLECTOR =
  "00000003" +
  "ed01b42580000000" + // answered half past
  "0f84" +
  "012c" +
  "ed01b42560000000" + // received
  "00000007" +
  "ed01b42540000000" +
  "8f84" +
  "0000" +
  "fe" + // TTL
  "000000";

const sender = { sequence: 7, timestamp: AT, estimate, session: 300 };
const reflection = {
  sequence: 3,
  timestamp: timestamp(AT + 250),
  estimate: { ...estimate, synchronised: false },
  received: timestamp(AT + 125),
  ttl: 254,
};

const times = fc.double({ min: 0, max: 4e12, noNaN: true }).map((time) => time as Timestamp);

describe("test packets", () => {
  it("are octet for octet as RFC 8762 and RFC 8972 have them", () => {
    const request = encodeSenderPacket(sender);
    expect(request.toString("hex")).toBe(GOLDEN_SENDER);
    expect(reflect(request, reflection).toString("hex")).toBe(GOLDEN_REFLECTOR);
  });

  it("are read as they were written", () => {
    const error = millis((0x84 / 2 ** 17) * 1000);
    expect(decodeSenderPacket(Buffer.from(GOLDEN_SENDER, "hex"))).toEqual({
      ...sender,
      estimate: { ...estimate, error },
    });
    expect(decodeReflectorPacket(Buffer.from(GOLDEN_REFLECTOR, "hex"))).toEqual({
      sequence: 3,
      timestamp: AT + 250,
      estimate: { ...estimate, error, synchronised: false },
      session: 300,
      received: AT + 125,
      sender: { sequence: 7, timestamp: AT, estimate: { ...estimate, error }, ttl: 254 },
    });
  });

  it("come back as long as they were sent, with what follows the packet as it was", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: PACKET_LENGTH, maxLength: 200 }), (octets) => {
        const request = Buffer.from(octets);
        const answer = reflect(request, reflection);
        expect(answer).toHaveLength(request.length);
        expect(answer.subarray(PACKET_LENGTH)).toEqual(request.subarray(PACKET_LENGTH));
        expect(answer.subarray(24, 38)).toEqual(request.subarray(0, 14));
      }),
    );
  });

  it("are read whatever they hold, and refused for nothing but their length", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (octets) => {
        const packet = Buffer.from(octets);
        for (const decode of [decodeSenderPacket, decodeReflectorPacket]) {
          if (packet.length < PACKET_LENGTH) expect(() => decode(packet)).toThrow(DecodeError);
          else expect(decode(packet).sequence).toBe(packet.readUInt32BE(0));
        }
      }),
    );
  });

  it("without an error estimate are of no use", () => {
    const octets = Buffer.from(GOLDEN_SENDER, "hex");
    expect(faultOf(decodeSenderPacket(octets))).toBeUndefined();
    octets.writeUInt8(0, 13);
    expect(faultOf(decodeSenderPacket(octets))).toBe("no error estimate");
  });
});

describe("timestamps", () => {
  it("keep a time to a quarter of a microsecond, also beyond 2036", () => {
    const octets = Buffer.alloc(8);
    fc.assert(
      fc.property(times, (time) => {
        writeNtpTime(octets, time, 0);
        expect(Math.abs(readNtpTime(octets, 0) - time)).toBeLessThanOrEqual(0.0005);
      }),
    );
  });

  it("never reach the next second by rounding", () => {
    const octets = Buffer.alloc(8);
    writeNtpTime(octets, timestamp(999.999_999_999_99), 0);
    expect(octets.toString("hex")).toBe("83aa7e80ffffffff");
  });
});

describe("an error estimate", () => {
  it("says no less than the error, and no more than a hundredth above it", () => {
    fc.assert(
      fc.property(fc.double({ min: 0.0001, max: 1e6, noNaN: true }), (error) => {
        const read = decodeErrorEstimate(encodeErrorEstimate({ ...estimate, error: millis(error) }));
        expect(read.error).toBeGreaterThanOrEqual(error);
        expect(read.error).toBeLessThanOrEqual(error * 1.01);
      }),
    );
  });

  it("keeps S and Z, and is never the one that means none", () => {
    fc.assert(
      fc.property(
        fc.boolean(),
        fc.constantFrom("ntp", "ptp"),
        fc.double({ min: 0, max: 1e300, noNaN: true }),
        (synchronised, format, error) => {
          const word = encodeErrorEstimate({ synchronised, format, error: error as typeof estimate.error });
          expect(word).toBeLessThanOrEqual(0xffff);
          expect(decodeErrorEstimate(word)).toMatchObject({ synchronised, format });
          expect(word & 0xff).toBeGreaterThan(0);
        },
      ),
    );
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readDatagram } from "../../src/lab/datagram.js";
import { LINK_TYPE, readCapture } from "../../src/lab/pcap.js";
import { DecodeError } from "../../src/model/errors.js";
import { pcapFile, tcpFrame, udpFrame } from "./frames.js";

const V4 = { from: "10.1.0.10", fromPort: 6000, to: "10.3.0.10", toPort: 6002, dscp: 46 };
const V6 = { from: "fd01::10", fromPort: 6000, to: "fd03::10", toPort: 6002, dscp: 46 };
const PAYLOAD = Buffer.from("media");

describe("readCapture", () => {
  it.each([1e6, 1e9])("reads records with fractions of 1/%d s", (fraction) => {
    const frames = [
      { at: 1_700_000_000_123.25, bytes: Buffer.from("one") },
      { at: 1_700_000_001_000, bytes: Buffer.from("three") },
    ];
    const capture = readCapture(pcapFile(frames, LINK_TYPE.raw, fraction));
    expect(capture.linkType).toBe(LINK_TYPE.raw);
    expect(capture.frames.map(({ at, bytes }) => ({ at, bytes: Buffer.from(bytes) }))).toEqual(frames);
  });

  it("leaves out a record that was cut off", () => {
    const whole = pcapFile([1, 2].map((at) => ({ at, bytes: Buffer.alloc(60) })));
    expect(readCapture(whole.subarray(0, whole.length - 1)).frames).toHaveLength(1);
  });

  it("refuses what is no capture", () => {
    expect(() => readCapture(Buffer.alloc(10))).toThrow(DecodeError);
    expect(() => readCapture(Buffer.alloc(40))).toThrow("not a pcap");
  });
});

describe("readDatagram", () => {
  it.each([V4, V6])("reads addresses, ports, DSCP, size and payload from $from", (ends) => {
    const found = readDatagram(LINK_TYPE.ethernet, udpFrame(ends, PAYLOAD));
    expect(found).toEqual({
      source: ends.from,
      sourcePort: 6000,
      destination: ends.to,
      destinationPort: 6002,
      dscp: 46,
      octets: (ends === V4 ? 28 : 48) + PAYLOAD.length,
      payload: PAYLOAD,
    });
  });

  it("knows the link headers of tcpdump -i any, and none", () => {
    const packet = udpFrame(V4, PAYLOAD).subarray(14);
    const cooked = Buffer.concat([Buffer.alloc(14), Buffer.from([8, 0]), packet]);
    const cooked2 = Buffer.concat([Buffer.from([8, 0]), Buffer.alloc(18), packet]);
    for (const [type, frame] of [
      [LINK_TYPE.linuxCooked, cooked],
      [LINK_TYPE.linuxCooked2, cooked2],
      [LINK_TYPE.raw, packet],
    ] as const) {
      expect(readDatagram(type, frame)?.destination).toBe("10.3.0.10");
    }
  });

  it("passes over TCP, fragments and other link layers", () => {
    const fragment = udpFrame(V4, PAYLOAD);
    fragment.writeUInt16BE(0x2000, 14 + 6);
    expect(readDatagram(LINK_TYPE.ethernet, tcpFrame(V4, 1, PAYLOAD))).toBeUndefined();
    expect(readDatagram(LINK_TYPE.ethernet, fragment)).toBeUndefined();
    expect(readDatagram(147, udpFrame(V4, PAYLOAD))).toBeUndefined();
  });

  it("answers any octets without throwing", () => {
    const linkTypes = fc.constantFrom(...Object.values(LINK_TYPE));
    const frames = fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      fc
        .tuple(fc.constantFrom(V4, V6), fc.nat(46), fc.nat(255))
        .map(([ends, at, octet]) => udpFrame(ends, PAYLOAD).fill(octet, at, at + 1)),
      fc.tuple(fc.constantFrom(V4, V6), fc.nat(46)).map(([ends, end]) => udpFrame(ends, PAYLOAD).subarray(0, end)),
    );
    fc.assert(
      fc.property(linkTypes, frames, (linkType, frame) => {
        readDatagram(linkType, Buffer.from(frame));
      }),
    );
  });
});

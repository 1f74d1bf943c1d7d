import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeRefusal,
  decodeSettings,
  encodeRefusal,
  encodeSettings,
  FRAME,
  type Frame,
  FrameReader,
  frameHeader,
  MAX_PAYLOAD,
} from "../../../../src/kernel/netlink/agent/frames.js";

const encode = (frame: Frame): Buffer => Buffer.concat([frameHeader(frame, frame.payload.length), frame.payload]);

const arbitraryFrame: fc.Arbitrary<Frame> = fc.record({
  kind: fc.constantFrom(...Object.values(FRAME)),
  channel: fc.nat(255),
  tag: fc.nat(0xffffffff),
  payload: fc.uint8Array({ maxLength: 200 }).map((octets) => Buffer.from(octets)),
});

describe("frames between daemon and agent", () => {
  it("come out as they went in, however the stream is cut", () => {
    fc.assert(
      fc.property(fc.array(arbitraryFrame), fc.array(fc.integer({ min: 1, max: 300 })), (frames, cuts) => {
        const stream = Buffer.concat(frames.map(encode));
        const found: Frame[] = [];
        const reader = new FrameReader((frame) => found.push({ ...frame, payload: Buffer.from(frame.payload) }));
        let at = 0;
        for (const cut of [...cuts, stream.length]) {
          const end = Math.min(stream.length, at + cut);
          if (end > at) reader.push(stream.subarray(at, end));
          at = end;
        }
        if (at < stream.length) reader.push(stream.subarray(at));
        expect(found).toEqual(frames);
      }),
    );
  });

  it.each([
    ["longer than any frame", { kind: FRAME.send, channel: 0, tag: 0 }, MAX_PAYLOAD + 1],
    ["of an unknown kind", { kind: 99, channel: 0, tag: 0 }, 0],
    ["of no kind", { kind: 0, channel: 0, tag: 0 }, 0],
  ])("are refused before they are kept when they are %s", (_, header, length) => {
    const reader = new FrameReader(() => expect.unreachable());
    expect(() => reader.push(frameHeader(header, length))).toThrow(expect.objectContaining({ code: "NETLINK_FRAME" }));
  });

  it("carry settings and refusals", () => {
    const settings = { protocol: 12, receiveBuffer: 4096, sendBuffer: 1024, groups: [1, 4] };
    expect(decodeSettings(encodeSettings(settings))).toEqual(settings);
    expect(() => decodeSettings(Buffer.alloc(7))).toThrow(expect.objectContaining({ code: "NETLINK_FRAME" }));
    const refusal = { errno: "EMSGSIZE", reason: "too long\nby far" };
    expect(decodeRefusal(encodeRefusal(refusal))).toEqual(refusal);
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeMessage } from "../../../src/cops/codec/encode.js";
import { FrameReader } from "../../../src/cops/codec/frame-reader.js";
import { anyMessage, cuts } from "../arbitraries.js";

const hex = (frames: readonly Buffer[]): string[] => frames.map((frame) => frame.toString("hex"));
const KA = Buffer.from("1009000000000008", "hex");

describe("FrameReader", () => {
  it("finds the same messages at any segmentation", () => {
    const stream = fc
      .array(anyMessage.map(encodeMessage), { maxLength: 5 })
      .chain((frames) => fc.tuple(fc.constant(frames), cuts(Buffer.concat(frames))));
    fc.assert(
      fc.property(stream, ([frames, chunks]) => {
        const reader = new FrameReader(65_536);
        const found = chunks.flatMap((chunk) => {
          const { frames: some, error } = reader.push(chunk);
          expect(error).toBeUndefined();
          return some;
        });
        expect(hex(found)).toEqual(hex(frames));
        expect(reader.pending).toBe(0);
      }),
    );
  });

  it("finds them octet by octet", () => {
    const reader = new FrameReader(1024);
    const stream = Buffer.concat([KA, KA]);
    const found = [...stream].flatMap((octet) => [...reader.push(Buffer.from([octet])).frames]);
    expect(hex(found)).toEqual(hex([KA, KA]));
  });

  it("gives the good messages before a bad header, then the error, then nothing any more", () => {
    const reader = new FrameReader(1024);
    const bad = Buffer.from("2009000000000008", "hex");
    const first = reader.push(Buffer.concat([KA, bad, KA]));
    expect(hex(first.frames)).toEqual(hex([KA]));
    expect(first.error).toMatchObject({ framingLost: true, code: "COPS_FRAMING" });
    expect(reader.push(KA)).toEqual({ frames: [], error: first.error });
  });

  it("refuses a message above the limit as soon as its header is there", () => {
    const header = Buffer.from("1001000200000404", "hex");
    const reader = new FrameReader(1024);
    expect(reader.push(header.subarray(0, 7)).error).toBeUndefined();
    expect(reader.push(header.subarray(7)).error).toMatchObject({ framingLost: true });
  });

  it("takes a message exactly at the limit", () => {
    const frame = Buffer.alloc(1024);
    Buffer.from("1001000200000400", "hex").copy(frame);
    expect(new FrameReader(1024).push(frame).frames).toHaveLength(1);
  });

  it("keeps nothing of the chunk that a message came in", () => {
    const reader = new FrameReader(1024);
    const chunk = Buffer.from(KA);
    const [frame] = reader.push(chunk).frames;
    chunk.fill(0xff);
    expect(frame?.toString("hex")).toBe(KA.toString("hex"));
  });

  it("reads a large message that comes octet by octet without going over it again and again", () => {
    const length = 1 << 20;
    const frame = Buffer.alloc(length);
    Buffer.from("10010002", "hex").copy(frame);
    frame.writeUInt32BE(length, 4);
    const reader = new FrameReader(length);
    let found = 0;
    for (let at = 0; at < length; at += 1) found += reader.push(frame.subarray(at, at + 1)).frames.length;
    expect(found).toBe(1);
  });
});

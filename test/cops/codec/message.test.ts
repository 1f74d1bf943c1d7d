import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeMessage } from "../../../src/cops/codec/decode.js";
import { encodeMessage } from "../../../src/cops/codec/encode.js";
import { CopsDecodeError } from "../../../src/cops/codec/errors.js";
import type { CopsMessage } from "../../../src/cops/codec/message.js";
import { anyMessage } from "../arbitraries.js";

const octets = (hex: string): Buffer => Buffer.from(hex.replaceAll(/\s/g, ""), "hex");

/** Written by hand from RFC 2748 §2 and §3, not from what the encoder gives. */
const GOLDEN: readonly [name: string, hex: string, message: CopsMessage][] = [
  [
    "REQ with both interfaces, ClientSI and an LPDP decision",
    `10 01 5349 0000005c
     0008 01 01 00000001   0008 02 01 0001 0001
     000c 03 01 0a010001 00000002   0018 04 02 fd010000000000000000000000000005 00000003
     0007 09 01 616263 00   0008 09 02 01020304
     0008 07 01 0001 0000   0006 07 02 cafe 0000`,
    {
      op: "REQ",
      clientType: 0x5349,
      handle: octets("00000001"),
      context: { rType: 1, mType: 1 },
      inInterface: { address: "10.1.0.1", ifindex: 2 },
      outInterface: { address: "fd01::5", ifindex: 3 },
      signaled: [Buffer.from("abc")],
      named: [octets("01020304")],
      lpdp: [{ command: 1, flags: 0, stateless: octets("cafe") }],
    },
  ],
  [
    "solicited DEC with two decisions",
    `11 02 0002 00000038
     0008 01 01 000000ff
     0008 02 01 0008 0000   0008 06 01 0002 0000   0008 06 05 aabbccdd
     0008 02 01 0008 0000   0008 06 01 0000 0000`,
    {
      op: "DEC",
      clientType: 2,
      solicited: true,
      handle: octets("000000ff"),
      decisions: [
        { context: { rType: 8, mType: 0 }, command: 2, flags: 0, named: octets("aabbccdd") },
        { context: { rType: 8, mType: 0 }, command: 0, flags: 0 },
      ],
    },
  ],
  [
    "DEC with an error",
    "11 02 0002 00000018  0008 01 01 00000001  0008 08 01 000d 0b01",
    {
      op: "DEC",
      clientType: 2,
      solicited: true,
      handle: octets("00000001"),
      decisions: [],
      error: { code: 13, subCode: 0x0b01 },
    },
  ],
  [
    "solicited RPT",
    "11 03 0002 00000018  0008 01 01 00000001  0008 0c 01 0001 0000",
    {
      op: "RPT",
      clientType: 2,
      solicited: true,
      handle: octets("00000001"),
      reportType: "success",
      signaled: [],
      named: [],
    },
  ],
  [
    "DRQ on a handle of five octets",
    "10 04 0002 0000001c  0009 01 01 0102030405 000000  0008 05 01 0005 0000",
    { op: "DRQ", clientType: 2, handle: octets("0102030405"), reason: { code: 5, subCode: 0 } },
  ],
  ["SSQ for all", "10 05 0002 00000008", { op: "SSQ", clientType: 2 }],
  [
    "SSC for one handle",
    "10 0a 0002 00000010  0008 01 01 00000001",
    { op: "SSC", clientType: 2, handle: octets("00000001") },
  ],
  [
    "OPN: the PEPID's length counts its padding, and the NUL is there even if the name fills a word",
    "10 06 0002 00000020  000c 0b 01 6564676500000000  000c 0e 01 c0000201 0000 0cd8",
    {
      op: "OPN",
      clientType: 2,
      pepId: "edge",
      signaled: [],
      named: [],
      lastPdp: { address: "192.0.2.1", port: 3288 },
    },
  ],
  [
    "CAT with both timers",
    "10 07 0002 00000018  0008 0a 01 0000 001e  0008 0f 01 0000 003c",
    { op: "CAT", clientType: 2, keepAlive: 30, accounting: 60 },
  ],
  [
    "CC with a redirect over IPv6",
    "10 08 0002 00000028  0008 08 01 000c 0000  0018 0d 02 20010db8000000000000000000000001 0000 0cd8",
    {
      op: "CC",
      clientType: 2,
      error: { code: 12, subCode: 0 },
      redirect: { address: "2001:db8::1", port: 3288 },
    },
  ],
  ["KA", "10 09 0000 00000008", { op: "KA", clientType: 0 }],
];

describe("COPS messages", () => {
  it.each(GOLDEN)("%s: octets", (_, hex, message) => {
    expect(encodeMessage(message).toString("hex")).toBe(octets(hex).toString("hex"));
  });

  it.each(GOLDEN)("%s: values", (_, hex, message) => {
    expect(decodeMessage(octets(hex))).toEqual(message);
  });

  it("come back as they went, whatever they hold", () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        expect(decodeMessage(encodeMessage(message))).toEqual(message);
      }),
    );
  });

  it("have a length that is a multiple of four and is that of the octets", () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        const encoded = encodeMessage(message);
        expect(encoded.length % 4).toBe(0);
        expect(encoded.readUInt32BE(4)).toBe(encoded.length);
      }),
    );
  });
});

describe("hostile octets", () => {
  const decodes = (frame: Buffer): void => {
    try {
      decodeMessage(frame);
    } catch (error) {
      // Anything else would be a defect that a peer can trigger at will.
      expect(error).toBeInstanceOf(CopsDecodeError);
      expect((error as CopsDecodeError).answer.code).toBeGreaterThan(0);
    }
  };

  it("of any kind are decoded or refused with the error to answer", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => decodes(Buffer.from(bytes))));
  });

  it("after a good header, too", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 12 }), fc.uint8Array({ maxLength: 120 }), (op, bytes) => {
        const body = Buffer.from(bytes.subarray(0, bytes.length - (bytes.length % 4)));
        const header = octets("10000002 00000000");
        header.writeUInt8(op, 1);
        header.writeUInt32BE(8 + body.length, 4);
        decodes(Buffer.concat([header, body]));
      }),
    );
  });

  it("that were once a message", () => {
    const change = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(anyMessage, fc.array(change, { minLength: 1, maxLength: 4 }), (message, changes) => {
        const frame = encodeMessage(message);
        for (const [at, octet] of changes) frame[at % frame.length] = octet;
        decodes(frame);
      }),
    );
  });

  it("do not take long to refuse: a Named object per sub-object up to the largest message", () => {
    const objects = Buffer.concat(Array.from({ length: 30_000 }, () => octets("0008 06 05 00000000")));
    const head = octets("10 02 0002 00000000  0008 01 01 00000001  0008 02 01 0008 0000  0008 06 01 0001 0000");
    const frame = Buffer.concat([head, objects]);
    frame.writeUInt32BE(frame.length, 4);
    const message = decodeMessage(frame);
    expect(message.op === "DEC" && message.decisions[0]?.named?.length).toBe(120_000);
  });
});

describe("what RFC 2748 wants answered", () => {
  const answerTo = (hex: string): { code: number; subCode: number; legible: object; framingLost: boolean } => {
    try {
      decodeMessage(octets(hex));
    } catch (error) {
      if (error instanceof CopsDecodeError) {
        return { ...error.answer, legible: error.legible, framingLost: error.framingLost };
      }
      throw error;
    }
    throw new Error("was decoded");
  };
  const handle = "0008 01 01 00000007";

  it("to an unknown object: error 13 with its numbers, on the handle that came before it", () => {
    expect(answerTo(`10 01 0002 00000018 ${handle} 0008 63 02 00000000`)).toEqual({
      code: 13,
      subCode: 0x6302,
      legible: { op: 1, clientType: 2, handle: octets("00000007") },
      framingLost: false,
    });
  });

  it.each([
    ["a REQ without Context", `10 01 0002 00000010 ${handle}`, 7, 2 << 8],
    ["an OPN without PEPID", "10 06 0002 00000008", 7, 11 << 8],
    ["a CAT without KATimer", "10 07 0002 00000008", 7, 10 << 8],
    ["a DEC without Handle", "10 02 0002 00000010 0008 08 01 0003 0000", 7, 1 << 8],
    [
      "decision data before its Flags",
      `10 02 0002 00000020 ${handle} 0008 02 01 0008 0000 0008 06 05 00000000`,
      7,
      6 << 8,
    ],
    ["a Context that nothing follows", `10 02 0002 00000018 ${handle} 0008 02 01 0008 0000`, 7, 6 << 8],
    [
      "decisions and an Error",
      `10 02 0002 00000028 ${handle} 0008 02 01 0008 0000 0008 06 01 0001 0000 0008 08 01 0003 0000`,
      3,
      0,
    ],
    ["an object that ends after its message", "10 04 0002 00000010 0010 01 01 00000007", 3, 0],
    ["an object shorter than its header", "10 04 0002 00000010 0003 01 01 00000007", 3, 0],
    ["a Reason of the wrong length", `10 04 0002 0000001c ${handle} 000c 05 01 0005 0000 00000000`, 3, 0],
    ["two Handles", `10 05 0002 00000018 ${handle} ${handle}`, 3, 0],
    ["an object of another message", `10 05 0002 00000010 0008 05 01 0005 0000`, 3, 0],
    ["an unknown op code", "10 0b 0002 00000008", 3, 0],
    ["an unknown Report-Type", `10 03 0002 00000018 ${handle} 0008 0c 01 0009 0000`, 3, 0],
    ["a PEPID that is no text", "10 06 0002 00000010 0008 0b 01 0a0d0000", 3, 0],
    ["an object after Integrity", `10 05 0002 00000018 0008 10 02 00000001 ${handle}`, 3, 0],
  ])("to %s", (_, hex, code, subCode) => {
    expect(answerTo(hex)).toMatchObject({ code, subCode, framingLost: false });
  });

  it.each([
    ["another version", "20 09 0000 00000008"],
    ["a length below the header's", "10 09 0000 00000004"],
    ["a length that is not a multiple of four", "10 09 0000 0000000a"],
  ])("to %s: framing is lost", (_, hex) => {
    expect(answerTo(hex)).toMatchObject({ code: 3, framingLost: true });
  });
});

describe("what deployed peers do, and is understood", () => {
  it("a PEPID without NUL or padding", () => {
    expect(decodeMessage(octets("10 06 0002 00000010 0007 0b 01 523142 00"))).toMatchObject({ pepId: "R1B" });
  });

  it("a Named object per sub-object: joined where words begin", () => {
    const hex = `10 02 0002 00000034 0008 01 01 00000001 0008 02 01 0008 0000 0008 06 01 0001 0000
      0009 06 05 0102030405 000000 0008 06 05 0a0b0c0d`;
    const message = decodeMessage(octets(hex));
    expect(message.op === "DEC" && message.decisions[0]?.named?.toString("hex")).toBe("01020304050000000a0b0c0d");
  });

  it("objects in another order, where the RFC only has a convention", () => {
    const hex = "10 03 0002 00000018 0008 0c 01 0002 0000 0008 01 01 00000001";
    expect(decodeMessage(octets(hex))).toMatchObject({ op: "RPT", reportType: "failure" });
  });

  it("a KA with a client-type", () => {
    expect(decodeMessage(octets("10 09 0002 00000008"))).toEqual({ op: "KA", clientType: 0 });
  });

  it("unknown header flags, and padding that is not zero", () => {
    expect(decodeMessage(octets("1e 05 0002 00000010 0007 01 01 010203 ff"))).toMatchObject({
      handle: octets("010203"),
    });
  });
});

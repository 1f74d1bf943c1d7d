import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeMessage } from "../../../src/cops/codec/decode.js";
import { encodeMessage } from "../../../src/cops/codec/encode.js";
import type { CopsDecision, CopsMessage, DecMessage } from "../../../src/cops/codec/message.js";
import { CLIENT_TYPE_RSVP, requestHandle, reservationContext } from "../../../src/cops/rsvp/codes.js";
import { cutRsvpObjects, joinRsvpObjects } from "../../../src/cops/rsvp/objects.js";
import { encodeRuling, readVerdict } from "../../../src/cops/rsvp/verdict.js";
import { DecodeError, InternalError } from "../../../src/model/errors.js";
import { TROUBLE, tsharkFields } from "../tshark.js";

const ALL = reservationContext("unicastFixed");
const handle = requestHandle(7);
const decOf = (decisions: readonly CopsDecision[], solicited = true): DecMessage => ({
  op: "DEC",
  clientType: CLIENT_TYPE_RSVP,
  handle,
  solicited,
  decisions,
});
const part = (rType: number, command = 1, replacement?: Buffer): CopsDecision => ({
  context: { rType, mType: 2 },
  command,
  flags: 0,
  ...(replacement === undefined ? {} : { replacement }),
});
/** ERROR_SPEC of RFC 2205 §A.5: node 0.0.0.0, policy control failure, ERR_REJECT. */
const ERROR_SPEC = Buffer.from("000c 0601 00000000 00 02 0003".replaceAll(" ", ""), "hex");

describe("the verdict of a decision", () => {
  it.each([
    ["one for all steps", [part(7)]],
    ["one for each step", [part(1), part(2), part(4)]],
    ["more than was asked", [part(15)]],
  ])("is install if every step is allowed: %s", (_name, decisions) => {
    expect(readVerdict(ALL, decOf(decisions))).toEqual({ kind: "install" });
  });

  it("is remove as soon as one step is refused, with the objects for the error", () => {
    const verdict = readVerdict(ALL, decOf([part(1), { ...part(6, 2, ERROR_SPEC), flags: 1 }]));
    expect(verdict).toEqual({
      kind: "remove",
      triggerError: true,
      objects: [{ classNum: 6, cType: 1, contents: ERROR_SPEC.subarray(4) }],
    });
  });

  it("is unsupported where objects are to be replaced, with their classes", () => {
    const removal = Buffer.from("00040e00", "hex");
    const dec = decOf([part(3), part(4, 1, Buffer.concat([removal, ERROR_SPEC]))]);
    expect(readVerdict(ALL, dec)).toEqual({ kind: "unsupported", classes: [14, 6] });
  });

  it.each([
    ["a step is left open", [part(3)]],
    ["nothing is decided", []],
    ["it is about a Path", [{ ...part(7), context: { rType: 7, mType: 1 } }]],
    ["the command is none of RSVP", [part(7, 0)]],
    ["replacement data are no RSVP objects", [part(7, 1, Buffer.from("0007090211", "hex"))]],
  ])("is malformed when %s", (_name, decisions) => {
    expect(readVerdict(ALL, decOf(decisions)).kind).toBe("malformed");
  });

  it("may be about one step alone, unsolicited", () => {
    expect(readVerdict(ALL, decOf([part(2)], false))).toEqual({ kind: "install" });
    expect(readVerdict(ALL, decOf([part(2, 2)], false)).kind).toBe("remove");
  });

  it("is the PDP's error", () => {
    const error = { code: 4, subCode: 0 };
    expect(readVerdict(ALL, { ...decOf([]), error })).toEqual({ kind: "error", error });
  });

  it("is read as it was meant", () => {
    expect(readVerdict(ALL, decOf([encodeRuling(ALL, { install: true })]))).toEqual({ kind: "install" });
    const refusal = encodeRuling(ALL, { install: false, replacement: ERROR_SPEC });
    expect(readVerdict(ALL, decOf([refusal]))).toMatchObject({ kind: "remove", triggerError: true });
  });
});

const contexts = {
  unicastFixed: "0008 02 01 0007 0002",
  oneNextHop: "0008 02 01 0003 0002",
  merged: "0008 02 01 0002 0002",
} as const;
const octets = (hex: string): Buffer => Buffer.from(hex.replaceAll(/[\s|]/g, ""), "hex");

/** SESSION, RSVP_HOP, TIME_VALUES, STYLE (FF), FLOWSPEC (controlled load) and FILTER_SPEC of a Resv, RFC 2205 and RFC 2210. */
const RESV =
  octets(`000c 01 01 0a030001 11 00 138c | 000c 03 01 0a030001 00000003 | 0008 05 01 00007530 | 0008 08 01 00 00000a |
  0024 09 02 0000 0007 05 00 0006 7f 00 0005 46f42400 45fa0000 7f800000 000000c8 000000c8 | 000c 0a 01 0a010001 0000 138c`);

const GOLDEN: readonly { readonly name: string; readonly message: CopsMessage; readonly hex: string }[] = [
  {
    name: "REQ about all steps of a Resv that is held",
    message: {
      op: "REQ",
      clientType: CLIENT_TYPE_RSVP,
      handle,
      context: ALL,
      inInterface: { address: "10.3.0.1", ifindex: 3 },
      outInterface: { address: "10.1.0.1", ifindex: 2 },
      signaled: [RESV],
      named: [],
      lpdp: [encodeRuling(ALL, { install: true })],
    },
    hex: `10 01 0001 0000009c | 0008 01 01 00000007 | ${contexts.unicastFixed} | 000c 03 01 0a030001 00000003 |
      000c 04 01 0a010001 00000002 | 005c 09 01 ${RESV.toString("hex")} | ${contexts.unicastFixed} | 0008 07 01 0001 0000`,
  },
  {
    name: "DEC that refuses with an ERROR_SPEC",
    message: decOf([encodeRuling(ALL, { install: false, replacement: ERROR_SPEC })]),
    hex: `11 02 0001 00000030 | 0008 01 01 00000007 | ${contexts.unicastFixed} | 0008 06 01 0002 0001 |
      0010 06 03 000c 06 01 00000000 00 02 0003`,
  },
  {
    name: "DEC that allows",
    message: decOf([encodeRuling(reservationContext("oneNextHop"), { install: true })]),
    hex: `11 02 0001 00000020 | 0008 01 01 00000007 | ${contexts.oneNextHop} | 0008 06 01 0001 0000`,
  },
];

describe("messages of COPS-RSVP", () => {
  it.each(GOLDEN)("$name: octets", ({ message, hex }) => {
    expect(encodeMessage(message).toString("hex")).toBe(octets(hex).toString("hex"));
    expect(decodeMessage(octets(hex))).toEqual(message);
  });

  it("are read by tshark as they were meant, without a complaint", async () => {
    const fields = ["cops.client_type", "cops.c_num", "cops.context.r_type", "cops.in-int.ipv4", "cops.out-int.ipv4"];
    const seen = await tsharkFields(
      GOLDEN.map(({ hex }) => octets(hex)),
      [...fields, "cops.decision.cmd", "cops.obj.len"],
    );
    for (const each of seen.slice(0, GOLDEN.length)) expect(TROUBLE.filter((field) => field in each)).toEqual([]);
    expect(seen[0]).toMatchObject({
      "cops.client_type": "1",
      "cops.c_num": "1,1,2,2,3,3,4,4,9,9,2,2,7,7",
      "cops.context.r_type": "0x0007,0x0007",
      "cops.in-int.ipv4": "10.3.0.1",
      "cops.out-int.ipv4": "10.1.0.1",
      "cops.obj.len": "8,8,12,12,92,8,8",
    });
    expect(seen[1]).toMatchObject({ "cops.c_num": "1,1,2,2,6,6,6,6", "cops.decision.cmd": "2" });
  });
});

describe("RSVP objects in COPS", () => {
  const anyObject = fc.record({
    classNum: fc.nat(255),
    cType: fc.nat(255),
    contents: fc.nat(16).chain((words) => fc.uint8Array({ minLength: 4 * words, maxLength: 4 * words })),
  });

  it("come back as they went", () => {
    fc.assert(
      fc.property(fc.array(anyObject, { maxLength: 8 }), (objects) => {
        const given = objects.map(({ contents, ...rest }) => ({ ...rest, contents: Buffer.from(contents) }));
        expect(cutRsvpObjects(joinRsvpObjects(given))).toEqual(given);
      }),
    );
  });

  it("of any octets are cut or refused", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (data) => {
        try {
          expect(joinRsvpObjects(cutRsvpObjects(Buffer.from(data)))).toEqual(Buffer.from(data));
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
      }),
      { numRuns: 20_000 },
    );
  });

  it("that are no whole words, or too long, are not made", () => {
    const make = (length: number) => joinRsvpObjects([{ classNum: 1, cType: 1, contents: Buffer.alloc(length) }]);
    expect(() => make(5)).toThrow(InternalError);
    expect(() => make(0x10000)).toThrow(InternalError);
  });
});

/** What is refused, why, and what RFC 2205 wants answered. */
import { describe, expect, it } from "vitest";
import { decodePacket } from "../../../src/rsvp/codec/decode.js";
import { encodePacket } from "../../../src/rsvp/codec/encode.js";
import { RsvpDecodeError } from "../../../src/rsvp/codec/errors.js";
import { readIntegrity } from "../../../src/rsvp/codec/integrity.js";
import {
  CL_ONE,
  CL_TEN,
  controlledLoad,
  EVERY_30_S,
  FF,
  ONE_CALL,
  octetsOf,
  packetOf,
  SE,
  TEN_CALLS,
  TSPEC_ONE,
  WF,
} from "../golden/golden.js";

const SESSION = "000c 01 01 c000024d 11 00 138c";
const HOP = "000c 03 01 c6336401 0a0b0c0d";
const TEMPLATE = "000c 0b 01 cb007105 0000 0fa0";
const FILTER = "000c 0a 01 cb007105 0000 0fa0";
const AGGREGATE = "000c 01 09 0a090202 00 00 00 2e";

/** A message of a type (1 Path, 2 Resv, ...) with the header worked out. */
function message(type: number, ...objects: string[]): Buffer {
  const body = octetsOf(objects.join(""));
  const header = Buffer.from([0x10, type, 0, 0, 63, 0, 0, 0]);
  header.writeUInt16BE(body.length + 8, 6);
  return Buffer.concat([header, body]);
}

const path = (...more: string[]) => message(1, SESSION, HOP, EVERY_30_S, TEMPLATE, ...more);
const resv = (...more: string[]) => message(2, SESSION, HOP, EVERY_30_S, ...more);

function refusal(octets: Buffer): RsvpDecodeError {
  try {
    decodePacket(octets);
  } catch (error) {
    if (error instanceof RsvpDecodeError) return error;
    throw error;
  }
  throw new Error("it was decoded");
}

const session = { kind: "ip", destination: "192.0.2.77", protocol: 17, port: 5004, ePolice: false } as const;
const hop = { address: "198.51.100.1", lih: 0x0a0b0c0d };
const sender = { template: { address: "203.0.113.5", port: 4000 }, tspec: ONE_CALL };
const filters = [{ address: "203.0.113.5", port: 4000 }];

describe("dropped and counted, never answered (RFC 2205 §B)", () => {
  const cases: readonly [name: string, octets: Buffer, reason: string][] = [
    ["nothing", Buffer.alloc(0), "malformed"],
    ["half a header", octetsOf("10 01 0000"), "malformed"],
    ["version 2", octetsOf("20 01 0000 3f 00 0008"), "malformed"],
    ["an unknown message type", octetsOf("10 63 0000 3f 00 0008"), "malformed"],
    ["a length below that of the header", octetsOf("10 01 0000 3f 00 0004"), "malformed"],
    ["a length that is no whole words", octetsOf("10 01 0000 3f 00 0009 00"), "malformed"],
    ["octets after the message", Buffer.concat([path(TSPEC_ONE), Buffer.alloc(4)]), "malformed"],
    ["a bad checksum", Buffer.from(path(TSPEC_ONE).fill(0x55, 2, 4)), "checksum"],
    ["an object of length 0", path("0000 0c 02"), "malformed"],
    ["an object of an odd length", path("0006 0c 02 0000"), "malformed"],
    ["an object past the end", path("00ff 0c 02"), "malformed"],
    ["a SESSION that is too short", message(5, "0008 01 01 c000024d", HOP, TEMPLATE), "malformed"],
    ["a HOP that is too long", message(5, SESSION, `0010 03 01 c6336401 0a0b0c0d 00000000`, TEMPLATE), "malformed"],
    ["a Path without SESSION", message(1, HOP, EVERY_30_S, TEMPLATE, TSPEC_ONE), "missingObject"],
    ["a Path without HOP", message(1, SESSION, EVERY_30_S, TEMPLATE, TSPEC_ONE), "missingObject"],
    ["a Path without TIME_VALUES", message(1, SESSION, HOP, TEMPLATE, TSPEC_ONE), "missingObject"],
    ["a Path without SENDER_TSPEC", path(), "missingObject"],
    ["a PathErr without ERROR_SPEC", message(3, SESSION, TEMPLATE), "missingObject"],
    ["a Resv without STYLE", resv(), "missingObject"],
    ["an Ack of nothing", message(13), "missingObject"],
    ["an Srefresh of nothing", message(15), "missingObject"],
    [
      "an Integrity Response without INTEGRITY",
      message(26, "0014 40 01 0000 000000000001 0000000000000002"),
      "missingObject",
    ],
    ["a Bundle of nothing", message(12), "malformed"],
    ["a Bundle in a Bundle", message(12, "10 0c 0000 3f 00 0008"), "malformed"],
    ["a Bundle whose message goes past its end", message(12, "10 0d 0000 3f 00 0010"), "malformed"],
    ["two SESSIONs of different kinds", path(AGGREGATE, TSPEC_ONE), "misplacedObject"],
    ["a STYLE in a Path", path(TSPEC_ONE, WF), "misplacedObject"],
    [
      "INTEGRITY in second place",
      path(TSPEC_ONE, "0024 04 01 00 00 000000000001 0000000000000002 00000000000000000000000000000000"),
      "misplacedObject",
    ],
    ["a FLOWSPEC before the STYLE", resv(CL_ONE, WF), "misplacedObject"],
    ["WF without a FLOWSPEC", resv(WF), "malformed"],
    ["WF with a filter", resv(WF, CL_ONE, FILTER), "malformed"],
    ["FF that begins with a filter", resv(FF, FILTER, CL_ONE), "malformed"],
    ["FF that ends with a FLOWSPEC", resv(FF, CL_ONE, FILTER, CL_TEN), "malformed"],
    ["FF of nothing", resv(FF), "malformed"],
    ["SE without filters", resv(SE, CL_ONE), "malformed"],
    ["SE with two FLOWSPECs", resv(SE, CL_ONE, FILTER, CL_ONE), "malformed"],
    ["a session without a protocol", message(5, "000c 01 01 c000024d 00 00 138c", HOP, TEMPLATE), "badValue"],
    ["a session without a destination", message(5, "000c 01 01 00000000 11 00 138c", HOP, TEMPLATE), "badValue"],
    ["a hop that is multicast", message(5, SESSION, "000c 03 01 e0000005 00000000", TEMPLATE), "badValue"],
    ["a sender without an address", message(5, SESSION, HOP, "000c 0b 01 00000000 0000 0fa0"), "badValue"],
    [
      "a sender of the other family",
      message(5, SESSION, HOP, "0018 0b 02 20010db8000200000000000000000005 0000 0fa0"),
      "badValue",
    ],
    [
      "a source port where there is no destination port",
      message(5, "000c 01 01 c000024d 11 00 0000", HOP, TEMPLATE),
      "badValue",
    ],
    [
      "an aggregator in a session of a flow (RFC 4860 §3.1)",
      message(5, SESSION, HOP, "0008 0b 09 0a090101"),
      "badValue",
    ],
    ["a flow's sender in an aggregate session (RFC 4860 §3.1)", message(5, AGGREGATE, HOP, TEMPLATE), "badValue"],
    ["a code point above 63", message(5, "000c 01 09 0a090202 00 00 00 40", HOP, "0008 0b 09 0a090101"), "badValue"],
    ["an unknown class in a PathTear", message(5, SESSION, HOP, TEMPLATE, "0008 70 01 00000000"), "unknownClass"],
    ["an unknown C-Type in a ResvTear", message(6, "000c 01 07 c000024d 11 00 138c", HOP, WF), "unknownCType"],
  ];

  it.each(cases)("%s", (_, octets, reason) => {
    const error = refusal(octets);
    expect({ reason: error.reason, legible: error.legible }).toEqual({ reason, legible: undefined });
    expect(error.code).toBe("RSVP_DECODE");
    expect(error.detail.object).not.toBe("");
  });
});

describe("answered", () => {
  it("an unknown class 0bbbbbbb in a Path: error 13, the sender given back as it came", () => {
    const error = refusal(path(TSPEC_ONE, "0008 70 03 00000000"));
    expect(error.answer).toEqual({ code: 13, value: 0x7003 });
    expect(error.legible).toEqual({ kind: "Path", session, hop, sender });
  });

  it("an unknown C-Type of a known class in a Path: error 14", () => {
    const error = refusal(path("0008 0c 05 00000000"));
    expect(error.answer).toEqual({ code: 14, value: 0x0c05 });
    expect(error.legible).toEqual({ kind: "Path", session, hop, sender: { template: sender.template } });
  });

  it("an unknown class in a Resv: error 13 with STYLE and flow descriptor", () => {
    const error = refusal(resv("0008 70 03 00000000", SE, CL_ONE, FILTER));
    expect(error.answer).toEqual({ code: 13, value: 0x7003 });
    const flows = { style: "SE", flowspec: controlledLoad(ONE_CALL), filters };
    expect(error.legible).toEqual({ kind: "Resv", session, hop, flows });
  });

  it("not if the SESSION itself cannot be read: there is nobody to answer to", () => {
    const error = refusal(message(1, "000c 01 07 c000024d 11 00 138c", HOP, EVERY_30_S, TEMPLATE, TSPEC_ONE));
    expect([error.reason, error.answer, error.legible]).toEqual([
      "unknownCType",
      { code: 14, value: 0x0107 },
      undefined,
    ]);
  });

  it("not if the hop to answer to is a multicast address", () => {
    const error = refusal(
      message(1, SESSION, "000c 03 01 e0000005 00000000", EVERY_30_S, TEMPLATE, TSPEC_ONE, "0008 70 03 00000000"),
    );
    expect([error.reason, error.legible]).toEqual(["unknownClass", undefined]);
  });

  it("an unknown style: error 6 with the option vector", () => {
    const error = refusal(resv("0008 08 01 00 000013", CL_ONE));
    expect(error.answer).toEqual({ code: 6, value: 0 });
    expect(error.legible).toMatchObject({ kind: "Resv", flows: { style: "unknown", optionVector: 0x13 } });
  });

  it("a FLOWSPEC of an unknown service: error 21, sub-code 2, the FLOWSPEC given back unread", () => {
    const nullService = "000c 09 02 00 00 0001 06 00 0000";
    const error = refusal(resv(WF, nullService));
    expect(error.answer).toEqual({ code: 21, value: 2 });
    const contents = Buffer.from("0000000106000000", "hex");
    expect(error.legible).toMatchObject({
      kind: "Resv",
      flows: { style: "WF", flowspec: { kind: "opaque", contents } },
    });
  });

  it("a FLOWSPEC that does not parse: error 21, sub-code 3, of the FF descriptor that it is in", () => {
    const other = "000c 0a 01 cb007106 0000 0fa2";
    const error = refusal(resv(FF, CL_ONE, FILTER, "0008 09 02 10 00 0000", other));
    expect(error.answer).toEqual({ code: 21, value: 3 });
    const flowspec = { kind: "opaque", contents: Buffer.from("10000000", "hex") };
    expect(error.legible).toMatchObject({
      kind: "Resv",
      flows: { style: "FF", flowspec, filters: [{ address: "203.0.113.6", port: 4002 }] },
    });
  });

  it("an ADSPEC that does not parse: error 21, sub-code 5, the ADSPEC left out of the answer", () => {
    const error = refusal(path(TSPEC_ONE, "0008 0d 02 00 00 0000"));
    expect(error.answer).toEqual({ code: 21, value: 5 });
    expect(error.legible).toEqual({ kind: "Path", session, hop, sender });
  });

  const tspec = (r: string, b: string, p: string, m: string, maximum: string) =>
    `0024 0c 02 00 00 0007 01 00 0006 7f 00 0005 ${r} ${b} ${p} ${m} ${maximum}`;
  const [r, b, p, m, maximum] = ["461c4000", "43c80000", "7f800000", "000000c8", "000000c8"] as const;
  it.each([
    ["a rate that is not a number", tspec("7fc00000", b, p, m, maximum)],
    ["a negative rate", tspec("c61c4000", b, p, m, maximum)],
    ["a rate of minus zero", tspec("80000000", b, p, m, maximum)],
    ["an infinite rate", tspec("7f800000", b, p, m, maximum)],
    ["a rate above 40 terabytes per second (RFC 2211)", tspec("57000000", b, p, m, maximum)],
    ["a bucket of no size", tspec(r, "00000000", p, m, maximum)],
    ["a bucket that is not a number", tspec(r, "7fffffff", p, m, maximum)],
    ["a peak rate below the rate", tspec(r, b, "461c3fff", m, maximum)],
    ["a peak rate that is not a number", tspec(r, b, "7fc00000", m, maximum)],
    ["a negative infinite peak rate", tspec(r, b, "ff800000", m, maximum)],
    ["a minimum policed unit of 0 (RFC 2210 §3.1)", tspec(r, b, p, "00000000", maximum)],
    ["a minimum policed unit above the maximum packet size", tspec(r, b, p, "000000c9", maximum)],
  ])("%s: error 21, sub-code 4 in a Path and 3 in a Resv", (_, object) => {
    expect(refusal(path(object)).answer).toEqual({ code: 21, value: 4 });
    const flowspec = object.replace("0024 0c 02 00 00 0007 01", "0024 09 02 00 00 0007 05");
    const error = refusal(resv(FF, CL_TEN, "000c 0a 01 cb007106 0000 0fa2", flowspec, FILTER));
    expect(error.answer).toEqual({ code: 21, value: 3 });
    expect(error.legible).toMatchObject({ kind: "Resv", flows: { style: "FF", filters } });
  });

  it("a guaranteed rate below that of the bucket (RFC 2212): error 21, sub-code 3", () => {
    const tokens = "7f 00 0005 461c4000 43c80000 7f800000 000000c8 000000c8";
    const guaranteed = (rate: string) => `0030 09 02 00 00 000a 02 00 0009 ${tokens} 82 00 0002 ${rate} 00000000`;
    expect(refusal(resv(WF, guaranteed("461c3fff"))).answer).toEqual({ code: 21, value: 3 });
    expect(decodePacket(resv(WF, guaranteed("461c4000"))).message.kind).toBe("Resv");
  });
});

describe("accepted", () => {
  it("any order of a Path's objects, NULL objects between them, and unused fields that are not 0", () => {
    const shuffled = message(
      1,
      TSPEC_ONE,
      "0008 00 63 ffffffff",
      "000c 0b 01 cb007105 abcd 0fa0",
      EVERY_30_S,
      HOP,
      SESSION,
    );
    expect(decodePacket(shuffled)).toEqual(decodePacket(path(TSPEC_ONE)));
  });

  it("unknown classes: 10bbbbbb is ignored, 11bbbbbb kept to be passed on (RFC 2205 §3.10)", () => {
    const { message: found } = decodePacket(path(TSPEC_ONE, "0008 a0 01 00000001", "0008 e0 02 00000003"));
    const kept = [{ classNum: 0xe0, cType: 2, contents: Buffer.from("00000003", "hex") }];
    expect(found).toMatchObject({ kind: "Path", unknown: kept });
  });

  it("a DCLASS where it has no meaning is passed on, a SESSION_OF_INTEREST ignored, as their class numbers say", () => {
    const dclass = "0008 e1 01 000000b8";
    const interest = "0014 84 01 0a090202 00 00 b800 0000 0001 0a090101";
    const { message: found } = decodePacket(path(TSPEC_ONE, dclass, interest));
    expect(found).toMatchObject({ kind: "Path", unknown: [{ classNum: 225 }] });
  });

  it("a style with new options beside a known one (RFC 2205 §A.7)", () => {
    expect(decodePacket(resv("0008 08 01 ff abcd11", CL_ONE)).message).toMatchObject({ flows: { style: "WF" } });
  });

  it("FF without repeated FLOWSPECs, and with them: both are the same reservation", () => {
    const second = "000c 0a 01 cb007106 0000 0fa2";
    const brief = decodePacket(resv(FF, CL_ONE, FILTER, second));
    expect(decodePacket(resv(FF, CL_ONE, FILTER, CL_ONE, second))).toEqual(brief);
    expect(encodePacket(brief).length).toBe(resv(FF, CL_ONE, FILTER, second).length);
  });

  it("a ResvTear with FLOWSPECs, which are ignored (RFC 2205 §3.1.6)", () => {
    const tear = (...flows: string[]) => decodePacket(message(6, SESSION, HOP, ...flows));
    expect(tear(SE, CL_ONE, FILTER)).toEqual(tear(SE, FILTER));
    expect(tear(WF, CL_ONE)).toEqual(tear(WF));
  });

  it("a PathErr that brings back what was wrong with the Path", () => {
    const error = "000c 06 01 c6336409 00 15 0005";
    const broken = ["0008 0d 02 00 00 0000", "0008 0c 05 00000000", "0008 0e 07 00000000"];
    const { message: found } = decodePacket(message(3, SESSION, error, ...broken, TEMPLATE));
    expect(found).toMatchObject({ kind: "PathErr", policy: [], sender: { template: sender.template } });
    expect("tspec" in (found.kind === "PathErr" ? found.sender : {})).toBe(false);
  });

  it("a ResvErr of FF without its FLOWSPEC: the filter is there once", () => {
    const { message: found } = decodePacket(message(4, SESSION, HOP, "000c 06 01 c6336409 00 04 0000", FF, FILTER));
    expect(found).toMatchObject({ kind: "ResvErr", flows: { style: "FF", filters } });
    expect("flowspec" in (found.kind === "ResvErr" ? found.flows : {})).toBe(false);
  });

  it("a ResvErr with values that no Resv may have: they are what was wrong", () => {
    const flowspec = "0024 09 02 00 00 0007 05 00 0006 7f 00 0005 c61c4000 43c80000 7f800000 000000c8 00000001";
    const { message: found } = decodePacket(message(4, SESSION, HOP, "000c 06 01 c6336409 00 15 0003", WF, flowspec));
    expect(found).toMatchObject({ kind: "ResvErr", flows: { style: "WF", flowspec: { tspec: { rate: -10_000 } } } });
  });
});

describe("encoding", () => {
  const resvMessage = { kind: "Resv", session, hop, refreshPeriod: 30_000 as never, policy: [], unknown: [] } as const;

  it("refuses what no message can hold, as a defect of the caller", () => {
    const flows = { style: "SE", flowspec: controlledLoad(TEN_CALLS) } as const;
    const many = Array.from({ length: 6000 }, (_, index) => ({ address: "203.0.113.5", port: index }));
    expect(() => encodePacket(packetOf({ ...resvMessage, flows: { ...flows, filters: many } }))).toThrow(/holds 65532/);
    const both = ["203.0.113.5", "2001:db8::5"];
    const mixed = packetOf({ ...resvMessage, scope: both, flows: { ...flows, filters } });
    expect(() => encodePacket(mixed)).toThrow(/both families/);
    const wide = packetOf({ ...resvMessage, hop: { ...hop, lih: 2 ** 32 }, flows: { ...flows, filters } });
    expect(() => encodePacket(wide)).toThrow(/does not fit/);
  });

  it("never sends a checksum of 0, which would say that there is none", () => {
    // The sum of all other words is 0xffff.
    const hello = packetOf({ kind: "Hello", objects: [{ classNum: 22, cType: 1, contents: Buffer.alloc(4) }] });
    const plain = encodePacket(hello);
    const contents = Buffer.alloc(4);
    contents.writeUInt16BE(plain.readUInt16BE(2), 2);
    const octets = encodePacket(packetOf({ kind: "Hello", objects: [{ classNum: 22, cType: 1, contents }] }));
    expect(octets.readUInt16BE(2)).toBe(0xffff);
    expect(decodePacket(octets).message.kind).toBe("Hello");
  });
});

describe("INTEGRITY alone", () => {
  it("is not there in a message that begins with another object", () => {
    expect(readIntegrity(path(TSPEC_ONE))).toBeUndefined();
  });

  it("is malformed if it goes past the message or has no digest", () => {
    expect(() => readIntegrity(message(1, "00ff 04 01 00000000"))).toThrow(RsvpDecodeError);
    expect(() => readIntegrity(message(1, "0014 04 01 00 00 000000000001 0000000000000002"))).toThrow(RsvpDecodeError);
  });
});

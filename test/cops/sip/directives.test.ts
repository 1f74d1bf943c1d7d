import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { aaaContext, ldpContext, SIP_M_TYPE, type SipEvent, sipEventOf } from "../../../src/cops/sip/codes.js";
import {
  decodeDirectives,
  encodeDirectives,
  NO_DIRECTIVES,
  type SipDirectives,
} from "../../../src/cops/sip/directives.js";
import { decisionName, requestName } from "../../../src/cops/sip/ladder-name.js";
import { DecodeError, InternalError } from "../../../src/model/errors.js";
import { SETUP_LADDER, TEARDOWN_LADDER } from "../../../src/model/ladder.js";
import { parseSessionId } from "../../../src/model/session.js";

const octets = (hex: string): Buffer => Buffer.from(hex.replaceAll(/\s/g, ""), "hex");
const session = parseSessionId("00112233445566ff")!;

describe("SIP directives", () => {
  it("have these octets", () => {
    const directives: SipDirectives = {
      addHeaders: [{ name: "X-A", value: "1" }],
      removeHeaders: ["Via"],
      nextHop: "sip:b",
      refusal: { status: 503, phrase: "Full" },
      session,
      reason: "SIP",
      untold: true,
    };
    const hex = `000a 0101 582d413a2031 0000
      0007 0201 566961 00
      0009 0301 7369703a62 000000
      000c 0401 01f70000 46756c6c
      0014 0501 30303131323233333434353536366666
      0007 0601 534950 00
      0004 0901`;
    expect(encodeDirectives(directives).toString("hex")).toBe(octets(hex).toString("hex"));
    expect(decodeDirectives(octets(hex))).toEqual(directives);
  });

  const line = fc.string({ unit: "grapheme", maxLength: 30 }).filter((text) => !/[\r\n\0]/.test(text));
  const name = fc.stringMatching(/^[A-Za-z0-9\-.!%*_+`'~]{1,12}$/);
  const directives: fc.Arbitrary<SipDirectives> = fc.record(
    {
      addHeaders: fc.array(fc.record({ name, value: line.map((text) => text.trim()) }), { maxLength: 3 }),
      removeHeaders: fc.array(name, { maxLength: 3 }),
      nextHop: line,
      refusal: fc.record({ status: fc.integer({ min: 300, max: 699 }), phrase: line }),
      session: fc.constant(session),
      reason: line,
      untold: fc.constant(true as const),
    },
    { requiredKeys: ["addHeaders", "removeHeaders"] },
  );

  it("come back as they went", () => {
    fc.assert(
      fc.property(directives, (sent) => {
        expect(decodeDirectives(encodeDirectives(sent))).toEqual(sent);
      }),
    );
  });

  it("may be none", () => {
    expect(encodeDirectives(NO_DIRECTIVES).length).toBe(0);
    expect(decodeDirectives(Buffer.alloc(0))).toEqual(NO_DIRECTIVES);
  });

  it.each([
    ["CR LF in a header: it would add another", "0010 0101 413a20620d0a433a2064 0000"],
    ["LF in a next hop", "0006 0301 610a 0000"],
    ["NUL in a phrase", "000a 0401 01f70000 6100 0000"],
    ["what is not UTF-8", "0006 0301 c328 0000"],
    ["a header without a colon", "0005 0101 41 000000"],
    ["a header without a name", "0006 0101 3a41 0000"],
    ["a space in a name to remove", "0007 0201 412042 00"],
    ["a status that does not refuse", "0008 0401 00c80000"],
    ["a refusal without a status", "0006 0401 01f7 0000"],
    ["a session id of other characters", "0014 0501 30303131323233333434353536365a5a"],
    ["an unknown S-Num", "0004 0a01"],
    ["an unknown S-Type", "0004 0102"],
    ["a length below the header's", "0003 0101"],
    ["a length past the end", "0010 0101 413a2062"],
    ["half a header", "0010"],
  ])("do not take %s", (_, hex) => {
    expect(() => decodeDirectives(octets(hex))).toThrow(DecodeError);
  });

  it("decode or are refused, whatever the octets", () => {
    const object = fc.tuple(
      fc.integer({ min: 0, max: 40 }),
      fc.integer({ min: 0, max: 6 }),
      fc.uint8Array({ maxLength: 40 }),
    );
    fc.assert(
      fc.property(fc.array(object, { maxLength: 4 }), (objects) => {
        const data = Buffer.concat(objects.map(([length, sNum, rest]) => Buffer.from([0, length, sNum, 1, ...rest])));
        try {
          const { addHeaders, nextHop = "" } = decodeDirectives(data);
          for (const text of [nextHop, ...addHeaders.map(({ value }) => value)]) expect(text).not.toMatch(/[\r\n\0]/);
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
      }),
    );
  });

  it("are not encoded with what would split a SIP message", () => {
    const bad = { ...NO_DIRECTIVES, addHeaders: [{ name: "A", value: "b\r\nC: d" }] };
    expect(() => encodeDirectives(bad)).toThrow(InternalError);
    expect(() => encodeDirectives({ ...NO_DIRECTIVES, removeHeaders: ["a:b"] })).toThrow(InternalError);
  });
});

describe("ladder names", () => {
  const decision = (clientType: number, ...commands: number[]) => ({
    clientType,
    decisions: commands.map((command) => ({ context: { rType: 8, mType: 0 }, command, flags: 0 })),
  });

  it.each<[SipEvent, string]>([
    ["provisional", "REQ LDP"],
    ["answer", "REQ LDP"],
    ["reoffer", "REQ LDP"],
    ["bye", "REQ noLDP"],
    ["cancel", "REQ noLDP"],
    ["failure", "REQ noLDP"],
    ["timeout", "REQ noLDP"],
  ])("%s: %s", (event, name) => {
    expect(requestName(ldpContext(event))).toBe(name);
  });

  it("of the other messages", () => {
    expect(requestName(aaaContext())).toBe("REQ AAA");
    expect(requestName({ rType: 8, mType: 0 })).toBe("REQ");
    expect(decisionName(decision(0x5349, 1))).toBe("DEC");
    expect(decisionName(decision(2, 1))).toBe("DEC Install");
    expect(decisionName(decision(2, 2))).toBe("DEC Remove");
    expect(decisionName(decision(2, 2, 1))).toBe("DEC Install");
    expect(decisionName(decision(2, 0))).toBe("DEC");
  });

  it("are all that the ladder has for COPS", () => {
    const steps = [...SETUP_LADDER, ...TEARDOWN_LADDER].filter(({ protocol }) => protocol === "COPS");
    const known = new Set(["REQ AAA", "REQ LDP", "REQ noLDP", "DEC", "DEC Install", "DEC Remove", "RPT"]);
    expect(new Set(steps.map(({ message }) => message))).toEqual(known);
  });

  it("M-Types go both ways", () => {
    for (const [event, mType] of Object.entries(SIP_M_TYPE)) expect(sipEventOf(mType)).toBe(event);
    expect(sipEventOf(99)).toBeUndefined();
  });
});

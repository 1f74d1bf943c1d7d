import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bitsPerSecond, type Timestamp } from "../../../src/model/units.js";
import { OspDecodeError } from "../../../src/osp/codec/decode-error.js";
import { decodeMessage, encodeMessage } from "../../../src/osp/codec/message.js";
import type { AuthorisationRequest, OspMessage, UsageIndication } from "../../../src/osp/codec/messages.js";
import { CALL_ID, SESSION } from "../support.js";
import {
  AUTHORISATION_REQUEST,
  AUTHORISATION_RESPONSE,
  TRAFFIC,
  USAGE_CONFIRMATION,
  USAGE_INDICATION,
} from "./golden.js";

const decode = (xml: string): OspMessage => decodeMessage(Buffer.from(xml));
const only = <T>(items: readonly T[]): T => {
  expect(items).toHaveLength(1);
  return items[0] as T;
};
const failure = (xml: string | Buffer): OspDecodeError => {
  try {
    decodeMessage(Buffer.from(xml as string));
  } catch (error) {
    expect(error).toBeInstanceOf(OspDecodeError);
    return error as OspDecodeError;
  }
  throw new Error("was accepted");
};

describe("golden messages", () => {
  const goldens = { AUTHORISATION_REQUEST, AUTHORISATION_RESPONSE, USAGE_INDICATION, USAGE_CONFIRMATION };
  for (const [name, { message, xml }] of Object.entries(goldens)) {
    it(`encodes ${name}`, () => expect(encodeMessage(message).toString()).toBe(xml));
    it(`decodes ${name}`, () => {
      const decoded = decode(xml);
      expect({ messageId: decoded.messageId, random: decoded.random }).toEqual({
        messageId: message.messageId,
        random: message.random,
      });
      expect(only(decoded.components)).toMatchObject(only(message.components));
    });
  }

  it("takes the toolkit's spelling, line breaks around values, and CDATA", () => {
    const xml = AUTHORISATION_REQUEST.xml
      .replaceAll("Authorisation", "Authorization")
      .replace("<SourceInfo type", "<SourceInfo\n type")
      .replace(">4930123<", ">\n4930123 <")
      .replace('<CallId encoding="base64">YTFAMTkyLjAuMi4x</CallId>', "<CallId><![CDATA[a1@192.0.2.1]]></CallId>");
    const request = only(decode(xml).components) as AuthorisationRequest;
    expect(request.source.value).toBe("4930123");
    expect(request.callId).toEqual(CALL_ID);
    expect(request.spelling).toBe("z");
    expect(encodeMessage({ messageId: "1", components: [request] }).toString()).toContain("<AuthorizationRequest ");
  });
});

describe("extensions", () => {
  it("all say critical=False, and come back", () => {
    const base = only(USAGE_INDICATION.message.components) as UsageIndication;
    const extensions = { session: SESSION, bandwidth: bitsPerSecond(95_200), serviceClass: "assured" };
    const usage = { ...base, extensions, detail: { ...base.detail, traffic: TRAFFIC } };
    const octets = encodeMessage({ messageId: "1", components: [usage] });
    for (const [tag] of octets.toString().matchAll(/<Sluice[^>]*>/g)) expect(tag).toContain('critical="False"');
    expect(octets.toString().match(/<Sluice/g)).toHaveLength(5);
    const decoded = only(decodeMessage(octets).components) as UsageIndication;
    expect(decoded.extensions).toEqual(extensions);
    expect(decoded.detail.traffic).toEqual(TRAFFIC);
  });

  it("gives the totals in the standard's words, by direction of the call", () => {
    const base = only(USAGE_INDICATION.message.components) as UsageIndication;
    const report = (role: "source" | "destination") =>
      encodeMessage({
        messageId: "1",
        components: [{ ...base, role, detail: { ...base.detail, traffic: TRAFFIC } }],
      }).toString();
    const forward = '<TotalOctets critical="False" direction="source-to-destination">';
    expect(report("source")).toContain(`${forward}100600<`);
    expect(report("destination")).toContain(`${forward}99800<`);
  });
});

describe("hostile XML", () => {
  const { xml } = AUTHORISATION_REQUEST;
  const withDoctype = xml.replace("?><", '?><!DOCTYPE m [<!ENTITY a "b"><!ENTITY x SYSTEM "file:///etc/passwd">]><');
  const nested = (depth: number) => `<Message>${"<Role>".repeat(depth)}${"</Role>".repeat(depth)}</Message>`;
  const cases: readonly (readonly [string, string | Buffer, number])[] = [
    ["nothing", "", 411],
    ["no XML", "hello", 411],
    ["half a document", xml.slice(0, 200), 411],
    ["a document type", withDoctype, 411],
    ["an undefined entity", xml.replace("4930123", "&a;"), 411],
    ["wrong nesting", xml.replace("</CallId>", "</CallIdx>"), 411],
    ["an attribute twice", xml.replace('messageId="7001"', 'messageId="1" messageId="2"'), 411],
    ["a control character", xml.replace("4930123", "49\u000130123"), 411],
    ["two documents", `${xml}<Message/>`, 411],
    ["9000 levels", nested(9000), 411],
    ["33 levels", nested(33), 411],
    ["1001 elements", `<Message>${"<Role/>".repeat(1001)}</Message>`, 411],
    ["more than 64 KiB", `<Message>${" ".repeat(70_000)}</Message>`, 411],
    ["octets that are not UTF-8", Buffer.from(xml.replace("alice", "\u00e9"), "latin1"), 410],
    ["another declared encoding", xml.replace('"1.0"?', '"1.0" encoding="ISO-8859-1"?'), 410],
    ["another root", "<TokenInfo/>", 400],
    ["an empty message", "<Message/>", 400],
    ["an unknown element", xml.replace("<Service/>", "<Surprise/>"), 412],
    ["an unknown critical one", xml.replace("<Service/>", '<Surprise critical="True"/>'), 412],
    ["an unknown component", '<Message messageId="1"><PingRequest componentId="2"/></Message>', 412],
  ];
  for (const [name, document, status] of cases) {
    it(`answers ${name} with ${status}`, () => expect(failure(document).status).toBe(status));
  }

  it("keeps the frame of a message it cannot read, so that it can be answered", () => {
    expect(failure(xml.slice(0, 300)).envelope).toEqual({
      messageId: "7001",
      components: [{ name: "AuthorisationRequest", componentId: "7000" }],
    });
  });

  it("passes over what is unknown and not critical, with all that is inside", () => {
    const stranger = '<Surprise critical="false"><Inside><Token>x</Token></Inside></Surprise>';
    const request = only(decode(xml.replace("<Service/>", stranger)).components);
    expect(request).toMatchObject({ kind: "AuthorisationRequest", token: undefined });
  });

  const fields: readonly (readonly [string, string, string])[] = [
    ["a missing SourceInfo", '<SourceInfo type="e164">4930123</SourceInfo>', ""],
    ["an empty DestinationInfo", ">4420456<", "><"],
    ["a time with an offset", "03:04:05Z", "03:04:05+01:00"],
    ["a day that is none", "2026-01-02", "2026-02-31"],
    ["base64 with strangers in it", "YTFAMTkyLjAuMi4x", "YTFAMTkyLjAuMi4*"],
    ["an unknown encoding", 'encoding="base64"', 'encoding="hex"'],
    ["a negative number", ">2</MaximumDestinations>", ">-2</MaximumDestinations>"],
  ];
  for (const [name, from, to] of fields) {
    it(`makes a component with ${name} invalid, and only that one`, () => {
      expect(xml).toContain(from);
      const second = '<UsageConfirmation componentId="8"><Status><Code>200</Code></Status></UsageConfirmation>';
      const both = decode(xml.replace(from, to).replace("</Message>", `${second}</Message>`)).components;
      expect(both).toMatchObject([
        { kind: "invalid", name: "AuthorisationRequest", componentId: "7000", error: { status: 400 } },
        { kind: "UsageConfirmation", componentId: "8" },
      ]);
    });
  }

  it("settles nothing but seconds", () => {
    const component = only(decode(USAGE_INDICATION.xml.replace(">s</Unit>", ">byte</Unit>")).components);
    expect(component.kind).toBe("invalid");
  });

  it("never reads a missing Status as success", () => {
    const xml2 = AUTHORISATION_RESPONSE.xml.replace(/<Status>.*<\/Status>/, "");
    expect(only(decode(xml2).components).kind).toBe("invalid");
  });

  it("takes no TransactionId past 64 bit", () => {
    const id = (text: string) => only(decode(USAGE_INDICATION.xml.replace("900001", text)).components).kind;
    expect(id("18446744073709551615")).toBe("UsageIndication");
    expect(id("18446744073709551616")).toBe("invalid");
    expect(id("0x10")).toBe("invalid");
  });
});

describe("any input", () => {
  const seeds = [AUTHORISATION_REQUEST, AUTHORISATION_RESPONSE, USAGE_INDICATION, USAGE_CONFIRMATION];

  it("is decoded or refused with a typed error, never anything else", () => {
    const pieces = fc.constantFrom("<", ">", "&", "<![CDATA[", "]]>", "<!--", "<?", "\0", "\ud800", "<!DOCTYPE a>", "");
    const mutation = fc.record({ seed: fc.constantFrom(...seeds), where: fc.nat(), cut: fc.nat(20), piece: pieces });
    fc.assert(
      fc.property(mutation, ({ seed: { xml }, where, cut, piece }) => {
        const place = where % xml.length;
        try {
          decode(xml.slice(0, place) + piece + xml.slice(place + cut));
        } catch (error) {
          expect(error).toBeInstanceOf(OspDecodeError);
        }
      }),
      { numRuns: 1000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (octets) => {
        expect(failure(Buffer.from(octets)).family).toBe("decode");
      }),
    );
  });

  it("comes back from the wire as it was, whatever its texts hold", () => {
    const text = fc
      .string({ unit: "binary", minLength: 1, maxLength: 60 })
      .map((value) => value.replace(/[\p{Cc}\p{Surrogate}\ufffe\uffff]/gu, "").trim())
      .filter((value) => value !== "");
    const request = fc.record({
      value: text,
      callId: fc.uint8Array({ minLength: 1, maxLength: 256 }),
      time: fc.integer({ min: 0, max: 253_402_300_799 }),
    });
    fc.assert(
      fc.property(request, ({ value, callId, time }) => {
        const component: AuthorisationRequest = {
          kind: "AuthorisationRequest",
          componentId: "1",
          timestamp: (time * 1000) as Timestamp,
          callId: Buffer.from(callId),
          source: { type: "sip", value },
          destination: { type: "sip", value },
          deviceId: value,
        };
        const decoded = decodeMessage(encodeMessage({ messageId: "1", components: [component] }));
        expect(only(decoded.components)).toMatchObject(component);
      }),
    );
  });
});

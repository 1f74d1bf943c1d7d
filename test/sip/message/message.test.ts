import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ProtocolError } from "../../../src/model/errors.js";
import { ackForFailure, cancelFor, responseTo } from "../../../src/sip/message/build.js";
import type { SipRequest } from "../../../src/sip/message/message.js";
import { parseMessage } from "../../../src/sip/message/parse.js";
import { parseNameAddr, parseSipUri } from "../../../src/sip/message/uri.js";
import { validateRequest } from "../../../src/sip/message/validate.js";
import { parseVia } from "../../../src/sip/message/via.js";

const TEXT = [
  "INVITE sip:bob@[2001:db8::9]:5080;transport=udp SIP/2.0",
  'v: SIP/2.0/UDP a.example;branch=z9hG4bKa;x="1,2" , SIP/2.0/UDP [2001:db8::1]:5061;branch=z9hG4bKb',
  "VIA: SIP/2.0/UDP 192.0.2.3;branch=z9hG4bKc",
  "Route: <sip:one;lr>,<sip:two;lr>",
  'f: "A, B" <sip:alice@example.net>;tag=1',
  "t: sip:bob@example.com;tag=2",
  "i: id@host",
  "CSeq:   7   INVITE",
  "m: <sip:c@192.0.2.4>",
  "",
  "",
].join("\r\n");

function request(text = TEXT): SipRequest {
  const parsed = parseMessage(Buffer.from(text, "latin1"));
  if (parsed.kind !== "request") throw new Error(parsed.kind);
  return parsed.request;
}

describe("SipMessage", () => {
  it("reads compact and comma-joined headers", () => {
    const message = request();
    expect(validateRequest(message)).toBeUndefined();
    expect(message.vias.map((via) => via.host)).toEqual(["a.example", "2001:db8::1", "192.0.2.3"]);
    expect(message.routes).toEqual(["<sip:one;lr>", "<sip:two;lr>"]);
    expect(message.callId).toBe("id@host");
    expect(message.cseq).toEqual({ number: 7, method: "INVITE" });
    expect([message.fromTag, message.toTag]).toEqual(["1", "2"]);
    expect(message.contact?.uri).toBe("sip:c@192.0.2.4");
    expect(parseSipUri(message.requestUri)).toMatchObject({ host: "2001:db8::9", port: 5080, user: "bob" });
  });

  it("takes single entries off joined lines and leaves the rest as it was", () => {
    const one = request().removeTopVia();
    expect(one.vias.map((via) => via.branch)).toEqual(["z9hG4bKb", "z9hG4bKc"]);
    const two = one.removeTopVia();
    expect(two.vias.map((via) => via.branch)).toEqual(["z9hG4bKc"]);
    expect(two.toBuffer().toString("latin1")).toContain("\r\nVIA: SIP/2.0/UDP 192.0.2.3;branch=z9hG4bKc\r\n");
    expect(two.removeTopVia().removeTopVia().vias).toEqual([]);
    expect(request().removeTopRoute().routes).toEqual(["<sip:two;lr>"]);
    expect(request().removeLastRoute().routes).toEqual(["<sip:one;lr>"]);
    expect(request().appendRoute("<sip:three>").routes.at(-1)).toBe("<sip:three>");
  });

  it("prepending and removing a Via gives the same octets", () => {
    const message = request();
    const there = message.prependVia("SIP/2.0/UDP 1.2.3.4;branch=z9hG4bKz");
    expect(there.topVia?.host).toBe("1.2.3.4");
    expect(there.removeTopVia().toBuffer().equals(message.toBuffer())).toBe(true);
    expect(message.vias).toHaveLength(3);
  });

  it("sets, adds and removes headers by any of their names", () => {
    const message = request().setHeader("Contact", "<sip:new@x>").addHeader("X-A", "é").removeHeader("Subject");
    expect(message.headerLines("m")).toEqual(["<sip:new@x>"]);
    expect(message.toBuffer().includes(Buffer.from("X-A: é\r\n", "utf8"))).toBe(true);
    expect(message.removeHeader("call-id").header("i")).toBeUndefined();
    expect(() => message.addHeader("X", "a\r\nb: c")).toThrow(ProtocolError);
    expect(() => message.addHeader("X Y", "a")).toThrow(ProtocolError);
  });

  it("gives any header line back octet for octet", () => {
    const header = fc.tuple(
      fc.stringMatching(/^[A-Za-z-]{1,12}$/),
      fc.stringMatching(/^ {0,2}$/),
      fc
        .uint8Array({ maxLength: 60 })
        .map((octets) =>
          Buffer.from(octets.map((octet) => (octet === 10 || octet === 13 ? 32 : octet))).toString("latin1"),
        ),
    );
    fc.assert(
      fc.property(fc.array(header, { maxLength: 20 }), fc.uint8Array({ maxLength: 100 }), (headers, body) => {
        const lines = headers.map(([name, space, value]) => `X-${name}${space}:${value}\r\n`).join("");
        const head = Buffer.from(`INFO sip:a@b SIP/2.0\r\n${lines}Content-Length: ${body.length}\r\n\r\n`, "latin1");
        const octets = Buffer.concat([head, body]);
        const parsed = parseMessage(octets);
        expect(parsed.kind === "request" && parsed.request.toBuffer().equals(octets)).toBe(true);
      }),
    );
  });
});

describe("messages made from others", () => {
  it("a response copies what §8.2.6 says, and tags To once", () => {
    const untagged = request(TEXT.replace(";tag=2", ""));
    const response = responseTo(untagged, 404, { toTag: "mine" });
    expect(response.vias).toHaveLength(3);
    expect(response.toTag).toBe("mine");
    expect(response.toBuffer().toString()).toContain("t: sip:bob@example.com;tag=mine\r\n");
    expect(responseTo(request(), 404, { toTag: "mine" }).toTag).toBe("2");
    expect(responseTo(untagged, 503, { phrase: "a\r\nX: b" }).startLine).toBe("SIP/2.0 503 a  X: b");
  });

  it("CANCEL and the ACK of a failure carry the INVITE's top Via, Route and CSeq number", () => {
    const cancel = cancelFor(request());
    expect(cancel.vias.map((via) => via.branch)).toEqual(["z9hG4bKa"]);
    expect(cancel.cseq).toEqual({ number: 7, method: "CANCEL" });
    expect(cancel.routes).toHaveLength(2);
    expect(validateRequest(cancel)).toBeUndefined();
    const untagged = request(TEXT.replace(";tag=2", ""));
    expect(ackForFailure(untagged, responseTo(untagged, 486, { toTag: "u" })).toTag).toBe("u");
  });
});

describe("grammar", () => {
  it.each([
    ["sip:a@b", true],
    ["sip:a@[::1]:5060", true],
    ["sip:::1", false],
    ["sip:a@b:0", false],
    ["sip:a@b:70000", false],
    ["sip:@b", false],
    ["sip:a b@c", false],
    ["sip:", false],
    ["tel:+1", false],
  ])("URI %s: %s", (text, good) => {
    expect(parseSipUri(text) !== undefined).toBe(good);
  });

  it.each([
    ['"a" <sip:x@y>;tag=1', true],
    ["a b <sip:x@y>", true],
    ["a, b <sip:x@y>", false],
    ['"a <sip:x@y>', false],
    ["<sip:x@y", false],
    ["<sip:x@y>;;tag=1", false],
    ["tel:+123;tag=4", true],
    ["", false],
  ])("name-addr %s: %s", (text, good) => {
    expect(parseNameAddr(text) !== undefined).toBe(good);
  });

  it.each([
    ["SIP/2.0/UDP h;branch=1", true],
    ["SIP / 2.0 / UDP h : 5060 ; branch = 1", true],
    ["SIP/2.0/UDP [::1]:5", true],
    ["SIP/2.0/UDP ::1", false],
    ["SIP/2.0/UDP", false],
    ["SIP/2.0/UDP h;;branch=1", false],
  ])("Via %s: %s", (text, good) => {
    expect(parseVia(text) !== undefined).toBe(good);
  });

  it("takes linear time on hostile lists", () => {
    const octets = (lines: string) => Buffer.from(TEXT.replace("\r\n\r\n", `\r\n${lines}\r\n\r\n`), "latin1");
    for (const bad of [
      `Route: ${"<sip:a>,".repeat(1500)}`,
      `Via: ${" \t".repeat(7000)}`,
      `Via: ${'"\\'.repeat(7000)}`,
    ]) {
      const parsed = parseMessage(octets(bad));
      expect(parsed.kind === "request" && validateRequest(parsed.request)?.status).toBe(400);
    }
    expect(() => parseMessage(octets("a:b\r\n".repeat(4000)))).toThrow(/header fields/);
  });
});

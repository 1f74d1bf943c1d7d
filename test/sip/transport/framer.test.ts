import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Frame, StreamFramer } from "../../../src/sip/transport/framer.js";

const archive: Record<string, string> = JSON.parse(
  readFileSync(new URL("../fixtures/rfc4475.json", import.meta.url), "utf8"),
);
const message = (body: string, length = "Content-Length") =>
  `MESSAGE sip:a@b SIP/2.0\r\nCall-ID: x\r\n${length}: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
const show = (frames: readonly Frame[]): string[] =>
  frames.map((frame) =>
    frame.kind === "broken"
      ? `broken ${frame.reason}`
      : frame.kind === "ping"
        ? "ping"
        : frame.octets.toString("latin1"),
  );
const cut = (segments: readonly (string | Buffer)[], limits?: { headOctets: number; bodyOctets: number }): string[] => {
  const framer = new StreamFramer(limits);
  return show(segments.flatMap((segment) => [...framer.push(Buffer.from(segment as string))]));
};

describe("StreamFramer", () => {
  it("takes two messages out of one segment, and one out of many", () => {
    const [one, two] = [message("hello"), message("")];
    expect(cut([one + two])).toEqual([one, two]);
    expect(cut([...one].map((char) => char))).toEqual([one]);
  });

  it.each(["l", "L", "content-length ", "Content-Length: \r\n "])("reads the length in the form %j", (name) => {
    const text = name.includes("\r\n") ? message("abc").replace("Length: ", "Length:\r\n  ") : message("abc", name);
    expect(cut([text, message("")])).toEqual([text, message("")]);
  });

  it("tells pings from the line ends that answer one, and from those before a message", () => {
    expect(cut(["\r\n\r\n"])).toEqual(["ping"]);
    expect(cut(["\r", "\n", "\r", "\n"])).toEqual(["ping"]);
    expect(cut([`\r\n${message("")}\r\n\r\n\r\n\r\n${message("")}`])).toEqual([
      message(""),
      "ping",
      "ping",
      message(""),
    ]);
  });

  it("is amid a message only when one has begun", () => {
    const framer = new StreamFramer();
    const amidAfter = (text: string) => {
      [...framer.push(Buffer.from(text))];
      return framer.isAmid;
    };
    expect([amidAfter("\r\n"), amidAfter("\r\n"), amidAfter("\r"), amidAfter("\nI"), amidAfter("NVITE")]).toEqual([
      false,
      false,
      false,
      true,
      true,
    ]);
  });

  it.each([
    ["no length", "MESSAGE sip:a@b SIP/2.0\r\nCall-ID: x\r\n\r\n", "broken length"],
    ["a negative length", "M sip:a SIP/2.0\r\nContent-Length: -1\r\n\r\n", "broken length"],
    ["a length beyond the limit", "M sip:a SIP/2.0\r\nContent-Length: 101\r\n\r\n", "broken length"],
    ["a length beyond all numbers", `M sip:a SIP/2.0\r\nContent-Length: ${"9".repeat(80)}\r\n\r\n`, "broken length"],
    ["two lengths", "M sip:a SIP/2.0\r\nContent-Length: 1\r\nl: 2\r\n\r\n", "broken length"],
    ["no end of the head", "M".repeat(301), "broken head"],
    ["a head beyond the limit", `M sip:a SIP/2.0\r\nSubject: ${"x".repeat(300)}\r\n\r\n`, "broken head"],
  ])("gives up at %s, and takes nothing more", (_name, text, expected) => {
    const limits = { headOctets: 300, bodyOctets: 100 };
    expect(cut([text, message("")], limits)).toEqual([expected]);
    expect(cut([...text], limits)).toEqual([expected]);
  });

  it("does not hold more than it may, whatever is announced", () => {
    const framer = new StreamFramer({ headOctets: 300, bodyOctets: 100 });
    let taken = 0;
    for (let at = 0; at < 1000; at += 1) {
      for (const frame of framer.push(Buffer.alloc(1000, 0x41))) taken += frame.kind === "broken" ? 1 : 0;
    }
    expect([taken, framer.isAmid]).toEqual([1, false]);
  });

  it("is linear in octets, however small the segments", () => {
    const text = Buffer.from(message("x".repeat(60_000)));
    const framer = new StreamFramer();
    const frames: Frame[] = [];
    const began = process.cpuUsage().user;
    for (const octet of text) frames.push(...framer.push(Buffer.of(octet)));
    expect(frames).toHaveLength(1);
    // 60 000 segments of one octet; quadratic copying would take minutes.
    expect(process.cpuUsage().user - began).toBeLessThan(5_000_000);
  });

  it("gives the same messages for any segmentation", () => {
    const piece = fc.oneof(
      fc.string({ maxLength: 40 }).map((body) => message(body)),
      fc.constantFrom("\r\n\r\n", message("", "l"), message("\r\n\r\nINVITE")),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), fc.array(fc.nat(400), { maxLength: 30 }), (pieces, sizes) => {
        const stream = Buffer.from(pieces.join(""));
        const segments: Buffer[] = [];
        let at = 0;
        for (const size of sizes) {
          segments.push(stream.subarray(at, at + size));
          at += size;
        }
        segments.push(stream.subarray(at));
        expect(cut(segments)).toEqual(cut([stream]));
        expect(cut([stream])).toEqual(pieces.map((text) => (text === "\r\n\r\n" ? "ping" : latin1(text))));
      }),
    );
  });

  it("never fails on noise, and never gives more octets than it got", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 20 }), (segments) => {
        const framer = new StreamFramer({ headOctets: 300, bodyOctets: 100 });
        const frames = segments.flatMap((segment) => [...framer.push(Buffer.from(segment))]);
        const given = frames.reduce((sum, frame) => sum + ("octets" in frame ? (frame.octets?.length ?? 0) : 0), 0);
        expect(given).toBeLessThanOrEqual(segments.reduce((sum, segment) => sum + segment.length, 0));
      }),
    );
  });
});

const latin1 = (text: string): string => Buffer.from(text).toString("latin1");

describe("RFC 4475 over a stream", () => {
  const next = message("next");
  /** How many messages those give whose Content-Length is not that of their body; none, and the stream is at its end. */
  const MISFRAMED: Record<string, number> = {
    // Without Content-Length, negative, or two that differ.
    baddn: 0,
    inv2543: 0,
    ncl: 0,
    mcl01: 0,
    // Longer than its body: what follows is taken for the rest of it.
    clerr: 0,
    // A second request after the first is one of its own (over UDP it would be dropped); this one's body is cut off.
    dblreq: 2,
  };

  it.each(Object.keys(archive))("%s comes out as it went in, or is misframed on purpose", (name) => {
    const octets = Buffer.from(archive[name] ?? "", "base64");
    const frames = cut([octets, next]);
    const misframed = MISFRAMED[name];
    if (misframed === undefined) expect(frames).toEqual([octets.toString("latin1"), next]);
    else expect(frames.filter((frame) => !frame.startsWith("broken"))).toHaveLength(misframed);
  });
});

import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  bothWays,
  type MediumQuality,
  type Needs,
  type SessionQuality,
} from "../../../../src/portal/web/quality/needs.js";
import { presetOf } from "../../../../src/portal/web/quality/presets.js";
import { hidesAddresses, mediaOf, readQuality, writeQuality } from "../../../../src/portal/web/quality/sdp-quality.js";
import { readSdp } from "../../../../src/sip/sdp/reader.js";

const FIXTURES = readFileSync(new URL("../../../sip/sdp/fixtures/chromium.json", import.meta.url), "utf8");

/** Every description in the proxy's fixtures of what Chromium writes: lists of lines. */
function descriptions(value: unknown): readonly string[] {
  if (typeof value !== "object" || value === null) return [];
  const members: unknown[] = Object.values(value);
  return members[0] === "v=0" ? [`${members.join("\r\n")}\r\n`] : members.flatMap(descriptions);
}
const CHROMIUM = descriptions(JSON.parse(FIXTURES));

const SDP = [
  "v=0",
  "o=- 1 2 IN IP4 127.0.0.1",
  "s=-",
  "t=0 0",
  "m=audio 4000 UDP/TLS/RTP/SAVPF 111",
  "c=IN IP4 192.0.2.1",
  "a=mid:0",
  "m=video 0 UDP/TLS/RTP/SAVPF 96",
  "c=IN IP4 0.0.0.0",
  "m=application 4000 UDP/DTLS/SCTP webrtc-datachannel",
  "c=IN IP4 192.0.2.1",
  "",
].join("\r\n");

const NEEDS: Needs = {
  latency: { wanted: 40, worst: 80 },
  jitter: { wanted: 15, worst: 15 },
  loss: { wanted: 0.005, worst: 0.02 },
  rate: { wanted: 160, worst: 80 },
};

describe("the quality lines of a description", () => {
  it("are added to the sections of their kind, and nothing else changes", () => {
    const quality = { application: bothWays(NEEDS, { sessionClass: "game-fps", security: "dtls" }) };
    const added = [
      "a=sluice-class:game-fps",
      "a=sluice-need:sendrecv latency=40-80;jitter=15;loss=0.005-0.02;rate=160-80",
      "a=sluice-security:dtls",
      "",
    ];
    expect(writeQuality(SDP, quality)).toBe(`${SDP}${added.join("\r\n")}`);
  });

  it("take the place of those that were there", () => {
    const once = writeQuality(SDP, { audio: bothWays(NEEDS, {}) });
    expect(writeQuality(once, {})).toBe(SDP);
    expect(writeQuality(once, { audio: bothWays(NEEDS, {}) })).toBe(once);
  });

  it("say each direction by itself where they differ", () => {
    const medium: MediumQuality = {
      send: { rate: { wanted: 96, worst: 64 } },
      recv: { rate: { wanted: 32, worst: 32 } },
    };
    const text = writeQuality(SDP, { audio: medium });
    expect(text).toContain("a=sluice-need:send rate=96-64\r\na=sluice-need:recv rate=32\r\n");
    expect(readQuality(text)).toEqual({ audio: medium });
  });

  it("are read from the session level where the medium says nothing", () => {
    const text = SDP.replace("t=0 0", "t=0 0\r\na=sluice-class:conversational\r\na=sluice-need:recv latency=100-200");
    expect(readQuality(text)).toEqual({
      audio: { sessionClass: "conversational", recv: { latency: { wanted: 100, worst: 200 } } },
      application: { sessionClass: "conversational", recv: { latency: { wanted: 100, worst: 200 } } },
    });
  });

  it("are passed over where they cannot be read", () => {
    const lines = ["a=sluice-need:both latency=1", "a=sluice-need:send latency=x;rate=1e9", "a=sluice-security:magic"];
    expect(readQuality(SDP.replace("a=mid:0", lines.join("\r\n")))).toEqual({});
    expect(readQuality("x".repeat(70_000))).toEqual({});
  });

  it("never make the reader throw", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300, unit: "binary-ascii" }), (text) => {
        readQuality(text);
        readQuality(SDP.replace("a=mid:0", `a=sluice-need:sendrecv ${text}`));
        mediaOf(text);
      }),
    );
  });

  it("are what the proxy's strict reader reads, whatever the sliders say", () => {
    const range = (most: number) =>
      fc.tuple(fc.integer({ min: 1, max: most }), fc.integer({ min: 1, max: most })).map(([one, other]) => ({
        wanted: Math.min(one, other),
        worst: Math.max(one, other),
      }));
    const needs = fc.record({
      latency: range(99_999),
      jitter: range(99_999),
      loss: range(10_000).map(({ wanted, worst }) => ({ wanted: wanted / 10_000, worst: worst / 10_000 })),
      rate: range(100_000).map(({ wanted, worst }) => ({ wanted: worst, worst: wanted })),
    });
    fc.assert(
      fc.property(needs, needs, (send, recv) => {
        const text = writeQuality(SDP, { application: { sessionClass: "game-fps", security: "dtls", send, recv } });
        const medium = readSdp(Buffer.from(text)).media[2];
        const inBits = ({ rate, ...rest }: typeof send) => ({
          ...rest,
          rate: { wanted: rate.wanted * 1000, worst: rate.worst * 1000 },
        });
        expect(medium).toMatchObject({
          sessionClass: { name: "game-fps" },
          requiredSecurity: "dtls",
          needs: { send: inBits(send), recv: inBits(recv) },
        });
      }),
    );
  });
});

describe("descriptions of Chromium", () => {
  it("are there", () => expect(CHROMIUM.length).toBeGreaterThan(2));

  it.each(CHROMIUM.map((sdp, index) => [index, sdp] as const))("take the lines and give them back (%i)", (_, sdp) => {
    const presets: SessionQuality = { ...presetOf("video", []), ...presetOf("game-fps", []) };
    const kinds = mediaOf(sdp);
    const quality = Object.fromEntries(Object.entries(presets).filter(([kind]) => kinds.includes(kind as "audio")));
    const written = writeQuality(sdp, quality);
    expect(readQuality(written)).toEqual(quality);
    expect(written.startsWith("v=0\r\n")).toBe(true);
    // The proxy still reads it, hidden addresses or not.
    expect(readSdp(Buffer.from(written)).media).toHaveLength(sdp.match(/^m=/gm)?.length ?? 0);
  });

  it("hide their addresses, or do not", () => {
    for (const sdp of CHROMIUM) {
      const lines = sdp.match(/^a=candidate:.*$/gm) ?? [];
      const isHidden = lines.length > 0 && lines.every((line) => line.includes(".local "));
      expect(hidesAddresses(sdp)).toBe(isHidden);
    }
    expect(hidesAddresses(SDP)).toBe(false);
  });

  it("name a bundled medium with port 0 as offered, a refused one not", () => {
    expect(mediaOf(SDP)).toEqual(["audio", "application"]);
    const bundled = SDP.replace("c=IN IP4 0.0.0.0", "c=IN IP4 0.0.0.0\r\na=bundle-only");
    expect(mediaOf(bundled)).toEqual(["audio", "video", "application"]);
  });
});

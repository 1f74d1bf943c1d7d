import { describe, expect, it } from "vitest";
import { DecodeError } from "../../../src/model/errors.js";
import { CALLEE, CALLER, flows, read, result, sdp } from "./descriptions.js";

const FINGERPRINT = `a=fingerprint:sha-256 ${Array(32).fill("A0").join(":")}`;
const KEY = "inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:4";
const crypto = (tag: number, ...parameters: string[]) =>
  `a=crypto:${[tag, "AES_CM_128_HMAC_SHA1_80", KEY, ...parameters].join(" ")}`;

const PLAIN = ["m=audio 4000 RTP/AVP 0"];
const SDES = ["m=audio 4000 RTP/SAVP 0", crypto(1)];
const DTLS = ["m=audio 4000 UDP/TLS/RTP/SAVPF 0", FINGERPRINT, "a=setup:actpass"];
const DATA = ["m=application 4000 UDP/DTLS/SCTP webrtc-datachannel", FINGERPRINT, "a=setup:actpass"];

const given = (offer: readonly string[], answer?: readonly string[]) =>
  flows(sdp(CALLER, ...offer), answer && sdp(CALLEE, ...answer))[0]?.security;

describe("security that descriptions give", () => {
  it.each<[string, string, readonly string[], readonly string[] | undefined]>([
    ["none", "encryption switched off by the answer", SDES, ["m=audio 4000 RTP/SAVP 0", crypto(1, "UNENCRYPTED_SRTP")]],
    ["none", "plain RTP", PLAIN, PLAIN],
    ["none", "plain RTP, offered", PLAIN, undefined],
    ["none", "plain RTP with a key that nobody may use there", [...PLAIN, crypto(1)], [...PLAIN, crypto(1)]],
    ["none", "a secure profile without keys", ["m=audio 4000 RTP/SAVP 0"], ["m=audio 4000 RTP/SAVP 0"]],
    ["srtp", "keys both ways", SDES, SDES],
    ["srtp", "keys offered", SDES, undefined],
    [
      "srtp",
      "one of several keys taken",
      ["m=audio 4000 RTP/SAVP 0", crypto(1), crypto(2)],
      ["m=audio 4000 RTP/SAVP 0", crypto(2)],
    ],
    ["none", "no key in the answer", SDES, ["m=audio 4000 RTP/SAVP 0"]],
    ["none", "a key that was not offered", SDES, ["m=audio 4000 RTP/SAVP 0", crypto(7)]],
    ["none", "encryption switched off", ["m=audio 4000 RTP/SAVP 0", crypto(1, "UNENCRYPTED_SRTP")], SDES],
    [
      "none",
      "the line without authentication taken",
      ["m=audio 4000 RTP/SAVP 0", crypto(1, "UNAUTHENTICATED_SRTP"), crypto(2)],
      SDES,
    ],
    [
      "srtp",
      "the other one taken",
      ["m=audio 4000 RTP/SAVP 0", crypto(1, "UNENCRYPTED_SRTP"), crypto(2, "KDR=1")],
      ["m=audio 4000 RTP/SAVP 0", crypto(2)],
    ],
    ["dtls", "DTLS-SRTP", DTLS, DTLS],
    ["dtls", "DTLS-SRTP, offered", DTLS, undefined],
    [
      "dtls",
      "DTLS-SRTP as written before RFC 5764",
      ["m=audio 4000 RTP/SAVPF 0", FINGERPRINT],
      ["m=audio 4000 RTP/SAVPF 0", FINGERPRINT],
    ],
    ["dtls", "a data channel", DATA, DATA],
    ["dtls", "a fingerprint of the whole session", [FINGERPRINT, "m=audio 4000 UDP/TLS/RTP/SAVP 0"], DTLS],
    ["none", "no fingerprint", ["m=audio 4000 UDP/TLS/RTP/SAVP 0"], DTLS],
    ["none", "no fingerprint in the answer", DTLS, ["m=audio 4000 UDP/TLS/RTP/SAVPF 0"]],
    [
      "none",
      "a broken hash",
      ["m=audio 4000 UDP/TLS/RTP/SAVP 0", `a=fingerprint:MD5 ${Array(16).fill("0b").join(":")}`],
      undefined,
    ],
    ["none", "no association yet", ["m=audio 4000 UDP/TLS/RTP/SAVP 0", FINGERPRINT, "a=setup:holdconn"], undefined],
    ["none", "a profile that has no keys over DTLS", ["m=audio 4000 UDP/TLS/RTP/AVP 0", FINGERPRINT], undefined],
    [
      "srtp",
      "both offered, keys taken",
      ["m=audio 4000 RTP/SAVPF 0", FINGERPRINT, crypto(1)],
      ["m=audio 4000 RTP/SAVPF 0", crypto(1)],
    ],
  ])("is %s: %s", (wanted, _, offer, answer) => {
    expect(given(offer, answer)).toBe(wanted);
  });
});

describe("security of media that share a 5-tuple", () => {
  it("is the lowest of them", () => {
    for (const lines of [
      [...PLAIN, ...DATA],
      [...DATA, ...PLAIN],
    ]) {
      const made = flows(sdp(CALLER, ...lines), sdp(CALLEE, ...lines)).filter(({ shared }) => shared !== undefined);
      expect(made.map(({ security }) => security)).toEqual(["none", "none"]);
    }
  });
});

describe("security that is required", () => {
  const LEVELS = ["none", "srtp", "dtls"] as const;
  const require = (lines: readonly string[], level: string) => [...lines, `a=sluice-security:${level}`];
  const outcome = (offer: readonly string[], answer?: readonly string[]) => {
    const made = result(sdp(CALLER, ...offer), answer && sdp(CALLEE, ...answer));
    return made.kind === "flows" ? "flows" : made.reason;
  };

  it.each(LEVELS.flatMap((given, is) => LEVELS.map((level, needed) => [given, level, is >= needed] as const)))(
    "%s given, %s required: %s",
    (has, level, isEnough) => {
      const lines = { none: PLAIN, srtp: SDES, dtls: DTLS }[has];
      const expected = isEnough ? "flows" : "insecure";
      expect(outcome(require(lines, level), lines)).toBe(expected);
      expect(outcome(lines, require(lines, level))).toBe(expected);
      expect(outcome(require(lines, level))).toBe(expected);
      expect(outcome([`a=sluice-security:${level}`, ...lines], lines)).toBe(expected);
    },
  );

  it("is each side's own: the higher counts, and a medium's own stands over its session's", () => {
    expect(outcome(require(SDES, "srtp"), require(SDES, "dtls"))).toBe("insecure");
    expect(outcome(require(SDES, "dtls"), require(SDES, "srtp"))).toBe("insecure");
    expect(outcome(["a=sluice-security:dtls", ...require(SDES, "srtp")], SDES)).toBe("flows");
  });

  it("says who requires what, what is given, and what to do", () => {
    const made = result(sdp(CALLER, ...SDES), sdp(CALLEE, ...require(SDES, "dtls")));
    expect(made).toMatchObject({
      text: "the answer requires dtls of medium 0 (audio), the two descriptions give srtp: both sides have to use a protocol over DTLS with a=fingerprint",
    });
  });
});

describe("attributes of security", () => {
  const medium = (...lines: string[]) => read(sdp(CALLER, ...PLAIN, ...lines)).media[0];
  const why = (line: string) => {
    try {
      medium(line);
    } catch (error) {
      if (error instanceof DecodeError) return error.message;
      throw error;
    }
    return "read";
  };

  it("are read without what is secret", () => {
    const read = medium(crypto(3, "KDR=1"), FINGERPRINT, "a=setup:passive");
    expect(read).toMatchObject({
      cryptos: [{ tag: 3, suite: "AES_CM_128_HMAC_SHA1_80", protects: true }],
      fingerprints: [{ hash: "sha-256", octets: 32 }],
      setup: "passive",
    });
    expect(JSON.stringify(read)).not.toContain("inline");
    expect(medium("a=crypto:1 F8_128_HMAC_SHA1_80 inline:a|b;inline:c")?.cryptos).toHaveLength(1);
    expect(medium("a=fingerprint:sha3-256 aa:BB")?.fingerprints).toEqual([{ hash: "sha3-256", octets: 2 }]);
  });

  it.each<[string, number]>([
    ["a=crypto:x AES inline:k", 10],
    ["a=crypto:1", 11],
    ["a=crypto:1 AES/CM inline:k", 12],
    ["a=crypto:1 AES_CM", 18],
    ["a=crypto:1 AES_CM SECRETKEY", 19],
    ["a=crypto:1 AES_CM inline:k;SECRETKEY", 19],
    ["a=fingerprint:sha-256", 15],
    ["a=fingerprint:sha-256 AA:BB", 23],
    ["a=fingerprint:sha-999 AA:B", 23],
    ["a=setup:both", 9],
    ["a=setup", 3],
  ])("%s is refused at column %i, and no key gets into the message", (line, column) => {
    expect(why(line)).toContain(`line 7 column ${column}: `);
    expect(why(line)).not.toContain("SECRETKEY");
  });
});

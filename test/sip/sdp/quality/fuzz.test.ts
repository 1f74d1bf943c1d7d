/** Descriptions with all that is read of quality, damaged at random: `npm run soak -- fuzz` takes a million of them. */
import { describe, expect, it } from "vitest";
import { DecodeError } from "../../../../src/model/errors.js";
import type { QualityNeed } from "../../../../src/model/quality.js";
import type { SessionDescription } from "../../../../src/sip/sdp/description.js";
import { flowsOf, type MediaFlow } from "../../../../src/sip/sdp/flows.js";
import { readSdp } from "../../../../src/sip/sdp/reader.js";
import { CALLER, sdp } from "../descriptions.js";

const RUNS = Number(process.env.SLUICE_SDP_FUZZ_RUNS ?? "") || 4_000;

const FINGERPRINT = `a=fingerprint:sha-1 ${Array(20).fill("7F").join(":")}`;
const SEEDS = [
  sdp(
    CALLER,
    "a=group:BUNDLE 0 1",
    "a=sluice-class:game-rts format=json",
    "a=sluice-need:sendrecv latency=90-120;jitter=20",
    "a=sluice-security:srtp",
    FINGERPRINT,
    "m=audio 4000 UDP/TLS/RTP/SAVPF 0 96",
    "b=AS:100",
    "a=mid:0",
    "a=rtpmap:96 opus/48000/2",
    "a=rtcp-mux",
    "a=rtcp:9 IN IP4 0.0.0.0",
    "a=sluice-need:send latency=40-80;loss=0.01-0.02;rate=96-64",
    "a=3gpp-qos-hint:loss=0.00002/local:0.000005;latency=600/local:400",
    "a=curr:qos local sendrecv",
    "a=des:qos mandatory remote sendrecv",
    "a=conf:qos remote recv",
    "a=qos-mech-send: rsvp nsis",
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    "c=IN IP4 0.0.0.0",
    "a=candidate:1 1 udp 2113937151 5f51bb09.local 57765 typ host",
    "a=ice-ufrag:qNUn",
    "a=mid:1",
    "a=bundle-only",
    "a=setup:actpass",
    "a=sluice-class:game-fps",
  ),
  sdp(
    "2001:db8::7",
    "m=audio 4000/2 RTP/SAVP 0",
    "b=TIAS:64000",
    "a=maxprate:50",
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:QUJD|2^20 KDR=1",
    "a=sluice-need:recv rate=200-64;jitter=5",
    "a=sendonly",
    "m=video 4000 UDP 96",
    "a=sluice-need:sendrecv rate=2000-500",
  ),
];
const SCRAPS = [
  "0",
  "9",
  "-",
  ".",
  ";",
  "=",
  ":",
  "/",
  " ",
  "\r\n",
  "\n",
  "\0",
  "e",
  "send",
  "latency=",
  "a=sluice-need:",
  "99999",
  "ÿ",
];

/** Mulberry32: the same numbers for the same seed, so that a failure can be had again. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

function damaged(text: string, next: (below: number) => number): string {
  let result = text;
  for (let change = next(5); change > 0; change--) {
    const at = next(result.length + 1);
    const scrap = SCRAPS[next(SCRAPS.length)] ?? "";
    switch (next(4)) {
      case 0:
        result = result.slice(0, at) + scrap + result.slice(at);
        break;
      case 1:
        result = result.slice(0, at) + scrap + result.slice(at + scrap.length);
        break;
      case 2:
        result = result.slice(0, at) + result.slice(at + 1 + next(12));
        break;
      default: {
        const lines = result.split("\r\n");
        const [from, to] = [next(lines.length), next(lines.length)];
        lines.splice(to, next(2), lines[from] ?? "");
        result = lines.join("\r\n");
      }
    }
  }
  return result;
}

function readOrRefuse(text: string): SessionDescription | undefined {
  try {
    return readSdp(Buffer.from(text, "latin1"));
  } catch (error) {
    if (error instanceof DecodeError && /^SDP line \d+ column \d+: /.test(error.message)) return undefined;
    throw error;
  }
}

const isOrdered = ({ latency, jitter, loss, rate }: QualityNeed): boolean =>
  [latency, jitter, loss].every((range) => range === undefined || range.wanted <= range.worst) &&
  (rate === undefined || rate.wanted >= rate.worst);

/** What holds of any flow, whatever was written. */
function isSound({ need, least, traffic, security }: MediaFlow): boolean {
  const isNeedSound = need === undefined || (isOrdered(need) && Object.keys(need).length > 0);
  return isNeedSound && (least === undefined || least.rate < traffic.rate) && security !== undefined;
}

/** @returns what was made of it, to see that the damage leaves some of each */
function attempt(seed: number): string {
  const next = numbers(seed);
  const text = SEEDS[next(SEEDS.length)] ?? "";
  const offer = readOrRefuse(damaged(text, next));
  const answer = readOrRefuse(damaged(text, next));
  if (offer === undefined) return "unreadable";
  const made = flowsOf(offer, answer, { symmetric: next(2) === 0 });
  if (made.kind === "unusable") return made.text.length > 0 ? made.reason : "no reason";
  return made.flows.every(isSound) ? "flows" : "unsound";
}

describe("damaged descriptions", () => {
  it("are refused with their place, or are sound flows, or have a reason that they are none", () => {
    const outcomes = new Map<string, number>();
    for (let seed = 0; seed < RUNS; seed++) {
      let outcome: string;
      try {
        outcome = attempt(seed);
      } catch (cause) {
        throw new Error(`seed ${seed}`, { cause });
      }
      if (outcome === "unsound" || outcome === "no reason") throw new Error(`seed ${seed}: ${outcome}`);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
    for (const outcome of ["unreadable", "flows", "outOfRange", "insecure", "answerMismatch"]) {
      expect(outcomes.get(outcome), outcome).toBeGreaterThan(0);
    }
  });
});

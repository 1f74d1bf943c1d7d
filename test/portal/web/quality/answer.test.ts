import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { QualityNeed } from "../../../../src/model/quality.js";
import { answerQuality, answerTo, compareAnswer } from "../../../../src/portal/web/quality/answer.js";
import { bothWays, type Needs } from "../../../../src/portal/web/quality/needs.js";
import { readQuality, writeQuality } from "../../../../src/portal/web/quality/sdp-quality.js";
import { agreeNeed } from "../../../../src/sip/sdp/quality/agreement.js";

const OFFER: Needs = {
  latency: { wanted: 40, worst: 80 },
  loss: { wanted: 0.005, worst: 0.02 },
  rate: { wanted: 160, worst: 80 },
};
const offered = bothWays(OFFER, { sessionClass: "game-fps", security: "dtls" });

describe("an answer", () => {
  it("keeps what is not changed, with the directions turned", () => {
    const oneWay = { sessionClass: "streaming", send: OFFER };
    expect(answerTo(oneWay, {})).toEqual({ sessionClass: "streaming", recv: OFFER });
    expect(compareAnswer(oneWay, answerTo(oneWay, {}))).toBe("kept");
  });

  it("is loosened, tightened or declined", () => {
    expect(compareAnswer(offered, answerTo(offered, { latency: 60 }))).toBe("loosened");
    expect(compareAnswer(offered, answerTo(offered, { rate: 200 }))).toBe("tightened");
    expect(compareAnswer(offered, answerTo(offered, { rate: 200, latency: 60 }))).toBe("loosened");
    expect(answerQuality({ application: offered }, { kind: "decline" })).toEqual({});
    expect(compareAnswer(offered, undefined)).toBe("declined");
  });

  it("goes no further than the worst that was offered", () => {
    const { send } = answerTo(offered, { latency: 500, rate: 8, loss: 1 });
    expect(send).toEqual({
      latency: { wanted: 80, worst: 80 },
      loss: { wanted: 0.02, worst: 0.02 },
      rate: { wanted: 80, worst: 80 },
    });
  });

  it("is never outside the range by the policy server's own rule, through the very lines that are sent", () => {
    const value = (most: number) => fc.integer({ min: 1, max: most });
    const offers = fc
      .record({ one: value(400), other: value(400), loss: value(1000), rates: fc.tuple(value(4000), value(4000)) })
      .map(
        ({ one, other, loss, rates }): Needs => ({
          latency: { wanted: Math.min(one, other), worst: Math.max(one, other) },
          jitter: { wanted: Math.min(one, other), worst: Math.max(one, other) },
          loss: { wanted: loss / 20_000, worst: loss / 10_000 },
          rate: { wanted: Math.max(...rates), worst: Math.min(...rates) },
        }),
      );
    const numbers = fc.oneof(fc.double({ noNaN: false }), value(5000));
    const choices = fc.record(
      { latency: numbers, jitter: numbers, loss: numbers, rate: numbers },
      { requiredKeys: [] },
    );
    const sdp = "v=0\r\ns=-\r\nm=application 4000 UDP/DTLS/SCTP webrtc-datachannel\r\n";
    fc.assert(
      fc.property(offers, choices, (needs, choice) => {
        const medium = bothWays(needs, { sessionClass: "game-fps" });
        const answer = readQuality(writeQuality(sdp, { application: answerTo(medium, choice) })).application;
        const agreed = agreeNeed(needs as QualityNeed, answer?.send as QualityNeed);
        expect(agreed.kind).toBe("agreed");
        expect(answer?.sessionClass).toBe("game-fps");
      }),
    );
  });
});

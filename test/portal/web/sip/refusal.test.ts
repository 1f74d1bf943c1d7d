import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { explainEnd, explainRefusal, parseReason, warningText } from "../../../../src/portal/web/sip/refusal.js";

const refused = (status: number, more: { warnings?: string[]; reasons?: string[]; retryAfter?: number } = {}) =>
  explainRefusal({ status, phrase: "Phrase", warnings: [], reasons: [], ...more });

describe("a refusal", () => {
  it("says what happened, what the server said, and what helps", () => {
    const warnings = ['399 pol1.a.example "the path gives 95 ms, \\"80 ms\\" are needed"'];
    expect(refused(580, { warnings })).toEqual({
      title: "The network cannot give this session what it needs.",
      detail: 'the path gives 95 ms, "80 ms" are needed',
      advice: "Accept a wider range, or play without a reservation.",
    });
    expect(refused(503, { retryAfter: 30 }).advice).toBe("Try again later. Try again in 30 s.");
    expect(refused(499).title).toBe("The session was refused: 499 Phrase.");
  });

  it.each([503, 580])("tells want of room from other reasons of a %i by the warn-code", (status) => {
    const warnings = ['370 pol1.a.example "pool game is full"'];
    expect(refused(status, { warnings })).toEqual({
      title: "There is no room for this session now.",
      detail: "pool game is full",
      advice: "Ask for less, accept a wider range, or try again later.",
    });
    expect(refused(status, { warnings: ['399 pol1.a.example "370 is full"'] }).title).not.toMatch(/room/);
  });

  it("says the same text once", () => {
    const told = refused(488, { warnings: ['399 a "no"'], reasons: ['SIP;cause=488;text="no"'] });
    expect(told.detail).toBe("no");
  });
});

describe("an end", () => {
  it("is explained by its Reason", () => {
    expect(explainEnd(['SIP;cause=580;text="pool games is full"'], "over")).toMatchObject({
      title: "The network cannot give this session what it needs.",
      detail: "pool games is full",
    });
    expect(explainEnd(["Q.850;cause=16;text=bye"], "over").title).toBe("over");
    expect(explainEnd(['SIP;cause=200;text="Call completed elsewhere"'], "over")).toMatchObject({ title: "over" });
    expect(explainEnd([], "over")).toEqual({ title: "over", detail: "", advice: "" });
  });

  it("reads parameters in any order", () => {
    const expected = { protocol: "SIP", cause: 480, text: "a;b" };
    expect(parseReason('SIP ;text="a;b" ; cause=480')).toEqual(expected);
    expect(parseReason('SIP;cause=480;text="a;b"')).toEqual(expected);
  });

  it("reads hostile text in no time", () => {
    const text = fc.string({ unit: "binary-ascii", maxLength: 2000 });
    fc.assert(
      fc.property(text, (value) => {
        parseReason(value);
        warningText(value);
      }),
    );
    const start = performance.now();
    warningText(`399 a "${"\\".repeat(100_000)}`);
    parseReason(`SIP;text="${'\\"'.repeat(100_000)}`);
    expect(performance.now() - start).toBeLessThan(200);
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { QualityNeed } from "../../../../src/model/quality.js";
import { agreeNeed, hintNeed, NEED_PARAMETERS, strictest } from "../../../../src/sip/sdp/quality/agreement.js";

/** What is better of each, written once more: the test does not ask the code that it tests. */
const isBetter = (parameter: string, left: number, right: number): boolean =>
  parameter === "rate" ? left > right : left < right;

/** Few values, so that equal ones are frequent. */
const range = (parameter: string) =>
  fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 })).map(([one, other]) => {
    const [better, worse] = isBetter(parameter, one, other) ? [one, other] : [other, one];
    return { wanted: better, worst: worse };
  });

const need: fc.Arbitrary<QualityNeed> = fc
  .record(Object.fromEntries(NEED_PARAMETERS.map((name) => [name, range(name)])), { requiredKeys: [] })
  .map((record) => record as QualityNeed);

describe("agreeNeed", () => {
  it("agrees on the answer's values, none of them worse than the offer accepts, or says which is", () => {
    fc.assert(
      fc.property(need, need, (offered, answered) => {
        const agreement = agreeNeed(offered, answered);
        const worse = NEED_PARAMETERS.filter((name) => {
          const [before, after] = [offered[name], answered[name]];
          return before !== undefined && after !== undefined && isBetter(name, before.worst, after.worst);
        });
        if (agreement.kind === "outOfRange") {
          expect(agreement.parameter).toBe(worse[0]);
          return;
        }
        expect(worse).toEqual([]);
        expect(agreement.need ?? {}).toEqual(answered);
        for (const name of NEED_PARAMETERS) {
          const [bound, agreed] = [offered[name], agreement.need?.[name]];
          if (bound === undefined || agreed === undefined) continue;
          expect(isBetter(name, bound.worst, agreed.worst)).toBe(false);
          expect(isBetter(name, bound.worst, agreed.wanted)).toBe(false);
        }
      }),
    );
  });

  it("calls nothing tightened that is looser in any way, and nothing loosened that is wanted as before", () => {
    fc.assert(
      fc.property(need, need, (offered, answered) => {
        const agreement = agreeNeed(offered, answered);
        if (agreement.kind === "outOfRange") return;
        for (const name of NEED_PARAMETERS) {
          const [before, after, change] = [offered[name], answered[name], agreement.changes[name]];
          if (before === undefined || after === undefined) {
            expect(change).toBe(after === undefined ? (before === undefined ? undefined : "declined") : "added");
            continue;
          }
          const isLooser = isBetter(name, before.wanted, after.wanted) || isBetter(name, before.worst, after.worst);
          const isSame = before.wanted === after.wanted && before.worst === after.worst;
          expect(change).toBe(isLooser ? "loosened" : isSame ? "kept" : "tightened");
        }
      }),
    );
  });

  it("keeps what is repeated, and nothing of what is not answered", () => {
    fc.assert(
      fc.property(need, (offered) => {
        expect(agreeNeed(offered, offered)).toMatchObject({ kind: "agreed" });
        expect(agreeNeed(offered, undefined)).toMatchObject({ kind: "agreed", need: undefined });
      }),
    );
  });
});

describe("strictest", () => {
  it("is at least as strict as both, in whatever order, and adds nothing of its own", () => {
    fc.assert(
      fc.property(need, need, (left, right) => {
        const both = strictest(left, right);
        expect(both).toEqual(strictest(right, left));
        for (const name of NEED_PARAMETERS) {
          const sources = [left[name], right[name]].filter((source) => source !== undefined);
          const made = both?.[name];
          expect(made === undefined).toBe(sources.length === 0);
          if (made === undefined) continue;
          expect(isBetter(name, made.worst, made.wanted)).toBe(false);
          expect(sources.map(({ wanted }) => wanted)).toContain(made.wanted);
          expect(sources.map(({ worst }) => worst)).toContain(made.worst);
          for (const source of sources) {
            expect(isBetter(name, source.wanted, made.wanted)).toBe(false);
            expect(isBetter(name, source.worst, made.worst)).toBe(false);
          }
        }
      }),
    );
  });
});

describe("hintNeed", () => {
  it("asks for the whole, from end to end", () => {
    expect(hintNeed(undefined)).toEqual({});
    expect(hintNeed({ loss: { whole: 0.00002, local: 0.000005 } })).toEqual({
      loss: { wanted: 0.00002, worst: 0.00002 },
    });
  });
});

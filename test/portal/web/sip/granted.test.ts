import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { describeGrant, leastRate, parseGranted } from "../../../../src/portal/web/sip/granted.js";

const ONE =
  "0;class=game-fps;phb=EF;result=granted;to-caller=160;to-callee=160;latency=2.5;jitter=0.4;loss=0.001;by=pol2";
const OTHER = "0;class=game-fps;phb=AF41;result=reduced;to-caller=120;to-callee=100;by=pol1";
const NONE = "1;phb=BE;result=bestEffort;to-caller=0;to-callee=0;by=pol1";

describe("Sluice-Granted", () => {
  it("is read from one header or several", () => {
    const grants = parseGranted([`${ONE}, ${OTHER}`, NONE]);
    expect(grants).toEqual(parseGranted([ONE, OTHER, NONE]));
    expect(grants[0]).toEqual({
      index: 0,
      sessionClass: "game-fps",
      phb: "EF",
      result: "granted",
      toCaller: 160,
      toCallee: 160,
      latency: 2.5,
      jitter: 0.4,
      loss: 0.001,
      by: "pol2",
    });
    expect(grants).toHaveLength(3);
    expect(parseGranted([ONE, OTHER, `${ONE}, ${NONE}`])).toHaveLength(3);
  });

  it("gives the least that all policy servers granted; best effort is no grant", () => {
    const grants = parseGranted([ONE, OTHER, NONE]);
    expect(leastRate(grants, 0, "caller")).toBe(120);
    expect(leastRate(grants, 0, "callee")).toBe(100);
    expect(leastRate(grants, 1, "callee")).toBeUndefined();
  });

  it("is passed over where it cannot be read", () => {
    const wrong = [
      "",
      "x;result=granted",
      "0;result=all;to-caller=1;to-callee=1",
      "0;result=granted;to-caller=-1;to-callee=1",
    ];
    expect(parseGranted(wrong)).toEqual([]);
    fc.assert(fc.property(fc.array(fc.string({ unit: "binary-ascii" })), (headers) => void parseGranted(headers)));
    expect(parseGranted(Array.from({ length: 1000 }, () => NONE)).length).toBeLessThanOrEqual(64);
  });

  it("is told in a sentence", () => {
    const [one, other, none] = parseGranted([ONE, OTHER, NONE]).map(describeGrant);
    expect(one).toBe("pol2 reserved 160 kbit/s each way for game-fps as EF: as wanted.");
    expect(other).toContain("reserved 100 and 120 kbit/s for game-fps as AF41: reduced");
    expect(none).toBe("pol1 serves the medium as best effort: nothing is reserved.");
  });
});

import { describe, expect, it } from "vitest";
import { decodeDirectives, encodeDirectives } from "../../../src/cops/sip/directives.js";
import type { MediaGrant } from "../../../src/model/quality.js";
import { kilobitsPerSecond, millis } from "../../../src/model/units.js";
import { answerDirectives, grantedHeaders } from "../../../src/pdp/negotiation/granted-header.js";

const grants: readonly MediaGrant[] = [
  {
    index: 0,
    sessionClass: "game-fps",
    phb: "VA",
    result: "reduced",
    toCaller: kilobitsPerSecond(64.8),
    toCallee: kilobitsPerSecond(96),
    measured: { latency: millis(12.34567), jitter: millis(2), loss: 0.0000123 },
  },
  { index: 2, phb: "BE", result: "bestEffort", toCaller: kilobitsPerSecond(0), toCallee: kilobitsPerSecond(0) },
];
const VALUE =
  "0;class=game-fps;phb=VA;result=reduced;to-caller=64;to-callee=96;latency=12.346;jitter=2;loss=0.000012;by=pol1.a.example, " +
  "2;phb=BE;result=bestEffort;to-caller=0;to-callee=0;by=pol1.a.example";
const directives = { addHeaders: [], removeHeaders: [] };

describe("what agents are told", () => {
  it("is a value for each medium, in whole kbit/s that are never more than there is", () => {
    expect(grantedHeaders({ grants }, "pol1.a.example")).toEqual([{ name: "Sluice-Granted", value: VALUE }]);
  });

  it("is nothing where nobody asked", () => {
    expect(grantedHeaders({}, "x")).toEqual([]);
    expect(answerDirectives({ grants: [], directives }, "x")).toEqual({ addHeaders: [] });
  });

  it("goes on the 2xx and its ACK, and survives the way to the proxy", () => {
    const told = answerDirectives({ grants, directives }, "pol1.a.example");
    expect(told.ackHeaders).toEqual(told.addHeaders);
    expect(decodeDirectives(encodeDirectives({ removeHeaders: [], ...told }))).toEqual({ removeHeaders: [], ...told });
  });

  it("leaves the ACK to the agents where the proxies leave the dialog", () => {
    const told = answerDirectives({ grants, directives: { ...directives, direct: true } }, "pol1.a.example");
    expect(told.addHeaders).toHaveLength(1);
    expect(told.ackHeaders).toBeUndefined();
  });
});

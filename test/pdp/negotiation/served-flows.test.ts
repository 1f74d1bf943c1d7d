import { describe, expect, it } from "vitest";
import { kilobitsPerSecond, octets } from "../../../src/model/units.js";
import type { AskedFlow, FlowAsk } from "../../../src/pdp/negotiation/flow-ask.js";
import { asksQuality, isDirect, namedClasses, serveFlows } from "../../../src/pdp/negotiation/served-flows.js";
import type { SessionClass } from "../../../src/pdp/negotiation/session-class.js";

const traffic = (rate: number) => ({ rate: kilobitsPerSecond(rate), burst: octets(2000), packetsPerSecond: 50 });
const flow = (index: number, ask: Partial<FlowAsk> = {}, rate = 100): AskedFlow => ({
  direction: "up",
  traffic: traffic(rate),
  ask: { index, ...ask },
});
const own = { name: "voice", pool: "voice" };
const sessionClasses: readonly SessionClass[] = [
  { name: "fps", class: "game", ack: "direct", security: "dtls", maxRate: kilobitsPerSecond(200) },
  { name: "talk", class: "voice", ack: "routed" },
  { name: "lost", class: "nowhere", ack: "routed" },
];
const book = {
  classes: new Map([own, { name: "game", pool: "game" }].map((each) => [each.name, each])),
  sessionClasses: new Map(sessionClasses.map((each) => [each.name, each])),
};
const serve = (flows: readonly AskedFlow[]) => serveFlows(book, own, flows);
const flowsServed = (flows: readonly AskedFlow[]) => {
  const served = serve(flows);
  return served.admitted ? served.flows : [];
};

describe("the class of each flow", () => {
  it("is what its medium names, RTCP beside it included, and else that of the rule", () => {
    const flows = [
      flow(0),
      flow(1, { sessionClass: "fps" }),
      flow(1, { isControl: true }),
      flow(2, { sessionClass: "talk" }),
    ];
    expect(flowsServed(flows).map(({ class: { name } }) => name)).toEqual(["voice", "game", "game", "voice"]);
    expect(namedClasses(flows)).toEqual([undefined, "fps", "talk"]);
    expect(namedClasses([])).toEqual([undefined]);
    expect([asksQuality(flows), asksQuality([flow(0)])]).toEqual([true, false]);
  });

  it.each([["unheard-of"], ["lost"]])("is refused where %s stands for nothing", (sessionClass) => {
    expect(serve([flow(0, { sessionClass })])).toMatchObject({ admitted: false, reason: "mediaUnacceptable" });
  });

  it.each([
    ["none", "insecure"],
    ["srtp", "insecure"],
    ["dtls", undefined],
  ] as const)("needs the security that it requires: with %s", (security, reason) => {
    const served = serve([flow(0, { sessionClass: "fps", security })]);
    expect(served.admitted ? undefined : served.reason).toBe(reason);
    expect(serve([flow(0, { sessionClass: "talk", security })]).admitted).toBe(true);
  });

  it("gives no more than its highest rate, and refuses who needs more", () => {
    const asked = (rate: number, least?: number) =>
      flow(0, { sessionClass: "fps", ...(least === undefined ? {} : { least: traffic(least) }) }, rate);
    expect(flowsServed([asked(400, 100)])[0]).toMatchObject({ least: { rate: 100_000 }, most: { rate: 200_000 } });
    expect(flowsServed([asked(150, 100)])[0]).toMatchObject({ most: { rate: 150_000 } });
    expect(serve([asked(400, 300)])).toMatchObject({
      reason: "mediaUnacceptable",
      text: "a medium needs 300 kbit/s, session class fps allows 200 kbit/s",
    });
    expect(serve([asked(400)]).admitted).toBe(false);
  });

  it("lets the proxies leave only where every medium says so", () => {
    const [fps, talk] = [flow(0, { sessionClass: "fps" }), flow(1, { sessionClass: "talk" })];
    expect([isDirect(flowsServed([fps])), isDirect(flowsServed([fps, talk]))]).toEqual([true, false]);
    expect([isDirect(flowsServed([fps, flow(2)])), isDirect([])]).toEqual([false, false]);
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CALLEE, CALLER, flows, sdp } from "../descriptions.js";

const MEDIA = {
  data: ["UDP x"],
  audio: ["RTP/AVP 0"],
  video: ["RTP/AVP 96", "a=rtpmap:96 H264/90000"],
} as const;

const lines = (kind: keyof typeof MEDIA, port: number, ...more: readonly string[]): readonly string[] => {
  const [format, ...attributes] = MEDIA[kind];
  return [`m=${kind === "data" ? "application" : kind} ${port} ${format}`, ...attributes, ...more];
};

describe("what is reserved for a rate that is needed", () => {
  const bandwidth = fc.oneof(
    fc.constant([]),
    fc.integer({ min: 1, max: 5000 }).map((rate) => [`b=AS:${rate}`]),
    fc
      .tuple(fc.integer({ min: 1000, max: 5_000_000 }), fc.integer({ min: 1, max: 400 }))
      .map(([rate, packets]) => [`b=TIAS:${rate}`, `a=maxprate:${packets}`]),
  );
  const rates = fc
    .tuple(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 5000 }))
    .map(([one, other]) => ({ wanted: Math.max(one, other), worst: Math.min(one, other) }));

  it("is the smaller of it and b=; the least is neither more nor below the worst without b= saying so", () => {
    fc.assert(
      fc.property(fc.constantFrom("data", "audio", "video"), bandwidth, rates, (kind, bound, { wanted, worst }) => {
        const media = (port: number, ...more: string[]) => lines(kind, port, ...bound, ...more);
        const need = `a=sluice-need:sendrecv rate=${wanted}-${worst}`;
        const [without] = flows(sdp(CALLER, ...media(4000)), sdp(CALLEE, ...media(6000)));
        const [flow] = flows(sdp(CALLER, ...media(4000, need)), sdp(CALLEE, ...media(6000, need)));
        const most = bound.length === 0 ? Number.POSITIVE_INFINITY : without!.traffic.rate;
        expect(flow!.traffic.rate).toBe(Math.min(wanted * 1000, most));
        expect(flow!.least?.rate ?? flow!.traffic.rate).toBe(Math.min(worst * 1000, most));
        expect(flow!.least === undefined || flow!.least.rate < flow!.traffic.rate).toBe(true);
        expect(flow!.need?.rate).toEqual({
          wanted: flow!.traffic.rate,
          worst: flow!.least?.rate ?? flow!.traffic.rate,
        });
        expect(flow!.traffic.packetsPerSecond).toBeGreaterThan(0);
      }),
    );
  });

  it("takes the packets of the codec, or of maxprate, or of large packets", () => {
    const packets = (kind: keyof typeof MEDIA, ...more: string[]) => {
      const [flow] = flows(sdp(CALLER, ...lines(kind, 4000, "a=sluice-need:recv rate=960-480", ...more)));
      return [flow?.traffic.packetsPerSecond, flow?.least?.packetsPerSecond];
    };
    expect(packets("audio")).toEqual([50, 50]);
    expect(packets("data")).toEqual([100, 50]);
    expect(packets("data", "a=maxprate:60")).toEqual([60, 60]);
  });

  it("leaves RTCP what the reserved rate gives it", () => {
    const made = flows(sdp(CALLER, ...lines("audio", 4000, "a=sluice-need:sendrecv rate=200-100")));
    expect(made.map(({ component, traffic, need }) => [component, traffic.rate, need?.rate?.worst])).toEqual([
      ["rtp", 200_000, 100_000],
      ["rtcp", 10_000, undefined],
      ["rtp", 200_000, 100_000],
      ["rtcp", 10_000, undefined],
    ]);
  });
});

import { describe, expect, it } from "vitest";
import { CALLEE, CALLER, description, flows, type Lines, quality, result } from "../descriptions.js";

const CLASS = "a=sluice-class:game-fps";
const needs = (text: string) => `a=sluice-need:sendrecv ${text}`;

describe("several media", () => {
  const audio = (port: number, ...lines: Lines) => [
    `m=audio ${port} RTP/AVP 0`,
    "a=sluice-class:conversational",
    ...lines,
  ];
  const game = (port: number, ...lines: Lines) => [`m=application ${port} UDP x`, CLASS, ...lines];
  const video = (port: number) => [`m=video ${port} RTP/AVP 96`, "a=rtpmap:96 VP8/90000", "b=AS:800"];

  it("have classes and needs of their own, and RTCP the class of its medium without a need", () => {
    const lines = (port: number) => [
      `S ${needs("latency=150")}`,
      ...audio(port),
      ...game(port + 2, needs("latency=40;rate=100-50")),
      ...video(port + 4),
    ];
    const made = flows(description(CALLER, lines(4000)), description(CALLEE, lines(6000)));
    expect(
      made.filter(({ toward }) => toward === "callee").map((flow) => `${flow.component} ${quality(flow)}`),
    ).toEqual([
      "rtp callee conversational latency=150 80",
      "rtcp callee conversational - 4",
      "data callee game-fps latency=40;rate=100-50 100/50",
      "rtp callee - latency=150 800",
      "rtcp callee - - 40",
    ]);
  });

  it("that are refused bind nobody, whatever stands beside their port 0", () => {
    const offer = description(CALLER, [...audio(4000), ...game(4002, needs("latency=40"), "a=sluice-security:none")]);
    const answer = description(CALLEE, [...audio(6000), ...game(0, needs("latency=400"), "a=sluice-security:dtls")]);
    expect(flows(offer, answer).map(({ media }) => media)).toEqual(["audio", "audio", "audio", "audio"]);
  });

  it("share one 5-tuple by their ports: traffic adds up, the strictest need and the first class hold", () => {
    const lines = (port: number) => [
      `m=video ${port} UDP x`,
      needs("latency=100-200;rate=300-100"),
      ...game(port, needs("latency=40-300;jitter=5")),
    ];
    const [first, ...others] = flows(description(CALLER, lines(4000)), description(CALLEE, lines(6000)));
    expect(quality(first!)).toBe(`caller game-fps latency=40-200;jitter=5;rate=1323.52-1123.52 1323.52/1123.52`);
    expect([first?.index, first?.shared, others.length]).toEqual([0, [1], 1]);
  });

  it("share one 5-tuple with two classes: the first is served", () => {
    const lines = (port: number) => [...game(port), ...audio(port, "a=rtcp-mux")];
    const made = flows(description(CALLER, lines(4000)), description(CALLEE, lines(6000)));
    expect(made.map(({ sessionClass, shared }) => [sessionClass, shared])).toEqual([
      ["game-fps", [1]],
      ["game-fps", [1]],
    ]);
  });

  it("of which several ports belong to one have its need at each", () => {
    const lines = (port: number) => [`m=video ${port}/2 RTP/AVP 96`, needs("rate=500-300")];
    const made = flows(description(CALLER, lines(4000)), description(CALLEE, lines(6000)));
    const media = made.filter(({ component, toward }) => component === "rtp" && toward === "caller");
    expect(media.map((flow) => `${flow.key?.destination.port} ${quality(flow)}`)).toEqual([
      "4000 caller - rate=500-300 500/300",
      "4002 caller - rate=500-300 500/300",
    ]);
  });

  it("multiplex RTCP, whose share both rates carry", () => {
    const lines = (port: number) => [
      `m=audio ${port} RTP/AVP 0`,
      "a=rtcp-mux",
      "b=RS:1000",
      "b=RR:3000",
      needs("rate=100-64"),
    ];
    const made = flows(description(CALLER, lines(4000)), description(CALLEE, lines(6000)));
    expect(made.map(quality)).toEqual(["caller - rate=100-64 104/68", "callee - rate=100-64 104/68"]);
  });

  it("that are not datagrams are no flows, and still have to keep what is required", () => {
    const offer = description(CALLER, ["m=message 9 TCP/MSRP *", "a=sluice-security:dtls"]);
    expect(result(offer)).toMatchObject({ kind: "unusable", reason: "insecure" });
    expect(flows(offer.replace("dtls", "none"))).toEqual([]);
  });
});

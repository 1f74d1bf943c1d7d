import { describe, expect, it } from "vitest";
import type { SessionFlow } from "../../src/model/flow.js";
import { bitsPerSecond, octets } from "../../src/model/units.js";
import { compareFlows } from "../../src/pdp/session-flows.js";

const flow = (port: number): SessionFlow => ({
  key: { protocol: "udp", source: { address: "10.1.0.1", port }, destination: { address: "10.3.0.1", port } },
  component: "rtp",
  direction: "up",
  traffic: { rate: bitsPerSecond(80_000), burst: octets(2000), packetsPerSecond: 50 },
});

describe("flows of another answer", () => {
  it("keep their numbers where flow, class and pool are the same, and come under new ones where not", () => {
    let last = 10;
    const have = [
      { instance: 1, flow: flow(1), pool: "p" },
      { instance: 2, flow: flow(2) },
      { instance: 3, flow: flow(3), pool: "p" },
      { instance: 4, flow: flow(4), pool: "p" },
      { instance: 5, flow: flow(6), pool: "p", class: "game" },
      { instance: 6, flow: flow(7), pool: "p", class: "game" },
    ];
    const want = [
      { flow: flow(1), class: "voice", pool: "p" },
      { flow: flow(2), class: "voice", pool: "own" },
      { flow: flow(3), class: "voice", pool: "q" },
      { flow: flow(5), class: "voice", pool: "p" },
      { flow: flow(6), class: "game", pool: "p" },
      { flow: flow(7), class: "voice", pool: "p" },
    ];
    const own = { name: "voice", pool: "own" };
    expect(compareFlows(have, want, { own, nextInstance: () => ++last })).toEqual({
      keep: [have[0], have[1], have[4]],
      remove: [have[2], have[3], have[5]],
      install: [
        { instance: 11, flow: flow(3), class: "voice", pool: "q" },
        { instance: 12, flow: flow(5), class: "voice", pool: "p" },
        { instance: 13, flow: flow(7), class: "voice", pool: "p" },
      ],
    });
  });
});

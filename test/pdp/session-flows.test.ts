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
  it("keep their numbers where flow and pool are the same, and come under new ones where not", () => {
    let last = 10;
    const have = [
      { instance: 1, flow: flow(1), pool: "p" },
      { instance: 2, flow: flow(2) },
      { instance: 3, flow: flow(3), pool: "p" },
      { instance: 4, flow: flow(4), pool: "p" },
    ];
    const want = [
      { flow: flow(1), pool: "p" },
      { flow: flow(2), pool: "own" },
      { flow: flow(3), pool: "q" },
      { flow: flow(5), pool: "p" },
    ];
    expect(compareFlows(have, want, { ownPool: "own", nextInstance: () => ++last })).toEqual({
      keep: have.slice(0, 2),
      remove: have.slice(2),
      install: [
        { instance: 11, flow: flow(3), pool: "q" },
        { instance: 12, flow: flow(5), pool: "p" },
      ],
    });
  });
});

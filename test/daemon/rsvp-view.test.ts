import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { RsvpConfig } from "../../src/config/rsvp.js";
import { rsvpProblems, rsvpView } from "../../src/daemon/rsvp-view.js";
import { bitsPerSecond, millis } from "../../src/model/units.js";
import { EDGE, REFRESH, ThreeNodes, wanted } from "../pep/router/rsvp/three-nodes.js";

const config = (...names: readonly string[]): RsvpConfig => ({
  transport: "auto",
  refresh: millis(REFRESH),
  interfaces: names.map((name) => ({ name, room: bitsPerSecond(500_000) })),
  keys: [],
  ceiling: bitsPerSecond(1e9),
  aggregates: [],
});

let net: ThreeNodes;
beforeEach(() => {
  net = new ThreeNodes();
});
afterEach(() => net.close());

describe("what a router tells of its reservations", () => {
  it("is the part that each plays in a session, with its neighbours", async () => {
    const [r1, t, r2] = [await net.start("r1"), await net.start("t", 500_000), await net.start("r2")];
    r1.speaker.set([wanted(400_000)]);
    await net.clock.pass(500);
    const session = { sender: EDGE.r1, destination: EDGE.r2, dscp: 46, wanted: 400_000, granted: 400_000 };
    expect(rsvpView(r1.speaker, config("core"))).toMatchObject({
      transport: "memory",
      interfaces: [{ name: "core", up: true, reserved: 400_000 }],
      sessions: [{ ...session, role: "aggregator", pool: 7, nextHop: "10.2.1.2", interface: "core" }],
      neighbours: [{ address: "10.2.1.2", interface: "core", sessions: 1 }],
    });
    expect(rsvpView(t.speaker, config("r1", "r2"))).toMatchObject({
      interfaces: [
        { name: "r1", up: true, room: 500_000, reserved: 0 },
        { name: "r2", up: true, room: 500_000, reserved: 400_000 },
      ],
      sessions: [{ ...session, role: "transit", previousHop: "10.2.1.1", nextHop: "10.2.2.1", interface: "r2" }],
    });
    expect(rsvpView(t.speaker, config("r1", "r2")).neighbours).toHaveLength(2);
    expect(rsvpView(r2.speaker, config("core")).sessions).toEqual([
      { ...session, role: "deaggregator", previousHop: "10.2.2.2" },
    ]);
    expect(rsvpView(t.speaker, config("r1", "r2")).counters).toMatchObject({
      new: expect.any(Number),
      sent: expect.any(Number),
    });
    t.speaker.resize("r2", bitsPerSecond(450_000));
    expect(rsvpView(t.speaker, config("r2")).interfaces).toMatchObject([{ name: "r2", room: 450_000 }]);
    for (const { speaker } of [r1, t, r2]) expect(rsvpProblems(speaker, config())).toEqual([]);
  });

  it("names as problems what is refused, at the end that asked, and interfaces that are not there", async () => {
    const [r1, t, r2] = [await net.start("r1"), await net.start("t", 500_000), await net.start("r2")];
    r1.speaker.set([wanted(400_000)]);
    await net.clock.pass(500);
    r1.speaker.set([wanted(600_000)]);
    await net.clock.pass(2000);
    // What is wanted there is again what there is.
    expect(rsvpProblems(r2.speaker, config("core"))).toEqual([]);
    expect(rsvpProblems(r1.speaker, config("core"))).toEqual([
      `the aggregate of EF to ${EDGE.r2} is not as wanted: no bandwidth left at 10.2.2.2`,
    ]);
    net.down.add("t r2");
    await net.clock.pass(1000);
    expect(rsvpProblems(t.speaker, config("r1", "r2"))).toEqual([
      "RSVP is not spoken on interface r2: it is down, missing or without an address",
    ]);
  });
});

/** Several aggregates between the same two edges: of one code point (RFC 4860), and of tunnels. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { RsvpConfig } from "../../../../src/config/rsvp.js";
import { rsvpProblems, rsvpView } from "../../../../src/daemon/rsvp-view.js";
import type { IpAddress } from "../../../../src/model/ip.js";
import { bitsPerSecond, millis } from "../../../../src/model/units.js";
import type { WantedAggregate } from "../../../../src/pep/router/aggregates.js";
import { EDGE, REFRESH, type Running, ThreeNodes, wanted } from "./three-nodes.js";

let net: ThreeNodes;
let r1: Running;
let t: Running;
let r2: Running;
beforeEach(async () => {
  net = new ThreeNodes();
  [r1, t, r2] = [await net.start("r1"), await net.start("t"), await net.start("r2")];
});
afterEach(() => net.close());

const config: RsvpConfig = {
  transport: "auto",
  refresh: millis(REFRESH),
  interfaces: [{ name: "core", room: bitsPerSecond(1e6) }],
  keys: [],
  ceiling: bitsPerSecond(1e9),
  aggregates: [],
};
const sessions = () => [...t.speaker.node.sessions()].map(({ session }) => session);
const towards = (remote: IpAddress, ...pools: readonly (readonly [pool: number, rate: number])[]) =>
  pools.map(([pool, rate]) => wanted(rate, { pool, remote }));
/** Ports as both ends have them. */
const tunnelled = (from: IpAddress, remote: IpAddress, pool: number, rate: number): WantedAggregate => ({
  ...wanted(rate, { pool, remote }),
  ceiling: bitsPerSecond(400_000),
  tunnel: { protocol: 17, local: from, sourcePort: 49_152 + pool, destinationPort: 4789 },
});

describe("several aggregates of a code point", () => {
  it("each have a session of their own, and each pool learns of its own directions", async () => {
    r1.speaker.set(towards(EDGE.r2, [7, 100_000], [8, 200_000]));
    r2.speaker.set(towards(EDGE.r1, [8, 240_000], [7, 80_000]));
    await net.clock.pass(500);
    expect(r1.speaker.states()).toEqual([
      { pool: 7, outgoing: 100_000, incoming: 80_000 },
      { pool: 8, outgoing: 200_000, incoming: 240_000 },
    ]);
    expect(r2.speaker.states()).toEqual([
      { pool: 7, outgoing: 80_000, incoming: 100_000 },
      { pool: 8, outgoing: 240_000, incoming: 200_000 },
    ]);
    // RFC 3140: EF is 0xb800.
    const generic = { kind: "genericAggregate", phbId: 0xb800, vDstPort: 8, ePolice: false } as const;
    expect(sessions()).toContainEqual({ ...generic, destination: EDGE.r2, extendedVDstPort: EDGE.r1 });
    expect(sessions()).toContainEqual({ ...generic, destination: EDGE.r1, extendedVDstPort: EDGE.r2 });
    expect(t.speaker.control.reserved("r2")).toBe(300_000);
  });

  it("are shown with their pools, and given up one by one", async () => {
    r1.speaker.set(towards(EDGE.r2, [7, 100_000], [8, 200_000]));
    await net.clock.pass(500);
    const view = rsvpView(r1.speaker, config);
    expect(view.sessions.map(({ pool, dscp, granted }) => [pool, dscp, granted])).toEqual([
      [7, 46, 100_000],
      [8, 46, 200_000],
    ]);
    r1.speaker.set(towards(EDGE.r2, [7, 100_000]));
    await net.clock.pass(500);
    expect(r1.speaker.states()).toEqual([{ pool: 7, outgoing: 100_000, incoming: 0 }]);
    expect(sessions()).toHaveLength(1);
    expect(r2.speaker.incoming.size).toBe(1);
  });

  it("are refused for themselves", async () => {
    r1.speaker.set(towards(EDGE.r2, [7, 600_000], [8, 600_000]));
    await net.clock.pass(100);
    const states = r1.speaker.states();
    expect(states.map(({ outgoing }) => outgoing).toSorted()).toEqual([0, 600_000]);
    expect(states.map(({ failure }) => failure)).toContain("no bandwidth left at 10.2.2.2");
    expect(rsvpProblems(r1.speaker, config)).toEqual([
      expect.stringMatching(/^the aggregate of EF( number 8)? to 10\.3\.0\.1 is not as wanted: no bandwidth left/),
    ]);
  });
});

describe("aggregates of tunnels", () => {
  const both = (): void => {
    r1.speaker.set([tunnelled(EDGE.r1, EDGE.r2, 7, 100_000), tunnelled(EDGE.r1, EDGE.r2, 8, 200_000)]);
    r2.speaker.set([tunnelled(EDGE.r2, EDGE.r1, 7, 300_000), tunnelled(EDGE.r2, EDGE.r1, 8, 80_000)]);
  };

  it("are reservations of their outer flows, and both directions follow the larger want", async () => {
    both();
    await net.clock.pass(500);
    const grown = [
      { pool: 7, outgoing: 300_000, incoming: 300_000 },
      { pool: 8, outgoing: 200_000, incoming: 200_000 },
    ];
    expect([r1.speaker.states(), r2.speaker.states()]).toEqual([grown, grown]);
    // Source ports tell senders of one session apart (RFC 2205 §1.3).
    expect(sessions()).toEqual([
      { kind: "ip", destination: EDGE.r2, protocol: 17, port: 4789, ePolice: false },
      { kind: "ip", destination: EDGE.r1, protocol: 17, port: 4789, ePolice: false },
    ]);
    const ports = [...t.speaker.node.sessions()].map(({ paths }) => [...paths.keys()]);
    expect(ports[0]).toEqual([`${EDGE.r1} 49159`, `${EDGE.r1} 49160`]);
    const shown = rsvpView(r1.speaker, config).sessions.filter(({ role }) => role === "aggregator");
    expect(shown.map(({ pool, granted }) => [pool, granted])).toEqual([
      [7, 300_000],
      [8, 200_000],
    ]);
  });

  it("are turned around only for a tunnel that has an end here, also one that is told later than the Path", async () => {
    r1.speaker.set([tunnelled(EDGE.r1, EDGE.r2, 7, 100_000)]);
    await net.clock.pass(2 * REFRESH);
    expect(r2.speaker.incoming.size).toBe(0);
    expect(t.speaker.control.reserved("r2")).toBe(0);
    r2.speaker.set([tunnelled(EDGE.r2, EDGE.r1, 7, 50_000)]);
    await net.clock.pass(3 * REFRESH + 3000);
    expect(r1.speaker.states()).toEqual([{ pool: 7, outgoing: 100_000, incoming: 100_000 }]);
  });

  it("leave nothing when they are given up", async () => {
    both();
    await net.clock.pass(500);
    r1.speaker.set([]);
    r2.speaker.set([]);
    await net.clock.pass(500);
    expect(sessions()).toEqual([]);
    expect([r1, r2].map(({ speaker }) => [speaker.incoming.size, speaker.outgoing.size])).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });

  it("without ports are told apart by protocol alone", async () => {
    const gre = (from: IpAddress, remote: IpAddress): WantedAggregate => ({
      ...wanted(100_000, { remote }),
      tunnel: { protocol: 47, local: from, sourcePort: 0, destinationPort: 0 },
    });
    r2.speaker.set([gre(EDGE.r2, EDGE.r1)]);
    r1.speaker.set([gre(EDGE.r1, EDGE.r2)]);
    await net.clock.pass(3 * REFRESH + 3000);
    expect(r1.speaker.states()).toEqual([{ pool: 7, outgoing: 100_000, incoming: 100_000 }]);
    expect(sessions()[0]).toMatchObject({ kind: "ip", protocol: 47, port: 0 });
  });
});

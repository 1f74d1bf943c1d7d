/** A link that becomes slower: what it carries less is taken back from aggregates, and comes again with its speed (RFC 4495). */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SILENT_LOGGER } from "../../../../src/model/log.js";
import { bitsPerSecond, dscp, millis, octets } from "../../../../src/model/units.js";
import { InstantReservations, type ReservationEvents } from "../../../../src/pdp/pools/reservation-port.js";
import { RsvpReservations } from "../../../../src/pdp/pools/rsvp-reservations.js";
import { EDGE, EF, REFRESH, type Running, ThreeNodes, wanted } from "./three-nodes.js";

/** Until an aggregator that got less asks for the rest again. */
const ASKED_AGAIN = 12 * REFRESH;

let net: ThreeNodes;
let nodes: { readonly r1: Running; readonly t: Running; readonly r2: Running };
beforeEach(async () => {
  net = new ThreeNodes();
  nodes = { r1: await net.start("r1"), t: await net.start("t"), r2: await net.start("r2") };
});
afterEach(() => net.close());

const resize = (name: string, room: number): void => nodes.t.speaker.resize(name, bitsPerSecond(room));

async function bothWays(): Promise<void> {
  const { r1, r2 } = nodes;
  r1.speaker.set([wanted(400_000)]);
  r2.speaker.set([wanted(240_000, { pool: 3, remote: EDGE.r1 })]);
  await net.clock.pass(500);
  expect(r1.speaker.states()).toEqual([{ pool: 7, outgoing: 400_000, incoming: 240_000 }]);
}

describe("room that is taken back", () => {
  it("is told at both edges at once, and the class at T is as small", async () => {
    await bothWays();
    const { r1, t, r2 } = nodes;
    resize("r2", 160_000);
    await net.clock.pass(300);
    expect(r1.speaker.states()).toMatchObject([{ pool: 7, outgoing: 160_000, incoming: 240_000 }]);
    expect(r1.speaker.states()[0]?.failure).toMatch(/./);
    expect(r1.told.at(-1)).toEqual(r1.speaker.states()[0]);
    expect(r2.speaker.states()).toMatchObject([{ pool: 3, outgoing: 240_000, incoming: 160_000 }]);
    expect(r2.told.at(-1)).toMatchObject({ pool: 3, incoming: 160_000 });
    expect([t.speaker.control.reserved("r1"), t.speaker.control.reserved("r2")]).toEqual([240_000, 160_000]);
    expect(t.speaker.rooms.get("r2")).toBe(160_000);
    await net.clock.pass(5 * REFRESH);
    expect(r1.speaker.states()).toMatchObject([{ outgoing: 160_000 }]);
  });

  it("does not touch what still fits", async () => {
    await bothWays();
    const told = [nodes.r1.told.length, nodes.r2.told.length];
    resize("r2", 400_000);
    await net.clock.pass(REFRESH);
    expect([nodes.r1.told.length, nodes.r2.told.length]).toEqual(told);
  });

  it("is there again when the speed is, without a word of the policy server", async () => {
    await bothWays();
    resize("r2", 160_000);
    await net.clock.pass(REFRESH);
    resize("r2", 1e6);
    await net.clock.pass(ASKED_AGAIN);
    expect(nodes.r1.speaker.states()).toEqual([{ pool: 7, outgoing: 400_000, incoming: 240_000 }]);
    expect(nodes.t.speaker.control.reserved("r2")).toBe(400_000);
  });

  it("that is all there was leaves nothing, until there is some again", async () => {
    await bothWays();
    resize("r2", 0);
    await net.clock.pass(REFRESH);
    expect(nodes.r1.speaker.states()).toMatchObject([{ outgoing: 0, incoming: 240_000 }]);
    resize("r2", 1e6);
    await net.clock.pass(ASKED_AGAIN);
    expect(nodes.r1.speaker.states()).toEqual([{ pool: 7, outgoing: 400_000, incoming: 240_000 }]);
  });

  it("is taken back from the pool at the policy server, and confirmed when it is back", async () => {
    const { r1, r2 } = nodes;
    const told: (string | number)[][] = [];
    const events: ReservationEvents = {
      confirmed: (...what) => told.push(["confirmed", ...what]),
      refused: (...what) => told.push(["refused", ...what]),
      takenBack: (...what) => told.push(["takenBack", ...what]),
    };
    let request = 0;
    const reservations = new RsvpReservations({
      pools: [
        {
          name: "voice",
          id: 7,
          remote: EDGE.r2,
          dscp: EF,
          direction: "both",
          patience: millis(300),
          packetSize: octets(200),
          linkOverhead: octets(14),
        },
      ],
      others: new InstantReservations(() => events),
      reserve: (aggregate) => {
        request = aggregate.request;
        r1.speaker.set([wanted(aggregate.rate)]);
        return Promise.resolve({ admitted: true });
      },
      events: () => events,
      clock: net.clock,
      log: SILENT_LOGGER,
    });
    r1.speaker.onChange(({ pool, outgoing, incoming, failure = "" }) => {
      const state = failure === "" ? "confirmed" : "lost";
      reservations.report({ pool, outgoing, incoming, state, request, reason: failure });
    });
    r2.speaker.set([wanted(400_000, { pool: 3, remote: EDGE.r1 })]);
    reservations.request("voice", bitsPerSecond(321_000));
    await net.clock.pass(500);
    expect(told.splice(0)).toEqual([["confirmed", "voice", 321_000]]);
    resize("r2", 160_000);
    await net.clock.pass(300);
    expect(told.splice(0)).toEqual([["takenBack", "voice", Math.floor((160_000 * 214) / 200)]]);
    resize("r2", 1e6);
    await net.clock.pass(ASKED_AGAIN);
    expect(told.at(-1)).toEqual(["confirmed", "voice", 321_000]);
    reservations.close();
  });

  it("of two aggregates is taken from the younger", async () => {
    const { r1 } = nodes;
    const af = wanted(200_000, { pool: 8 });
    r1.speaker.set([wanted(200_000)]);
    await net.clock.pass(500);
    r1.speaker.set([wanted(200_000), { ...af, dscp: dscp(34) }]);
    await net.clock.pass(500);
    resize("r2", 240_000);
    await net.clock.pass(300);
    expect(r1.speaker.states()).toMatchObject([
      { pool: 7, outgoing: 200_000 },
      { pool: 8, outgoing: 40_000 },
    ]);
  });
});

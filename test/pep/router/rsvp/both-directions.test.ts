/** Aggregates of both directions: each edge makes its Path as large as the larger of both wants. */
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { IpAddress } from "../../../../src/model/ip.js";
import { type BytesPerSecond, kilobitsPerSecond, octets } from "../../../../src/model/units.js";
import type { WantedAggregate } from "../../../../src/pep/router/aggregates.js";
import { decodePacket } from "../../../../src/rsvp/codec/decode.js";
import type { PolicyData } from "../../../../src/rsvp/codec/objects.js";
import { wayBackOf, wayBackPolicy } from "../../../../src/rsvp/codec/way-back.js";
import { aggregateSession } from "../../../../src/rsvp/machine/aggregate.js";
import { EDGE, EF, LIFETIME, REFRESH, type Running, ThreeNodes } from "./three-nodes.js";

let net: ThreeNodes;
beforeEach(() => {
  net = new ThreeNodes();
});
afterEach(() => net.close());

/** Rates in kbit/s. */
const pool = (remote: IpAddress, rate: number, ceiling?: number): WantedAggregate => ({
  pool: 7,
  remote,
  dscp: EF,
  rate: kilobitsPerSecond(rate),
  burst: octets(rate * 12.5),
  packetSize: octets(200),
  ...(ceiling === undefined ? {} : { ceiling: kilobitsPerSecond(ceiling) }),
});

interface Three {
  readonly r1: Running;
  readonly t: Running;
  readonly r2: Running;
  readonly want: (end: "r1" | "r2", rate: number | undefined, ceiling?: number) => void;
  /** From R1, and from R2; kbit/s. */
  readonly granted: () => readonly number[];
}

async function three(world = net, room = 1e8, limit = 1e9): Promise<Three> {
  const more = { ceiling: limit as BytesPerSecond };
  const r1 = await world.start("r1", 1e8, more);
  const t = await world.start("t", room);
  const r2 = await world.start("r2", 1e8, more);
  const ends = { r1, r2 };
  const far = { r1: EDGE.r2, r2: EDGE.r1 };
  return {
    r1,
    t,
    r2,
    want: (end, rate, ceiling) => ends[end].speaker.set(rate === undefined ? [] : [pool(far[end], rate, ceiling)]),
    granted: () => [r1, r2].map(({ speaker }) => (speaker.states()[0]?.outgoing ?? 0) / 1000),
  };
}

/** POLICY_DATA of the last Path that a node sent. */
function policies(): Map<string, readonly PolicyData[]> {
  const last = new Map<string, readonly PolicyData[]>();
  const fate = net.network.fate;
  net.network.fate = (datagram, from, to) => {
    const { message } = decodePacket(datagram.octets);
    if (message.kind === "Path") last.set(`${from.node} ${to.node}`, message.policy);
    return fate(datagram, from, to);
  };
  return last;
}

describe("both directions of an aggregate", () => {
  it("grow when one edge wants more, within 1.5 round trips, and both edges learn of both", async () => {
    const { r1, r2, want, granted } = await three();
    want("r1", 100, 300);
    want("r2", 100, 300);
    await net.clock.pass(500);
    expect(granted()).toEqual([100, 100]);
    want("r1", 200, 300);
    // Links take 2 ms each way, so 8 ms are one round trip.
    await net.clock.pass(16);
    expect(granted()).toEqual([200, 200]);
    await net.clock.pass(8);
    expect(r1.speaker.states()).toEqual([{ pool: 7, outgoing: 200_000, incoming: 200_000 }]);
    expect(r2.speaker.states()).toEqual([{ pool: 7, outgoing: 200_000, incoming: 200_000 }]);
    expect(r2.told.at(-1)).toEqual({ pool: 7, outgoing: 200_000, incoming: 200_000 });
  });

  it("shrink when both want less, and not before", async () => {
    const { want, granted, t } = await three();
    want("r1", 300, 400);
    want("r2", 200, 400);
    await net.clock.pass(500);
    expect(granted()).toEqual([300, 300]);
    want("r1", 100, 400);
    await net.clock.pass(500);
    expect(granted()).toEqual([200, 200]);
    want("r2", 100, 400);
    await net.clock.pass(500);
    expect(granted()).toEqual([100, 100]);
    expect(["r1", "r2"].map((name) => t.speaker.control.reserved(name))).toEqual([100_000, 100_000]);
  });

  it("follow up to the ceiling of their own edge, and of the router", async () => {
    const { want, granted } = await three(net, 1e8, 40_000);
    want("r2", 100, 250);
    want("r1", 300, 500);
    await net.clock.pass(500);
    expect(granted()).toEqual([300, 250]);
    want("r2", 100, 900);
    await net.clock.pass(500);
    expect(granted()).toEqual([300, 300]);
    // 40,000 octets/s, both for what is reserved for the other and for what is answered.
    want("r1", 500, 500);
    await net.clock.pass(500);
    expect(granted()).toEqual([320, 320]);
  });

  it("stand for themselves where one edge has no ceiling, or says nothing", async () => {
    const { want, granted } = await three();
    const said = policies();
    want("r1", 300);
    want("r2", 100, 900);
    await net.clock.pass(500);
    expect(granted()).toEqual([300, 100]);
    expect(said.get("r1 t")).toEqual([]);
    want("r1", 300, 400);
    want("r2", 100);
    await net.clock.pass(500);
    expect(granted()).toEqual([300, 100]);
  });

  it("say only what is wanted here, never what is reserved for the other; a router on the way passes it on", async () => {
    const { want, granted } = await three();
    const said = policies();
    want("r1", 100, 900);
    want("r2", 400, 900);
    await net.clock.pass(500);
    expect(granted()).toEqual([400, 400]);
    const wants = (link: string) => Number(wayBackOf(said.get(link) ?? [])) * 8;
    expect(["r1 t", "t r2", "r2 t", "t r1"].map(wants)).toEqual([100_000, 100_000, 400_000, 400_000]);
    // Not a larger Path, but another want.
    want("r1", 200, 900);
    await net.clock.pass(100);
    expect(["r1 t", "t r2"].map(wants)).toEqual([200_000, 200_000]);
    want("r2", 50, 900);
    await net.clock.pass(100);
    expect(granted()).toEqual([200, 200]);
  });

  it("make nothing of what cannot be read, and count it", async () => {
    const { r2, t, want, granted } = await three();
    want("r1", 100, 900);
    want("r2", 200, 900);
    await net.clock.pass(500);
    const { contents } = wayBackPolicy(1e6 as BytesPerSecond);
    contents.writeUInt16BE(8, 4);
    const path = [...(t.speaker.node.session(aggregateSession(EDGE.r2, EF))?.paths.values() ?? [])][0]!;
    t.speaker.driver?.endpoint?.send({
      message: {
        kind: "Path",
        session: aggregateSession(EDGE.r2, EF),
        hop: { address: "10.2.2.2", lih: 3 },
        refreshPeriod: path.period,
        policy: [{ contents }],
        sender: { template: path.template, tspec: path.tspec },
        unknown: [],
      },
      interface: "r2",
      destination: EDGE.r2,
      source: EDGE.r1,
      routerAlert: true,
      ttl: path.ttl,
    });
    await net.clock.pass(20);
    expect(r2.speaker.driver?.ignored.get("POLICY_DATA: malformed")).toBe(1);
    expect(granted()).toEqual([200, 200]);
  });

  it("follow again after a restart of either edge", async () => {
    const first = await three();
    first.want("r1", 300, 900);
    first.want("r2", 100, 900);
    await net.clock.pass(5 * REFRESH);
    await net.kill("r2");
    const again = await net.start("r2", 1e8);
    again.speaker.set([pool(EDGE.r1, 100, 900)]);
    await net.clock.pass(1.5 * REFRESH + 600);
    expect(again.speaker.states()).toEqual([{ pool: 7, outgoing: 300_000, incoming: 300_000 }]);
    await net.kill("r1");
    await net.clock.pass(LIFETIME + 3 * REFRESH);
    expect(again.speaker.states()).toEqual([{ pool: 7, outgoing: 0, incoming: 0, failure: expect.any(String) }]);
  });

  it("are refused at once, whichever of them T has no room for", async () => {
    const { r1, want, granted } = await three(net, 500_000);
    want("r1", 400, 900);
    want("r2", 400, 900);
    await net.clock.pass(500);
    const told = r1.told.length;
    want("r1", 600, 900);
    await net.clock.pass(20);
    expect(r1.told.slice(told).at(-1)).toMatchObject({ outgoing: 400_000, failure: "no bandwidth left at 10.2.2.2" });
    await net.clock.pass(1000);
    expect(granted()).toEqual([400, 400]);
    want("r1", 450, 900);
    await net.clock.pass(1000);
    expect(granted()).toEqual([450, 450]);
  });
});

interface Turn {
  readonly end: "r1" | "r2";
  readonly rate: number | undefined;
  readonly ceiling: number | undefined;
  readonly wait: number;
}

describe("any sequence of wants at both edges", () => {
  const rate = fc.integer({ min: 1, max: 50 }).map((tens) => tens * 16);
  const turn: fc.Arbitrary<Turn> = fc.record({
    end: fc.constantFrom("r1" as const, "r2" as const),
    rate: fc.option(rate, { nil: undefined, freq: 6 }),
    ceiling: fc.option(rate, { nil: undefined, freq: 5 }),
    wait: fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 3000 })),
  });
  /** Numbers in [0, 1) that are the same for the same seed. */
  const numbers = (seed: number) => {
    let state = seed;
    return () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 0x1_0000_0000;
    };
  };
  const LIMIT = 700;
  /** More than a lifetime, and the time after which less than was wanted is asked for again. */
  const QUIET = 30 * REFRESH;

  it("ends at the larger want of both, within the ceilings, however much was lost on the way", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(turn, { minLength: 1, maxLength: 14, size: "max" }),
        fc.integer({ min: 1, max: 0x7fffffff }),
        fc.double({ min: 0, max: 0.4, noNaN: true }),
        async (turns, seed, loss) => {
          const world = new ThreeNodes();
          try {
            const { r1, r2, t, want, granted } = await three(world, 1e8, (LIMIT * 1000) / 8);
            const random = numbers(seed);
            const calm = world.network.fate;
            world.network.fate = () => {
              const copies = random() < loss ? 0 : random() < 0.1 ? 2 : 1;
              return Array.from({ length: copies }, () => 1 + Math.floor(random() * random() * 300));
            };
            const last: { r1?: Turn; r2?: Turn } = {};
            for (const each of turns) {
              last[each.end] = each;
              want(each.end, each.rate, each.ceiling);
              await world.clock.pass(each.wait);
            }
            world.network.fate = calm;
            await world.clock.pass(QUIET);
            const size = (own: Turn | undefined, other: Turn | undefined): number => {
              if (own?.rate === undefined) return 0;
              const back = other?.ceiling === undefined ? 0 : (other.rate ?? 0);
              const wanted = Math.max(own.rate, Math.min(back, own.ceiling ?? 0, LIMIT));
              return Math.min(wanted, LIMIT);
            };
            const expected = [size(last.r1, last.r2), size(last.r2, last.r1)];
            expect(granted()).toEqual(expected);
            const incoming = [r2, r1].map(({ speaker }) => (speaker.states()[0]?.incoming ?? 0) / 1000);
            expect(incoming).toEqual([last.r2?.rate ? expected[0] : 0, last.r1?.rate ? expected[1] : 0]);
            expect(["r2", "r1"].map((name) => t.speaker.control.reserved(name) / 1000)).toEqual(expected);
          } finally {
            await world.close();
          }
        },
      ),
      { numRuns: 20 },
    );
  }, 120_000);
});

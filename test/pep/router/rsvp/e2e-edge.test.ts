/** RSVP of hosts through aggregates: RFC 3175 §2, from one host to the other. */
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { EDGE, EF, FiveNodes, flow, HOST, LIFETIME, REFRESH, type Seen } from "./five-nodes.js";

let net: FiveNodes;
beforeEach(() => {
  net = new FiveNodes();
});
afterEach(() => net.close());

/** Messages of single flows on a link. */
const endToEnd = (from: string, to: string): Seen[] =>
  net.seen.filter(
    (each) => each.from === from && each.to === to && "session" in each.message && each.message.session.kind === "ip",
  );
const of = (seen: readonly Seen[], kind: string): Seen[] => seen.filter(({ message }) => message.kind === kind);
const refusals = () => net.notices.flatMap(({ notice }) => (notice.what === "refused" ? [notice.error] : []));

describe("set-up", () => {
  beforeEach(() => net.startAll());

  it("hides a Path in the region, and gives it back as RSVP", async () => {
    net.open(flow(5004), 10_000);
    await net.clock.pass(200);
    expect(net.told("h2")).toEqual(["pathArrived"]);
    const links = [
      ["h1", "r1", "rsvp", 0],
      ["r1", "t", "e2eIgnore", 0],
      ["t", "r2", "e2eIgnore", 0],
      ["r2", "h2", "rsvp", 0],
    ] as const;
    for (const [from, to, protocol, routerAlert] of links) {
      const paths = of(endToEnd(from, to), "Path");
      expect(paths.length).toBeGreaterThan(0);
      for (const path of paths) expect(path).toMatchObject({ protocol, routerAlert });
    }
    // §3.1: T has state of the aggregate only.
    const sessions = [...net.speakers.get("t")!.node.sessions()].map(({ session }) => session.kind);
    expect(sessions).toEqual(["aggregate"]);
  });

  it("asks for the aggregate, which the aggregator makes for the code point (§2.3, §2.4)", async () => {
    net.open(flow(5004), 10_000);
    await net.clock.pass(500);
    const [need] = of(endToEnd("r2", "t"), "PathErr");
    expect(need?.message).toMatchObject({ error: { code: 26, node: EDGE.r2 }, dclass: [EF] });
    // No error for the sender (§2.4), and no second request once the Path of the aggregate is there.
    expect(of(endToEnd("r1", "h1"), "PathErr")).toEqual([]);
    const asked = of(endToEnd("r2", "t"), "PathErr").length;
    await net.clock.pass(5 * REFRESH);
    expect(of(endToEnd("r2", "t"), "PathErr").length).toBe(asked);
    expect(net.aggregate()).toEqual({ granted: 10_000, admitted: 0 });
    expect(net.reservedAtT).toBe(10_000);
  });

  it("confirms a reservation from host to host, with the code point on its way to the aggregator (§2.5, §2.8)", async () => {
    net.open(flow(5004), 10_000);
    await net.clock.pass(500);
    net.reserve(flow(5004), 8000);
    await net.clock.pass(500);
    expect(net.told("h1")).toEqual(["reserved"]);
    expect(net.told("h2")).toEqual(["pathArrived", "confirmed"]);
    const [resv] = of(endToEnd("r2", "t"), "Resv");
    expect(resv).toMatchObject({ protocol: "rsvp", routerAlert: undefined });
    expect(resv?.message).toMatchObject({ dclass: [EF], hop: { address: EDGE.r2 } });
    expect(of(endToEnd("r1", "h1"), "Resv")[0]?.message).not.toHaveProperty("dclass");
    for (const seen of of(endToEnd("r1", "t"), "ResvConf")) expect(seen.protocol).toBe("e2eIgnore");
    expect(net.aggregate()).toEqual({ granted: 8000, admitted: 8000 });
    expect(net.carriedByR1).toBe(8000);
  });

  it("grows the aggregate with the reservations, and keeps everything alive for long", async () => {
    for (const port of [5004, 5006, 5008]) net.open(flow(port), 10_000);
    await net.clock.pass(500);
    for (const port of [5004, 5006, 5008]) net.reserve(flow(port), 10_000);
    await net.clock.pass(2000);
    expect(net.told("h2").filter((what) => what === "confirmed")).toHaveLength(3);
    expect(net.aggregate()).toEqual({ granted: 30_000, admitted: 30_000 });
    await net.clock.pass(3 * LIFETIME);
    expect(net.aggregate()).toEqual({ granted: 30_000, admitted: 30_000 });
    expect(net.reservedAtT).toBe(30_000);
    expect(refusals()).toEqual([]);
  });
});

describe("refusal and release", () => {
  it("refuses what is beyond the aggregate's ceiling, and lets the others be (RFC 2205 §B, error 1)", async () => {
    await net.startAll({ ceiling: 15_000 });
    for (const port of [5004, 5006]) net.open(flow(port), 10_000);
    await net.clock.pass(500);
    net.reserve(flow(5004), 10_000);
    await net.clock.pass(1000);
    net.reserve(flow(5006), 10_000);
    await net.clock.pass(1000);
    expect(refusals()).toMatchObject([{ code: 1, value: 2 }]);
    expect(net.aggregate()).toEqual({ granted: 10_000, admitted: 10_000 });
    expect(net.told("h2").filter((what) => what === "confirmed")).toHaveLength(1);
  });

  it("refuses what the region has no room for", async () => {
    await net.startAll({ room: 120_000 });
    for (const port of [5004, 5006]) net.open(flow(port), 10_000);
    await net.clock.pass(500);
    net.reserve(flow(5004), 10_000);
    await net.clock.pass(1000);
    net.reserve(flow(5006), 10_000);
    await net.clock.pass(4000);
    expect(refusals()[0]).toMatchObject({ code: 1, value: 2, node: EDGE.r1 });
    expect(net.told("h2").filter((what) => what === "confirmed")).toHaveLength(1);
    expect(net.aggregate()).toEqual({ granted: 10_000, admitted: 10_000 });
  });

  it("gives back what a reservation had, and the aggregate with the last flow (§2.9, §2.10)", async () => {
    await net.startAll();
    for (const port of [5004, 5006]) net.open(flow(port), 10_000);
    await net.clock.pass(500);
    for (const port of [5004, 5006]) net.reserve(flow(port), 10_000);
    await net.clock.pass(1000);
    net.release(flow(5004));
    await net.clock.pass(500);
    expect(net.aggregate()).toEqual({ granted: 10_000, admitted: 10_000 });
    expect(net.reservedAtT).toBe(10_000);
    net.shut(flow(5006));
    await net.clock.pass(500);
    expect(of(endToEnd("r1", "t"), "PathTear")).toMatchObject([{ protocol: "e2eIgnore" }]);
    expect(net.told("h2").at(-1)).toBe("pathLost");
    // The first flow's Path is still there, as large as one flow.
    expect(net.aggregate()).toEqual({ granted: 10_000, admitted: 0 });
    net.shut(flow(5004));
    await net.clock.pass(500);
    expect(net.aggregate()).toBeUndefined();
    expect(net.reservedAtT).toBe(0);
    for (const speaker of net.speakers.values()) expect([...speaker.node.sessions()]).toEqual([]);
  });

  it("ends by itself when a host falls silent", async () => {
    await net.startAll();
    net.open(flow(5004), 10_000);
    await net.clock.pass(500);
    net.reserve(flow(5004), 10_000);
    await net.clock.pass(500);
    expect(net.carriedByR1).toBe(10_000);
    const before = net.network.fate;
    net.network.fate = (datagram, from, to) => (from.node in HOST ? [] : before(datagram, from, to));
    await net.clock.pass(4 * LIFETIME);
    expect(net.aggregate()).toBeUndefined();
    expect(net.reservedAtT).toBe(0);
  });
});

describe("an edge that is killed and comes back", () => {
  for (const name of ["r1", "r2"] as const) {
    it(`${name}: neither host notices, and the reservation is carried again`, async () => {
      await net.startAll();
      net.open(flow(5004), 10_000);
      await net.clock.pass(500);
      net.reserve(flow(5004), 10_000);
      await net.clock.pass(1000);
      await net.kill(name);
      await net.clock.pass(REFRESH);
      await net.router(name);
      await net.clock.pass(3 * LIFETIME);
      expect(refusals()).toEqual([]);
      expect(net.told("h1")).not.toContain("unreserved");
      expect(net.told("h2")).not.toContain("pathLost");
      expect(net.aggregate()).toEqual({ granted: 10_000, admitted: 10_000 });
      expect(net.reservedAtT).toBe(10_000);
    });
  }
});

describe("under loss", () => {
  const act = fc.record({
    port: fc.integer({ min: 1, max: 4 }),
    what: fc.constantFrom("open", "reserve", "release", "shut"),
    rate: fc.integer({ min: 1, max: 20 }).map((blocks) => blocks * 1000),
    rest: fc.integer({ min: 1, max: 1500 }),
    fates: fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 20 }),
  });

  it("never admits more than is granted of the aggregate, nor leaves anything behind", async () => {
    let most = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(act, { minLength: 1, maxLength: 10 }), async (acts) => {
        const own = new FiveNodes();
        await own.startAll({ ceiling: 30_000 });
        try {
          for (const { port, what, rate, rest, fates } of acts) {
            let turn = 0;
            own.delay = () => {
              const fate = fates[turn++ % fates.length]!;
              return fate < 2 ? undefined : fate * 3;
            };
            if (what === "open") own.open(flow(port), rate);
            else if (what === "reserve") own.reserve(flow(port), rate);
            else if (what === "release") own.release(flow(port));
            else own.shut(flow(port));
            for (let passed = 0; passed < rest; passed += 50) {
              await own.clock.pass(50);
              const { granted, admitted } = own.aggregate() ?? { granted: 0, admitted: 0 };
              expect(admitted).toBeLessThanOrEqual(granted);
              most = Math.max(most, admitted);
              expect(own.carriedByR1).toBeLessThanOrEqual(admitted);
            }
          }
          own.delay = () => 2;
          for (const port of [1, 2, 3, 4]) own.shut(flow(port));
          await own.clock.pass(4 * LIFETIME);
          expect(own.aggregate()).toBeUndefined();
          for (const speaker of own.speakers.values()) expect([...speaker.node.sessions()]).toEqual([]);
        } finally {
          await own.close();
        }
      }),
      { numRuns: 25 },
    );
    expect(most).toBeGreaterThan(0);
  }, 120_000);
});

/** Refusals, blockades and preemption: RFC 2205 §3.1.7, §3.1.8, §3.5, RFC 4495. */
import { describe, expect, it } from "vitest";
import type { Dscp, Millis, Octets } from "../../../src/model/units.js";
import { unknownStyle } from "../../../src/rsvp/codec/errors.js";
import type { Session } from "../../../src/rsvp/codec/objects.js";
import { aggregateSession } from "../../../src/rsvp/machine/aggregate.js";
import { DEFAULT_RULES as RULES } from "../../../src/rsvp/machine/rules.js";
import { A, B, EF, load, type Network, open, reserve, SESSION, threeNodes, tspec } from "./network.js";

const AF = aggregateSession(B, 34 as Dscp);
const held = (network: Network): number[] => [network.admitted("A", "T"), network.admitted("T", "B")];

function settled(rate: number, rooms: { a?: number; t?: number } = {}): Network {
  const network = threeNodes();
  network.host("A").room.set("T", rooms.a ?? 1e9);
  network.host("T").room.set("B", rooms.t ?? 1e9);
  open(network, 100_000);
  network.run(100);
  reserve(network, rate);
  network.run(100);
  return network;
}

describe("admission control failure (§3.1.8)", () => {
  it("of a new reservation is error 1, with nothing in place", () => {
    const network = settled(5000, { t: 4000 });
    expect(network.notices("B").at(-1)).toMatchObject({
      what: "refused",
      error: { code: 1, value: 2, flags: 0, node: "10.0.2.254" },
      flows: { style: "FF", filters: [{ address: A }], flowspec: load(5000) },
    });
    expect(held(network)).toEqual([0, 0]);
  });

  it("of an increase leaves the existing reservation, and says InPlace", () => {
    const network = settled(3000, { t: 4000 });
    reserve(network, 5000);
    network.run(100);
    expect(network.notices("B").at(-1)).toMatchObject({ what: "refused", error: { code: 1, value: 2, flags: 1 } });
    expect(held(network)).toEqual([3000, 3000]);
    // It stays for as long as the receiver goes on asking for more.
    network.run(600_000);
    expect(held(network)).toEqual([3000, 3000]);
  });

  it("further upstream leaves the existing reservation there", () => {
    const network = settled(3000, { a: 4000 });
    reserve(network, 5000);
    network.run(100);
    expect(network.notices("B").at(-1)).toMatchObject({ what: "refused", error: { code: 1, flags: 1, node: A } });
    expect(held(network)).toEqual([3000, 5000]);
    reserve(network, 3000);
    network.run(100);
    expect(held(network)).toEqual([3000, 3000]);
  });

  it("is tried again by the next refresh", () => {
    const network = settled(5000, { t: 4000 });
    network.host("T").room.set("B", 6000);
    network.run(46_000);
    expect(held(network)).toEqual([5000, 5000]);
  });

  it("because the senders want more is said to those who reserved, and what was admitted stays", () => {
    const network = threeNodes();
    network.host("T").room.set("B", 4000);
    open(network, 3000);
    network.run(100);
    reserve(network, 9000);
    network.run(100);
    expect(held(network)).toEqual([3000, 3000]);
    open(network, 9000);
    network.run(100);
    expect(network.notices("B").at(-1)).toMatchObject({ what: "refused", error: { code: 1, flags: 1 } });
    expect(network.admitted("T", "B")).toBe(3000);
  });
});

describe("blockade (§3.5)", () => {
  /** Two receivers behind T: B and C, of whom C asks for too much for A's link. */
  function twoReceivers(style: "SE" | "WF" | "FF"): Network {
    const network = threeNodes();
    network.host("A").room.set("T", 4000);
    open(network, 100_000);
    network.run(100);
    ask(network, style, B, 3000);
    network.run(100);
    return network;
  }

  /** A Resv that T gets from a next hop on its link to B, which is a LAN then. */
  function ask(network: Network, style: "SE" | "WF" | "FF", from: string, rate: number): void {
    const filter = { address: A };
    const flowspec = load(rate);
    const flows =
      style === "WF"
        ? ({ style, flowspec } as const)
        : style === "SE"
          ? ({ style, flowspec, filters: [filter] } as const)
          : ({ style, flows: [{ filter, flowspec }] } as const);
    network.event("T", {
      type: "received",
      arrival: { interface: "B", source: from, ttl: 64, sendTtl: 64 },
      message: {
        kind: "Resv",
        session: SESSION,
        hop: { address: from, lih: 2 },
        refreshPeriod: 30_000 as Millis,
        policy: [],
        flows,
        unknown: [],
      },
    });
  }

  const resvErrs = (network: Network) =>
    network.sent.filter(({ from, action }) => from === "T" && action.message.kind === "ResvErr");

  it.each(["SE", "WF", "FF"] as const)("a larger request that failed does not keep out a smaller one (%s)", (style) => {
    const network = twoReceivers(style);
    ask(network, style, "10.0.2.3", 9000);
    network.run(100);
    // The failed request was merged, then blockaded, and the smaller one goes up again.
    const rates = network.sent.flatMap(({ from, action }) => {
      if (from !== "T" || action.message.kind !== "Resv") return [];
      const { flows } = action.message;
      return flows.style === "FF"
        ? flows.flows.map(({ flowspec }) => flowspec.tspec.rate)
        : [flows.flowspec.tspec.rate];
    });
    expect(rates).toEqual([3000, 9000, 3000]);
    expect(network.admitted("A", "T")).toBe(3000);
  });

  it("with InPlace the error goes only to whose request is blockaded", () => {
    const network = twoReceivers("SE");
    ask(network, "SE", "10.0.2.3", 9000);
    network.run(100);
    expect(resvErrs(network).map(({ action }) => action.destination)).toEqual(["10.0.2.3"]);
  });

  it("lasts Kb·R, then the larger one is tried again", () => {
    const network = twoReceivers("SE");
    ask(network, "SE", "10.0.2.3", 9000);
    network.run(59_000);
    const before = network.now;
    network.run(1200);
    const tried = network.sent.filter(
      ({ at, from, action }) => at >= before && from === "T" && action.message.kind === "Resv",
    );
    expect(tried.map(({ action }) => action.message)).toContainEqual(
      expect.objectContaining({ flows: { style: "SE", flowspec: load(9000), filters: [{ address: A }] } }),
    );
  });
});

describe("errors about Paths (§3.1.7)", () => {
  it("go back along the path to the sender, and change nothing", () => {
    const network = settled(1000);
    const before = network.host("T").node.session(SESSION);
    network.event("T", {
      type: "received",
      arrival: { interface: "B", source: B, ttl: 64, sendTtl: 64 },
      message: {
        kind: "PathErr",
        session: SESSION,
        error: { node: B, flags: 0, code: 2, value: 7 },
        policy: [],
        sender: { template: { address: A }, tspec: tspec(100_000) },
        unknown: [],
      },
    });
    network.run(100);
    expect(network.notices("A").at(-1)).toMatchObject({ what: "pathError", error: { node: B, code: 2, value: 7 } });
    expect(network.host("T").node.session(SESSION)).toEqual(before);
  });

  const path = (session: Session, port: number | undefined) => ({
    type: "received" as const,
    arrival: { interface: "A", source: A, ttl: 64, sendTtl: 64 },
    message: {
      kind: "Path" as const,
      session,
      hop: { address: A, lih: 1 },
      refreshPeriod: 30_000 as Millis,
      policy: [],
      sender: { template: { address: A, ...(port === undefined ? {} : { port }) }, tspec: tspec(1) },
      unknown: [],
    },
  });
  const udp = (port: number): Session => ({ kind: "ip", destination: B, protocol: 17, port, ePolice: false });

  it("by the receiver name the Path that they are about, and whoever found the error", () => {
    const network = settled(3000);
    const before = held(network);
    const error = { node: "10.0.1.254", flags: 1, code: 1, value: 2 };
    const complain = { type: "complain", session: SESSION, error } as const;
    network.event("B", { ...complain, template: { address: A } });
    network.run(10);
    const sender = { template: { address: A }, tspec: tspec(100_000) };
    expect(network.notices("A").at(-1)).toEqual({ what: "pathError", error, sender });
    expect(held(network)).toEqual(before);
    const ignored = [{ do: "ignore", what: "complaint to a sender that is not upstream" }];
    expect(network.event("B", { ...complain, template: { address: "10.9.9.9" } })).toEqual(ignored);
    expect(network.event("A", { ...complain, template: { address: A } })).toEqual(ignored);
  });

  it("conflicting destination ports are error 7 (§3.2)", () => {
    const network = threeNodes();
    network.event("T", path(udp(5000), 1));
    network.event("T", path(udp(0), 0));
    expect(network.sent.at(-1)).toMatchObject({
      action: { destination: A, message: { kind: "PathErr", error: { code: 7 } } },
    });
    expect([...network.host("T").node.sessions()]).toHaveLength(1);
  });

  it("conflicting sender ports are error 8 (§3.2)", () => {
    const network = threeNodes();
    network.event("T", path(udp(5000), 1));
    network.event("T", path(udp(5000), 0));
    expect(network.sent.at(-1)).toMatchObject({ action: { message: { kind: "PathErr", error: { code: 8 } } } });
  });

  it("too many sessions or senders are error 23", () => {
    const network = threeNodes({ ...RULES, maxSessions: 1, maxSenders: 1 });
    network.event("T", path(SESSION, undefined));
    network.event("T", path(AF, undefined));
    const second = path(SESSION, undefined);
    const { message } = second;
    network.event("T", {
      ...second,
      message: { ...message, sender: { ...message.sender, template: { address: "10.0.1.9" } } },
    });
    const codes = network.sent.map(({ action }) => (action.message.kind === "PathErr" ? action.message.error.code : 0));
    expect(codes).toEqual([23, 23]);
  });
});

describe("styles (§1.3, §B)", () => {
  it("that differ are error 5 with the existing style as value", () => {
    const network = settled(1000);
    network.event("T", {
      type: "received",
      arrival: { interface: "B", source: "10.0.2.3", ttl: 64, sendTtl: 64 },
      message: {
        kind: "Resv",
        session: SESSION,
        hop: { address: "10.0.2.3", lih: 2 },
        refreshPeriod: 30_000 as Millis,
        policy: [],
        flows: { style: "WF", flowspec: load(1) },
        unknown: [],
      },
    });
    expect(network.sent.at(-1)).toMatchObject({
      action: { destination: "10.0.2.3", message: { kind: "ResvErr", error: { code: 5, value: 0b01010 } } },
    });
  });

  it("that are unknown are answered with error 6 from what could be read", () => {
    const network = settled(1000);
    const error = unknownStyle(0x123, 0).within({
      kind: "Resv",
      session: SESSION,
      hop: { address: B, lih: 2 },
      flows: { style: "unknown", optionVector: 0x123 },
    });
    const arrival = { interface: "B", source: B, ttl: 64, sendTtl: 64 };
    network.event("T", { type: "unreadable", error, arrival });
    expect(network.sent.at(-1)).toMatchObject({
      action: { destination: B, message: { kind: "ResvErr", error: { code: 6 } } },
    });
  });

  it("services that differ are error 21, sub-code 1", () => {
    const network = settled(1000);
    network.event("T", {
      type: "received",
      arrival: { interface: "B", source: "10.0.2.3", ttl: 64, sendTtl: 64 },
      message: {
        kind: "Resv",
        session: SESSION,
        hop: { address: "10.0.2.3", lih: 2 },
        refreshPeriod: 30_000 as Millis,
        policy: [],
        flows: {
          style: "FF",
          flows: [
            {
              filter: { address: A },
              flowspec: { kind: "guaranteed", tspec: tspec(1), rate: 2 as never, slackMicros: 0 },
            },
          ],
        },
        unknown: [],
      },
    });
    expect(network.sent.at(-1)).toMatchObject({
      action: { message: { kind: "ResvErr", error: { code: 21, value: 1 } } },
    });
  });
});

describe("bandwidth reduction (RFC 4495)", () => {
  it("sends ResvErr 2/102 with InPlace and what is left, and no ResvTear", () => {
    const network = settled(5000);
    const before = network.now;
    network.resize("T", "B", 2000);
    network.run(10);
    const [error] = network.sent.filter(({ at, action }) => at >= before && action.message.kind === "ResvErr");
    expect(error).toMatchObject({
      from: "T",
      action: {
        destination: B,
        message: { error: { code: 2, value: 102, flags: 1 }, flows: { flowspec: { tspec: { rate: 2000 } } } },
      },
    });
    expect(network.notices("B").at(-1)).toMatchObject({ what: "preempted", granted: { tspec: { rate: 2000 } } });
    expect(network.kinds("T", before)).not.toContain("ResvTear");
    expect(network.admitted("T", "B")).toBe(2000);
  });

  it("is said again, not made greater, to a receiver that does not answer (§4 Req#4)", () => {
    const network = settled(5000);
    network.resize("T", "B", 2000);
    network.run(300_000);
    const limits = network.notices("B").flatMap((each) => (each.what === "preempted" ? [each.granted.tspec.rate] : []));
    expect(limits.length).toBeGreaterThan(4);
    expect(new Set(limits)).toEqual(new Set([2000]));
    expect(held(network)).toEqual([2000, 2000]);
  });

  it("ends when the receiver asks for no more than that", () => {
    const network = settled(5000);
    network.resize("T", "B", 2000);
    network.run(10);
    reserve(network, 2000);
    network.run(100_000);
    expect(held(network)).toEqual([2000, 2000]);
    expect(network.notices("B").filter(({ what }) => what === "preempted")).toHaveLength(1);
    network.resize("T", "B", 9000);
    reserve(network, 5000);
    network.run(100);
    expect(held(network)).toEqual([5000, 5000]);
  });

  it("takes from the least important first, and only from as many as it must (§5.6)", () => {
    const network = threeNodes(RULES, (session) => (session.kind === "aggregate" && session.dscp === EF ? 200 : 100));
    for (const session of [SESSION, AF]) {
      open(network, 5000, session);
      network.run(50);
      reserve(network, 4000, false, session);
      network.run(50);
    }
    network.resize("T", "B", 7000);
    network.run(10);
    const rate = (session: Session): number | undefined =>
      [...(network.host("T").node.session(session)?.effective.values() ?? [])][0]?.admitted?.tspec.rate;
    expect([rate(SESSION), rate(AF)]).toEqual([4000, 3000]);
    network.resize("T", "B", 3500);
    network.run(10);
    expect([rate(SESSION), rate(AF)]).toEqual([3500, undefined]);
  });

  it("of everything is error 12 and a ResvTear upstream", () => {
    const network = settled(5000);
    const before = network.now;
    network.resize("T", "B", 0);
    network.run(10);
    expect(network.notices("B").at(-1)).toMatchObject({ what: "refused", error: { code: 12, flags: 0 } });
    expect(network.kinds("T", before)).toContain("ResvTear");
    expect(held(network)).toEqual([0, 0]);
  });
});

describe("what is not for this node", () => {
  it("is ignored and said to be", () => {
    const network = settled(1000);
    const received = (message: object, iface = "B") =>
      network.event("T", {
        type: "received",
        arrival: { interface: iface, source: B, ttl: 64, sendTtl: 64 },
        message: {
          session: SESSION,
          hop: { address: B, lih: 99 },
          refreshPeriod: 1,
          policy: [],
          unknown: [],
          ...message,
        } as never,
      });
    const flows = { style: "WF", flowspec: load(1) };
    for (const actions of [
      received({ kind: "Resv", flows }),
      received({ kind: "ResvTear", flows: { style: "WF" } }),
      received({ kind: "ResvErr", error: { code: 1, flags: 0, node: B, value: 2 }, flows }),
      received({ kind: "Resv", flows }, "nowhere"),
      received({ kind: "PathTear", session: AF, template: { address: A } }),
      network.event("T", {
        type: "admission",
        ref: { session: SESSION, interface: "B", flow: "*" },
        id: 9,
        verdict: { admit: true },
      }),
      network.event("T", { type: "preempt", ref: { session: SESSION, interface: "A", flow: "*" } }),
      network.event("T", { type: "close", session: SESSION, template: { address: A } }),
      network.event("T", { type: "release", session: SESSION }),
      network.event("T", { type: "interfaceLost", name: "nowhere" }),
      network.event("T", { type: "routeChanged", destination: "10.7.7.7", route: { kind: "none" } }),
    ]) {
      expect(actions.map((action) => action.do)).toEqual(["ignore"]);
    }
    expect(held(network)).toEqual([1000, 1000]);
  });

  it("non-RSVP hops are noticed by the TTL, and told in the ADSPEC (§3.8)", () => {
    const network = threeNodes();
    const general = {
      broken: false,
      invalid: [],
      others: [],
      hops: 1,
      pathBandwidth: 1e6,
      minLatencyMicros: 10,
      pathMtu: 9000,
    };
    const send = (sendTtl: number) =>
      network.event("T", {
        type: "received",
        arrival: { interface: "A", source: A, ttl: 60, sendTtl },
        message: {
          kind: "Path",
          session: SESSION,
          hop: { address: A, lih: 1 },
          refreshPeriod: 30_000 as Millis,
          policy: [],
          sender: { template: { address: A }, tspec: tspec(1), adspec: { general: general as never, others: [] } },
          unknown: [],
        },
      });
    send(60);
    network.run(10);
    send(62);
    network.run(10);
    const told = network.sent.map(({ action }) =>
      action.message.kind === "Path" ? action.message.sender.adspec?.general : undefined,
    );
    expect(told).toMatchObject([
      { broken: false, invalid: [6], hops: 2, pathMtu: 1500 as Octets },
      { broken: true, hops: 2 },
    ]);
  });
});

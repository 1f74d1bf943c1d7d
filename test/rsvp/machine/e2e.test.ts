/** End-to-end sessions across an aggregation region (RFC 3175 §2, §3.1), by the nodes at its edges. */
import { beforeEach, describe, expect, it } from "vitest";
import type { IpAddress } from "../../../src/model/ip.js";
import { bytesPerSecond, millis, octets } from "../../../src/model/units.js";
import type { PathMessage, SessionMessage } from "../../../src/rsvp/codec/message.js";
import type { Adspec, IpSession } from "../../../src/rsvp/codec/objects.js";
import type { Arrival, NodeAction, RegionSide } from "../../../src/rsvp/machine/events.js";
import { RsvpNode } from "../../../src/rsvp/machine/node.js";
import { DEFAULT_RULES } from "../../../src/rsvp/machine/rules.js";
import { load, tspec } from "./network.js";

const SENDER = "10.1.0.9";
const RECEIVER = "10.3.0.9";
const EDGE = "10.9.9.9";
const OTHER_EDGE = "10.8.8.8";
const OUTER = "10.1.0.1";
const INNER = "10.2.0.1";
const SESSION: IpSession = { kind: "ip", destination: RECEIVER, protocol: 17, port: 5004, ePolice: false };
const TEMPLATE = { address: SENDER, port: 4000 };
const INTERIOR: RegionSide = { side: "interior", address: EDGE };

type Send = Extract<NodeAction, { do: "send" }>;

/** An edge with interfaces `out` and `in`, whose index is that of their names. */
class Edge {
  readonly node = new RsvpNode(DEFAULT_RULES);
  now = 0;

  constructor(regions: Partial<Record<"in" | "out", RegionSide>> = { in: INTERIOR, out: { side: "exterior" } }) {
    for (const [name, address, lih] of [
      ["out", OUTER, 1],
      ["in", INNER, 2],
    ] as const) {
      const region = regions[name];
      const fields = { name, addresses: [address], lih, mtu: octets(1500) };
      this.node.step(
        { type: "interface", interface: region === undefined ? fields : { ...fields, region } },
        this.at(),
      );
    }
  }

  at() {
    return { now: this.now, random: 0.5 };
  }

  hear(message: SessionMessage, name: "in" | "out", more: Partial<Arrival> = {}): readonly NodeAction[] {
    const arrival: Arrival = { interface: name, source: SENDER, ttl: 60, sendTtl: 60, ...more };
    return this.node.step({ type: "received", message, arrival }, this.at());
  }

  route(name: "in" | "out", destination: IpAddress = RECEIVER): readonly NodeAction[] {
    return this.node.step({ type: "routeChanged", destination, route: { kind: "interface", name } }, this.at());
  }
}

const path = (hop: string, adspec?: Adspec, session: PathMessage["session"] = SESSION): PathMessage => ({
  kind: "Path",
  session,
  hop: { address: hop, lih: 5 },
  refreshPeriod: millis(30_000),
  policy: [],
  sender: { template: TEMPLATE, tspec: tspec(1000), ...(adspec === undefined ? {} : { adspec }) },
  unknown: [],
});

const tear = (hop: string): SessionMessage => ({
  kind: "PathTear",
  session: SESSION,
  hop: { address: hop, lih: 5 },
  template: TEMPLATE,
  unknown: [],
});

const resv = (hop: string, lih: number): SessionMessage => ({
  kind: "Resv",
  session: SESSION,
  hop: { address: hop, lih },
  refreshPeriod: millis(30_000),
  confirm: RECEIVER,
  policy: [],
  flows: { style: "FF", flows: [{ filter: TEMPLATE, flowspec: load(1000) }] },
  unknown: [],
});

const confirmation: SessionMessage = {
  kind: "ResvConf",
  session: SESSION,
  error: { node: SENDER, flags: 0, code: 0, value: 0 },
  confirm: RECEIVER,
  flows: { style: "FF", flows: [{ filter: TEMPLATE, flowspec: load(1000) }] },
  unknown: [],
};

const sends = (actions: readonly NodeAction[]): Send[] => actions.filter((action) => action.do === "send");
const ignored = (actions: readonly NodeAction[]): string[] =>
  actions.flatMap((action) => (action.do === "ignore" ? [action.what] : []));
const request = (actions: readonly NodeAction[]) => actions.find((action) => action.do === "reserve")!;

describe("the aggregator (RFC 3175 §2.1, §2.8)", () => {
  let edge: Edge;
  beforeEach(() => {
    edge = new Edge();
    edge.hear(path(SENDER), "out");
  });

  it("hides a Path that goes into the region, and is its previous hop under the address of its aggregates", () => {
    const [sent] = sends(edge.route("in"));
    expect(sent).toMatchObject({
      endToEnd: true,
      interface: "in",
      destination: RECEIVER,
      source: SENDER,
      routerAlert: true,
      ttl: 59,
      message: { kind: "Path", hop: { address: EDGE, lih: 2 } },
    });
  });

  it("hides its PathTear alike, also when nobody refreshed the Path", () => {
    edge.route("in");
    const torn = { endToEnd: true, message: { kind: "PathTear", hop: { address: EDGE, lih: 2 } } };
    expect(sends(edge.hear(tear(SENDER), "out"))).toMatchObject([torn]);
    edge.hear(path(SENDER), "out");
    edge.route("in");
    edge.now = 200_000;
    expect(sends(edge.node.step({ type: "due" }, edge.at()))).toMatchObject([torn]);
  });

  it("passes a Resv of the other edge on to the sender's side as any RSVP, and hides the ResvConf", () => {
    edge.route("in");
    const { ref, id } = request(edge.hear(resv(OTHER_EDGE, 2), "in"));
    expect(ref.interface).toBe("in");
    const [sent] = sends(edge.node.step({ type: "admission", ref, id, verdict: { admit: true } }, edge.at()));
    expect(sent).toMatchObject({ interface: "out", destination: SENDER, message: { hop: { address: OUTER, lih: 5 } } });
    expect(sent).not.toHaveProperty("endToEnd");
    expect(sends(edge.hear(confirmation, "out"))).toMatchObject([{ endToEnd: true, destination: RECEIVER, ttl: 59 }]);
  });

  it("tells the other edge of an error directly, without hiding it (§3.1)", () => {
    edge.route("in");
    const { ref, id } = request(edge.hear(resv(OTHER_EDGE, 2), "in"));
    const verdict = { admit: false, error: { code: 1, value: 2 } } as const;
    const [sent] = sends(edge.node.step({ type: "admission", ref, id, verdict }, edge.at()));
    expect(sent).toMatchObject({
      destination: OTHER_EDGE,
      routerAlert: false,
      message: { kind: "ResvErr", hop: { address: EDGE, lih: 2 } },
    });
    expect(sent).not.toHaveProperty("endToEnd");
  });

  it("is none for what goes on outside the region", () => {
    const [sent] = sends(edge.route("out"));
    expect(sent).not.toHaveProperty("endToEnd");
    expect(sent).toMatchObject({ message: { hop: { address: OUTER } } });
  });
});

describe("the deaggregator (RFC 3175 §2.3, §2.5)", () => {
  const across = { endToEnd: true, ttl: 60, sendTtl: 63 } as const;

  it("sends a hidden Path on as RSVP, and remembers the aggregator as the previous hop", () => {
    const edge = new Edge();
    edge.hear(path(OTHER_EDGE), "in", across);
    const [sent] = sends(edge.route("out"));
    expect(sent).toMatchObject({
      interface: "out",
      ttl: 59,
      message: { kind: "Path", hop: { address: OUTER, lih: 1 } },
    });
    expect(sent).not.toHaveProperty("endToEnd");
    const { ref, id } = request(edge.hear(resv(RECEIVER, 1), "out"));
    const [resvSent] = sends(edge.node.step({ type: "admission", ref, id, verdict: { admit: true } }, edge.at()));
    expect(resvSent).toMatchObject({
      interface: "in",
      destination: OTHER_EDGE,
      routerAlert: false,
      message: { kind: "Resv", hop: { address: EDGE, lih: 5 } },
    });
    expect(resvSent).not.toHaveProperty("endToEnd");
  });

  it("does not take the region's routers for ones without RSVP (§1.4.5)", () => {
    const general = {
      broken: false,
      invalid: [],
      others: [],
      hops: 1,
      pathBandwidth: bytesPerSecond(1e6),
      minLatencyMicros: 10,
      pathMtu: octets(1500),
    };
    const brokenOf = (more: Partial<Arrival>): boolean | undefined => {
      const edge = new Edge();
      edge.hear(path(OTHER_EDGE, { general, others: [] }), "in", more);
      const [sent] = sends(edge.route("out"));
      return sent?.message.kind === "Path" ? sent.message.sender.adspec?.general.broken : undefined;
    };
    expect(brokenOf(across)).toBe(false);
    expect(brokenOf({ ttl: 60, sendTtl: 63 })).toBe(true);
  });

  it("tears and confirms towards the receiver as RSVP", () => {
    const edge = new Edge();
    edge.hear(path(OTHER_EDGE), "in", across);
    edge.route("out");
    for (const message of [confirmation, tear(OTHER_EDGE)]) {
      const [sent] = sends(edge.hear(message, "in", across));
      expect(sent?.message.kind).toBe(message.kind);
      expect(sent).not.toHaveProperty("endToEnd");
    }
    expect([...edge.node.sessions()]).toEqual([]);
  });

  it("does not believe a router of the region while the other edge's Path lives", () => {
    const edge = new Edge();
    edge.hear(path(OTHER_EDGE), "in", across);
    edge.route("out");
    expect(ignored(edge.hear(path("10.2.0.2"), "in"))).toEqual([
      "Path by a router of the region, of a session that crosses it",
    ]);
    edge.now = 200_000;
    edge.node.step({ type: "due" }, edge.at());
    expect(ignored(edge.hear(path("10.2.0.2"), "in"))).toEqual([]);
    expect([...edge.node.sessions()]).toHaveLength(1);
  });

  it("is the border between two regions for what goes on inside", () => {
    const edge = new Edge();
    edge.hear(path(OTHER_EDGE), "in", across);
    expect(sends(edge.route("in"))).toMatchObject([{ endToEnd: true, message: { hop: { address: EDGE } } }]);
  });
});

describe("what is not end to end", () => {
  it("takes RSVP-E2E-IGNORE only inside a region, for three messages, and about flows", () => {
    const edge = new Edge();
    const plain = new Edge({});
    const aggregate = { kind: "aggregate", destination: EDGE, dscp: 46, ePolice: false } as PathMessage["session"];
    const across = { endToEnd: true } as const;
    expect(ignored(edge.hear(path(SENDER), "out", across))).toEqual([
      "RSVP-E2E-IGNORE from outside an aggregation region",
    ]);
    expect(ignored(plain.hear(path(SENDER), "in", across))).toEqual([
      "RSVP-E2E-IGNORE from outside an aggregation region",
    ]);
    expect(ignored(edge.hear(path(SENDER, undefined, aggregate), "in", across))).toEqual([
      "RSVP-E2E-IGNORE about an aggregate",
    ]);
    expect(ignored(edge.hear(resv(OTHER_EDGE, 2), "in", across))).toEqual(["RSVP-E2E-IGNORE with a Resv"]);
    expect([...edge.node.sessions(), ...plain.node.sessions()]).toEqual([]);
  });

  it("leaves single flows inside the region, and everything without regions, as they were", () => {
    const passing = new Edge();
    passing.hear(path(OTHER_EDGE), "in");
    const plain = new Edge({});
    plain.hear(path(SENDER), "out");
    for (const edge of [passing, plain]) {
      const [sent] = sends(edge.route("in"));
      expect(sent).toMatchObject({ message: { kind: "Path", hop: { address: INNER, lih: 2 } } });
      expect(sent).not.toHaveProperty("endToEnd");
    }
  });

  it("is no edge for a family in which it has no address for aggregates", () => {
    const edge = new Edge({ in: { side: "interior", address: "2001:db8::1" }, out: { side: "exterior" } });
    edge.hear(path(SENDER), "out");
    const [sent] = sends(edge.route("in"));
    expect(sent).toMatchObject({ message: { hop: { address: INNER } } });
    expect(sent).not.toHaveProperty("endToEnd");
  });
});

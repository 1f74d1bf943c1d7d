/** One router between several previous and next hops: RFC 2205 §1.4, §3.1.4 to §3.1.6, §3.4. */
import { describe, expect, it } from "vitest";
import type { BytesPerSecond, Millis, Octets } from "../../../src/model/units.js";
import type { FlowDescriptors, SessionMessage, TornFlows } from "../../../src/rsvp/codec/message.js";
import type { Flowspec, Session } from "../../../src/rsvp/codec/objects.js";
import { load, Network, tspec } from "./network.js";

const GROUP: Session = { kind: "ip", destination: "10.0.9.9", protocol: 17, port: 5004, ePolice: false };
const S1 = { address: "10.1.0.1", port: 1 };
const S2 = { address: "10.2.0.2", port: 2 };
const S3 = { address: "10.2.0.3", port: 3 };
const R1 = "10.0.9.1";
const R2 = "10.0.9.2";

/** The router of figure 4 with one outgoing interface: S1 behind `a`, S2 and S3 behind `b`, receivers on the LAN `c`. */
class Router {
  readonly network = new Network();

  constructor() {
    this.network.add("router");
    const host = this.network.host("router");
    for (const [index, name] of ["a", "b", "c"].entries()) {
      const addresses = [`10.0.${index + 1}.254`];
      this.network.event("router", {
        type: "interface",
        interface: { name, addresses, lih: index + 1, mtu: 1500 as Octets },
      });
    }
    host.routes.set(GROUP.destination, "c");
    this.path("a", S1);
    this.path("b", S2);
    this.path("b", S3);
    this.run();
  }

  path(via: "a" | "b", template: typeof S1, rate = 100_000): void {
    const sender = { template, tspec: tspec(rate) };
    const { hop } = this.#up(via);
    this.#receive(via, { kind: "Path", session: GROUP, hop, refreshPeriod: R, policy: [], sender, unknown: [] });
  }

  pathTear(via: "a" | "b", template: typeof S1): void {
    this.#receive(via, { kind: "PathTear", session: GROUP, hop: this.#up(via).hop, template, unknown: [] });
  }

  resv(from: string, flows: FlowDescriptors, more: { confirm?: string; scope?: readonly string[] } = {}): void {
    const hop = { address: from, lih: 3 };
    this.#receive("c", {
      kind: "Resv",
      session: GROUP,
      hop,
      refreshPeriod: R,
      policy: [],
      flows,
      unknown: [],
      ...more,
    });
  }

  resvTear(from: string, flows: TornFlows): void {
    this.#receive("c", { kind: "ResvTear", session: GROUP, hop: { address: from, lih: 3 }, flows, unknown: [] });
  }

  /** What went out since the last call, in short. */
  told(): string[] {
    const fresh = this.network.sent.slice(this.#told);
    this.#told = this.network.sent.length;
    return fresh.map(({ action }) => `${action.interface ?? action.destination} ${brief(action.message)}`).sort();
  }
  #told = 0;

  run(milliseconds = 100): void {
    this.network.run(milliseconds);
  }

  get installed(): number {
    return this.network.admitted("router", "c");
  }

  #up(via: "a" | "b") {
    return { hop: { address: via === "a" ? "10.0.1.1" : "10.0.2.1", lih: 77 } };
  }

  #receive(via: string, message: SessionMessage): void {
    const arrival = { interface: via, source: "10.0.0.1", ttl: 64, sendTtl: 64 };
    this.network.event("router", { type: "received", message, arrival });
  }
}

const R = 30_000 as Millis;
const names = new Map([S1, S2, S3].map((sender, index) => [sender.address, `S${index + 1}`]));
const of = (address: string): string => names.get(address) ?? address;

function brief(message: SessionMessage): string {
  switch (message.kind) {
    case "Resv":
    case "ResvConf":
      return `${message.kind}${message.kind === "Resv" && message.confirm !== undefined ? "?" : ""} ${briefFlows(message.flows)}${
        message.kind === "Resv" && message.scope !== undefined ? ` [${message.scope.map(of).join()}]` : ""
      }`;
    case "ResvTear":
      return message.flows.style === "WF"
        ? "ResvTear"
        : `ResvTear ${message.flows.filters.map(({ address }) => of(address)).join()}`;
    case "Path":
    case "PathTear":
    case "PathErr":
    case "ResvErr":
      return message.kind;
  }
}

function briefFlows(flows: FlowDescriptors): string {
  if (flows.style === "WF") return `WF *{${flows.flowspec.tspec.rate}}`;
  if (flows.style === "SE")
    return `SE ${flows.filters.map(({ address }) => of(address)).join()}{${flows.flowspec.tspec.rate}}`;
  return `FF ${flows.flows.map(({ filter, flowspec }) => `${of(filter.address)}{${flowspec.tspec.rate}}`).join()}`;
}

const ff = (...flows: [typeof S1, number][]): FlowDescriptors => ({
  style: "FF",
  flows: flows.map(([filter, rate]) => ({ filter, flowspec: load(rate) })),
});
const se = (rate: number, ...filters: (typeof S1)[]): FlowDescriptors => ({
  style: "SE",
  flowspec: load(rate),
  filters,
});
const wf = (rate: number): FlowDescriptors => ({ style: "WF", flowspec: load(rate) });

function router(): Router {
  const made = new Router();
  made.told();
  return made;
}

describe("fixed filter (figure 6)", () => {
  it("reserves for each sender the largest request, and packs them by previous hop", () => {
    const it = router();
    it.resv(R1, ff([S1, 4000], [S2, 5000]));
    it.resv(R2, ff([S1, 3000], [S3, 1000]));
    it.run();
    expect(it.installed).toBe(10_000);
    expect(it.told().filter((each) => each.startsWith("a"))).toEqual(["a Resv FF S1{4000}"]);
    it.run(60_000);
    expect(it.told()).toContain("b Resv FF S2{5000},S3{1000}");
  });

  it("a ResvTear forwards a tear, a smaller Resv, or nothing (§3.1.6)", () => {
    const it = router();
    it.resv(R1, ff([S1, 4000]));
    it.resv(R2, ff([S1, 3000], [S3, 1000]));
    it.run();
    it.told();
    it.resvTear(R2, { style: "FF", filters: [S3] });
    expect(it.told()).toEqual(["b ResvTear S3"]);
    it.resvTear(R1, { style: "FF", filters: [S1] });
    expect(it.told()).toEqual(["a Resv FF S1{3000}"]);
    it.resv(R1, ff([S1, 1000]));
    it.run();
    it.resvTear(R1, { style: "FF", filters: [S1] });
    expect(it.told()).toEqual([]);
    expect(it.installed).toBe(3000);
  });
});

describe("shared explicit (figure 7)", () => {
  it("shares the largest request between the union of the senders", () => {
    const it = router();
    it.resv(R1, se(1000, S1, S2));
    it.resv(R2, se(3000, S1, S3));
    it.run();
    expect(it.installed).toBe(3000);
    const told = it.told();
    expect(told).toContain("a Resv SE S1{3000}");
    expect(told).toContain("b Resv SE S2,S3{3000}");
  });

  it("loses single senders to a ResvTear that names them", () => {
    const it = router();
    it.resv(R1, se(1000, S1, S2, S3));
    it.run();
    it.told();
    it.resvTear(R1, { style: "SE", filters: [S2] });
    expect(it.told()).toEqual(["b Resv SE S3{1000}", "b ResvTear S2"]);
    expect(it.installed).toBe(1000);
  });

  it("gives up senders that a later Resv names no more", () => {
    const it = router();
    it.resv(R1, se(1000, S1, S2));
    it.run();
    it.told();
    it.resv(R1, se(1000, S1));
    it.run();
    expect(it.told()).toEqual(["b ResvTear S2"]);
  });
});

describe("wildcard filter (figure 5, §3.4)", () => {
  it("goes to all previous hops, with the senders behind each in SCOPE", () => {
    const it = router();
    it.resv(R1, wf(4000));
    it.resv(R2, wf(3000));
    it.run();
    expect(it.installed).toBe(4000);
    expect(it.told()).toEqual(["a Resv WF *{4000} [S1]", "b Resv WF *{4000} [S2,S3]"]);
  });

  it("is not forwarded where nobody in its scope is", () => {
    const it = router();
    it.resv(R1, wf(4000), { scope: [S1.address] });
    it.run();
    expect(it.told()).toEqual(["a Resv WF *{4000} [S1]"]);
  });

  it("lasts until the last sender is gone", () => {
    const it = router();
    it.resv(R1, wf(4000));
    it.run();
    it.pathTear("a", S1);
    it.pathTear("b", S2);
    expect(it.installed).toBe(4000);
    it.pathTear("b", S3);
    expect(it.installed).toBe(0);
  });
});

describe("loss of a sender (§3.1.5)", () => {
  it.each(["FF", "SE"] as const)("takes it out of reservations without telling upstream (%s)", (style) => {
    const it = router();
    it.resv(R1, style === "FF" ? ff([S2, 1000], [S3, 2000]) : se(2000, S2, S3));
    it.run();
    it.told();
    it.pathTear("b", S2);
    it.run();
    expect(it.told()).toEqual(["c PathTear"]);
    expect(it.installed).toBe(2000);
  });
});

describe("confirmations (§3.1.4)", () => {
  it("go on with the largest request, and end where a request is merged into another", () => {
    const it = router();
    it.resv(R1, ff([S1, 4000]), { confirm: R1 });
    it.run();
    expect(it.told()).toEqual(["a Resv? FF S1{4000}"]);
    it.resv(R2, ff([S1, 3000]), { confirm: R2 });
    it.run();
    expect(it.told()).toEqual([`${R2} ResvConf FF S1{3000}`]);
    it.resv(R2, ff([S1, 4000]), { confirm: R2 });
    it.run();
    expect(it.told()).toEqual([`${R2} ResvConf FF S1{4000}`]);
  });

  it("are not given for what was refused", () => {
    const it = router();
    it.network.host("router").room.set("c", 1000);
    it.resv(R1, ff([S1, 4000]), { confirm: R1 });
    it.run();
    expect(it.told()).toEqual(["c ResvErr"]);
  });
});

describe("answers of traffic control that come late (§3.11.2)", () => {
  const slow = (): Router => {
    const made = router();
    made.network.host("router").room.set("c", 6000);
    made.network.admissionDelay = () => 50;
    return made;
  };

  it("refuse only what is still asked for", () => {
    const it = slow();
    it.resv(R1, ff([S1, 9000]));
    it.run(10);
    it.resv(R1, ff([S1, 5000]));
    it.run(200);
    expect(it.told()).toEqual(["a Resv FF S1{5000}"]);
    expect(it.installed).toBe(5000);
  });

  it("grant only what they were asked for", () => {
    const it = slow();
    it.resv(R1, ff([S1, 5000]));
    it.run(10);
    it.resv(R1, ff([S1, 9000]));
    it.run(200);
    expect(it.told()).toEqual(["c ResvErr"]);
    expect(it.installed).toBe(0);
  });

  it("find an interface that shrank in the meantime", () => {
    const it = slow();
    it.resv(R1, ff([S1, 5000]));
    it.run(10);
    it.network.resize("router", "c", 2000);
    it.run(200);
    expect(it.installed).toBe(2000);
    expect(it.told()).toContain("c ResvErr");
  });

  it("do not let more be believed while a change that is neither more nor less is open", () => {
    const it = slow();
    it.resv(R1, ff([S1, 5000]));
    it.run(200);
    const other: Flowspec = { ...load(3000), tspec: { ...tspec(3000), bucket: 9000 as Octets } };
    it.resv(R1, { style: "FF", flows: [{ filter: S1, flowspec: other }] });
    expect(it.network.host("router").node.reserved("c")).toBe(3000);
    it.run(200);
    expect(it.network.host("router").installed.values().next().value?.flowspec).toEqual(other);
  });

  it("that refused the senders are asked again at the next refresh", () => {
    const it = slow();
    it.path("a", S1, 3000);
    it.resv(R1, ff([S1, 9000]));
    it.run(200);
    it.path("a", S1, 9000);
    it.run(200);
    expect(it.installed).toBe(3000);
    it.network.host("router").room.set("c", 10_000);
    it.resv(R1, ff([S1, 9000]));
    it.run(200);
    expect(it.installed).toBe(9000);
  });
});

describe("a change of service", () => {
  const guaranteed = (rate: number): Flowspec => ({
    kind: "guaranteed",
    tspec: tspec(rate),
    rate: (rate + 1000) as BytesPerSecond,
    slackMicros: 0,
  });
  const asked = (rate: number): FlowDescriptors => ({
    style: "FF",
    flows: [{ filter: S1, flowspec: guaranteed(rate) }],
  });

  it("by the only receiver is admitted like an increase", () => {
    const it = router();
    it.resv(R1, ff([S1, 4000]));
    it.run();
    it.resv(R1, asked(3000));
    it.run();
    expect(it.installed).toBe(4000);
    expect(it.network.host("router").node.reserved("c")).toBe(4000);
  });

  it("that is still to be admitted keeps another receiver out", () => {
    const it = router();
    it.resv(R1, ff([S1, 4000]));
    it.run();
    it.told();
    it.network.admissionDelay = () => 50;
    it.resv(R1, asked(3000));
    it.resv(R2, ff([S1, 4000]));
    it.run();
    expect(it.told()).toEqual(["a Resv FF S1{3000}", "c ResvErr"]);
  });

  it("that is refused leaves what was there", () => {
    const it = router();
    it.network.host("router").room.set("c", 4500);
    it.resv(R1, ff([S1, 4000]));
    it.run();
    it.resv(R1, asked(4000));
    it.run();
    expect(it.installed).toBe(4000);
    expect(it.network.host("router").node.reserved("c")).toBe(4000);
    expect(it.told()).toContain("c ResvErr");
  });
});

/** H1 - R1 - T - R2 - H2 in memory: hosts that speak RSVP, edges of an aggregation region, and a router inside it. */
import { FakeKernel } from "../../../../src/kernel/fake.js";
import { Reconciler } from "../../../../src/kernel/reconcile/reconciler.js";
import type { IpAddress } from "../../../../src/model/ip.js";
import { SILENT_LOGGER } from "../../../../src/model/log.js";
import {
  type BytesPerSecond,
  bitsPerSecond,
  bytesPerSecond,
  dscp,
  millis,
  octets,
} from "../../../../src/model/units.js";
import { EndToEndEdge } from "../../../../src/pep/router/rsvp/e2e-edge.js";
import type { NetworkView } from "../../../../src/pep/router/rsvp/network-view.js";
import { ReservedPools } from "../../../../src/pep/router/rsvp/reserved-pools.js";
import { RsvpSpeaker } from "../../../../src/pep/router/rsvp/speaker.js";
import { decodePacket } from "../../../../src/rsvp/codec/decode.js";
import type { RsvpMessage } from "../../../../src/rsvp/codec/message.js";
import type { IpSession, SenderTemplate } from "../../../../src/rsvp/codec/objects.js";
import { DEFAULT_RSVP_LIMITS } from "../../../../src/rsvp/endpoint/limits.js";
import { MemoryNetwork } from "../../../../src/rsvp/endpoint/memory-network.js";
import { NodeDriver, type OutsideAction } from "../../../../src/rsvp/endpoint/node-driver.js";
import type { Notice } from "../../../../src/rsvp/machine/events.js";
import { bandwidthOf } from "../../../../src/rsvp/machine/flowspec-algebra.js";
import { RsvpNode } from "../../../../src/rsvp/machine/node.js";
import { DEFAULT_RULES } from "../../../../src/rsvp/machine/rules.js";
import type { Route } from "../../../../src/rsvp/machine/state.js";
import { DEFAULT_RELIABILITY } from "../../../../src/rsvp/reliability/rules.js";
import { KeyTable } from "../../../../src/rsvp/security/key-table.js";
import { load, tspec } from "../../../rsvp/machine/network.js";
import { FakeClock } from "../../../support/fake-clock.js";

export const REFRESH = 1000;
/** RFC 2205 §3.7 with K = 3. */
export const LIFETIME = 5.25 * REFRESH;
export const EF = dscp(46);
export const HOST = { h1: "10.1.0.9", h2: "10.3.0.9" } as const;
export const EDGE = { r1: "10.1.0.1", r2: "10.3.0.1" } as const;

type RouterName = "r1" | "t" | "r2";
type HostName = keyof typeof HOST;

const INTERFACES: Readonly<Record<RouterName | HostName, Readonly<Record<string, IpAddress>>>> = {
  h1: { r1: HOST.h1 },
  r1: { h1: EDGE.r1, t: "10.2.1.1" },
  t: { r1: "10.2.1.2", r2: "10.2.2.2" },
  r2: { t: "10.2.2.1", h2: EDGE.r2 },
  h2: { r2: HOST.h2 },
};

/** By the first octets of a destination, the most exact first. */
const WAYS: Readonly<Record<RouterName | HostName, readonly (readonly [prefix: string, name: string])[]>> = {
  h1: [["", "r1"]],
  r1: [
    ["10.1.", "h1"],
    ["", "t"],
  ],
  t: [
    ["10.1.", "r1"],
    ["10.2.1.", "r1"],
    ["", "r2"],
  ],
  r2: [
    ["10.3.", "h2"],
    ["", "t"],
  ],
  h2: [["", "r2"]],
};

function routeTo(node: RouterName | HostName, destination: IpAddress): Route {
  if (Object.values(INTERFACES[node]).includes(destination)) return { kind: "local" };
  const name = WAYS[node].find(([prefix]) => destination.startsWith(prefix))?.[1];
  return name === undefined ? { kind: "none" } : { kind: "interface", name };
}

/** A packet on a link. */
export interface Seen {
  readonly from: string;
  readonly to: string;
  readonly protocol: string;
  readonly routerAlert: number | undefined;
  readonly message: RsvpMessage;
}

export interface Flow {
  readonly session: IpSession;
  readonly template: SenderTemplate;
}

/** Of H1 to H2, told apart by the port. */
export const flow = (port: number): Flow => ({
  session: { kind: "ip", destination: HOST.h2, protocol: 17, port, ePolice: false },
  template: { address: HOST.h1, port },
});

export class FiveNodes {
  readonly clock = new FakeClock(1_700_000_000_000);
  readonly network: MemoryNetwork;
  readonly speakers = new Map<RouterName, RsvpSpeaker>();
  readonly edges = new Map<RouterName, EndToEndEdge>();
  readonly seen: Seen[] = [];
  readonly notices: { host: HostName; notice: Notice }[] = [];
  /** How long a packet takes; undefined if it is lost. */
  delay: () => number | undefined = () => 2;
  readonly #hosts = new Map<HostName, NodeDriver>();
  readonly #pools: ReservedPools[] = [];
  #epoch = 1;

  constructor() {
    this.network = new MemoryNetwork(this.clock, ({ octets: packet, protocol, routerAlert }, from, to) => {
      const { message } = decodePacket(packet);
      this.seen.push({ from: from.node, to: to.node, protocol, routerAlert, message });
      const delay = this.delay();
      return delay === undefined ? [] : [delay];
    });
    this.network.route = (node, destination) => {
      const route = routeTo(node as RouterName, destination);
      return route.kind === "interface" ? route.name : undefined;
    };
    for (const [one, other] of [
      ["h1", "r1"],
      ["r1", "t"],
      ["t", "r2"],
      ["r2", "h2"],
    ] as const) {
      const port = (node: RouterName | HostName, name: string) => ({
        node,
        interface: name,
        address: INTERFACES[node][name]!,
      });
      this.network.link(port(one, other), port(other, one));
    }
  }

  /** @param room - of T's interfaces, bit/s @param ceiling - of an aggregate, octets/s */
  async startAll({ room = 1e6, ceiling = 1e6 } = {}): Promise<void> {
    await this.router("t", room);
    for (const name of ["r1", "r2"] as const) await this.router(name, 1e6, ceiling);
    for (const name of ["h1", "h2"] as const) await this.#host(name);
    await this.clock.pass(10);
  }

  async router(name: RouterName, room = 1e6, ceiling = 1e6): Promise<void> {
    const isEdge = name !== "t";
    const edge = isEdge ? this.#edge(name, ceiling) : undefined;
    if (edge !== undefined) this.edges.set(name, edge);
    const pools = await this.#reservedPools();
    const speaker = await RsvpSpeaker.open({
      ...(isEdge ? { address: EDGE[name] } : {}),
      ...(edge === undefined ? {} : { endToEnd: edge }),
      refresh: millis(REFRESH),
      ceiling: 1e9 as BytesPerSecond,
      rooms: new Map(Object.keys(INTERFACES[name]).map((each) => [each, bitsPerSecond(room)])),
      linkOverhead: octets(14),
      standing: [],
      network: this.#view(name),
      lookEvery: millis(500),
      classes: pools,
      clock: this.clock,
      log: SILENT_LOGGER,
      random: () => 0.5,
      endpoint: this.#endpoint(name, isEdge),
    });
    this.speakers.set(name, speaker);
  }

  /** Ends the process without a word to the neighbours, as kill -9 does. */
  async kill(name: RouterName): Promise<void> {
    await this.speakers.get(name)?.close();
    this.speakers.delete(name);
    this.edges.delete(name);
  }

  async close(): Promise<void> {
    for (const name of [...this.speakers.keys()]) await this.kill(name);
    for (const host of this.#hosts.values()) await host.close();
    for (const pools of this.#pools) await pools.close();
  }

  /** H1 sends. @param rate - octets/s */
  open({ session, template }: Flow, rate: number): void {
    this.#hosts.get("h1")?.tell({ type: "open", session, sender: { template, tspec: tspec(rate) } });
  }

  shut({ session, template }: Flow): void {
    this.#hosts.get("h1")?.tell({ type: "close", session, template });
  }

  /** H2 reserves, and wants a confirmation. @param rate - octets/s */
  reserve({ session, template: filter }: Flow, rate: number): void {
    const flows = { style: "FF", flows: [{ filter, flowspec: load(rate) }] } as const;
    this.#hosts.get("h2")?.tell({ type: "reserve", session, flows, confirm: HOST.h2 });
  }

  release({ session }: Flow): void {
    this.#hosts.get("h2")?.tell({ type: "release", session });
  }

  /** What a host was told, in its order. */
  told(host: HostName): Notice["what"][] {
    return this.notices.filter((each) => each.host === host).map(({ notice }) => notice.what);
  }

  /** Octets/s that R1 has of its aggregate, and has admitted to it; undefined without one. */
  aggregate(): { granted: number; admitted: number } | undefined {
    const [aggregate] = this.edges.get("r1")?.aggregates ?? [];
    return aggregate && { granted: aggregate.granted, admitted: aggregate.admitted };
  }

  /** Octets/s that T's node has reserved towards R2. */
  get reservedAtT(): number {
    return this.speakers.get("t")?.node.reserved("r2") ?? 0;
  }

  /** Octets/s of end-to-end reservations that R1's node believes to be admitted into the region. */
  get carriedByR1(): number {
    const sessions = [...(this.speakers.get("r1")?.node.sessions() ?? [])].filter(
      ({ session }) => session.kind === "ip",
    );
    const admitted = sessions.flatMap(({ effective }) =>
      [...effective.values()].flatMap((each) => each.admitted ?? []),
    );
    return admitted.reduce((sum, flowspec) => sum + bandwidthOf(flowspec), 0);
  }

  #edge(name: keyof typeof EDGE, ceiling: number): EndToEndEdge {
    return new EndToEndEdge({
      address: EDGE[name],
      exterior: new Set([name === "r1" ? "h1" : "h2"]),
      codePoint: EF,
      ceiling: bytesPerSecond(ceiling),
      block: bytesPerSecond(1000),
      refresh: millis(REFRESH),
      clock: this.clock,
      log: SILENT_LOGGER,
    });
  }

  #endpoint(name: RouterName | HostName, isEdge: boolean) {
    return {
      keys: new KeyTable([]),
      reliability: DEFAULT_RELIABILITY,
      epoch: this.#epoch++,
      tos: 0xc0,
      transport: (handlers: Parameters<MemoryNetwork["open"]>[1]["handlers"]) => {
        const protocols = isEdge ? (["rsvp", "e2eIgnore"] as const) : (["rsvp"] as const);
        return Promise.resolve(this.network.open(name, { handlers, limits: DEFAULT_RSVP_LIMITS, protocols }));
      },
    };
  }

  async #reservedPools(): Promise<ReservedPools> {
    const pools = new ReservedPools(
      new Reconciler({
        kernel: new FakeKernel(),
        local: { interfaces: [], signalling: [], signallingDscp: dscp(24) },
        usage: { record: () => undefined },
        clock: this.clock,
        log: SILENT_LOGGER,
      }),
    );
    await pools.start();
    this.#pools.push(pools);
    return pools;
  }

  #view(name: RouterName): NetworkView {
    const found = Object.entries(INTERFACES[name]).map(([each, address], index) => ({
      name: each,
      index: index + 2,
      mtu: octets(1500),
      addresses: [address],
    }));
    return {
      interfaces: () => Promise.resolve(found),
      routes: (destinations) => Promise.resolve(new Map(destinations.map((each) => [each, routeTo(name, each)]))),
    };
  }

  async #host(name: HostName): Promise<void> {
    const driver: NodeDriver = await NodeDriver.open({
      node: new RsvpNode({ ...DEFAULT_RULES, refreshPeriod: millis(REFRESH) }),
      clock: this.clock,
      log: SILENT_LOGGER,
      random: () => 0.5,
      outside: (action) => this.#outside(name, driver, action),
      endpoint: {
        ...this.#endpoint(name, false),
        isOwn: (address) => address === HOST[name],
        interfaceTo: () => Object.keys(INTERFACES[name])[0],
      },
    });
    this.#hosts.set(name, driver);
    for (const [each, address] of Object.entries(INTERFACES[name])) {
      await driver.endpoint?.transport?.attach(each);
      const fields = { name: each, addresses: [address], lih: 2, mtu: octets(1500) };
      driver.tell({ type: "interface", interface: fields });
    }
  }

  #outside(name: HostName, driver: NodeDriver, action: OutsideAction): void {
    if (action.do === "resolve") {
      const { destination } = action;
      driver.tell({ type: "routeChanged", destination, route: routeTo(name, destination) });
    } else if (action.do === "reserve") {
      driver.tell({ type: "admission", ref: action.ref, id: action.id, verdict: { admit: true } });
    } else if (action.do === "notify") this.notices.push({ host: name, notice: action.notice });
  }
}

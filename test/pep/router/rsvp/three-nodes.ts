/** R1 - T - R2 in memory: speakers with a clock that is told the time, and kernels of memory under them. */
import { FakeKernel } from "../../../../src/kernel/fake.js";
import { Reconciler } from "../../../../src/kernel/reconcile/reconciler.js";
import type { IpAddress } from "../../../../src/model/ip.js";
import { SILENT_LOGGER } from "../../../../src/model/log.js";
import { type BytesPerSecond, bitsPerSecond, dscp, millis, octets } from "../../../../src/model/units.js";
import type { AggregateState } from "../../../../src/pep/router/aggregates.js";
import type { NetworkView } from "../../../../src/pep/router/rsvp/network-view.js";
import { ReservedPools } from "../../../../src/pep/router/rsvp/reserved-pools.js";
import { RsvpSpeaker, type RsvpSpeakerOptions } from "../../../../src/pep/router/rsvp/speaker.js";
import { decodePacket } from "../../../../src/rsvp/codec/decode.js";
import { DEFAULT_RSVP_LIMITS } from "../../../../src/rsvp/endpoint/limits.js";
import { MemoryNetwork } from "../../../../src/rsvp/endpoint/memory-network.js";
import type { Route } from "../../../../src/rsvp/machine/state.js";
import { DEFAULT_RELIABILITY } from "../../../../src/rsvp/reliability/rules.js";
import { KeyTable } from "../../../../src/rsvp/security/key-table.js";
import { FakeClock } from "../../../support/fake-clock.js";

export const EDGE = { r1: "10.1.0.1", r2: "10.3.0.1" } as const;
export const EF = dscp(46);
export const REFRESH = 1000;
/** RFC 2205 §3.7 with K = 3. */
export const LIFETIME = 5.25 * REFRESH;

type NodeName = "r1" | "t" | "r2";

interface Place {
  readonly interfaces: Readonly<Record<string, IpAddress>>;
  /** An address that no RSVP interface has. */
  readonly other?: IpAddress;
  /** By the first octets of a destination. */
  readonly ways: Readonly<Record<string, string>>;
}

const PLACES: Readonly<Record<NodeName, Place>> = {
  r1: { interfaces: { core: "10.2.1.1" }, other: EDGE.r1, ways: { "": "core" } },
  t: { interfaces: { r1: "10.2.1.2", r2: "10.2.2.2" }, ways: { "10.1.": "r1", "10.3.": "r2" } },
  r2: { interfaces: { core: "10.2.2.1" }, other: EDGE.r2, ways: { "": "core" } },
};

export interface Running {
  readonly speaker: RsvpSpeaker;
  readonly pools: ReservedPools;
  /** All that listeners were told. */
  readonly told: AggregateState[];
}

export class ThreeNodes {
  readonly clock = new FakeClock(1_700_000_000_000);
  readonly network: MemoryNetwork;
  readonly nodes = new Map<NodeName, Running>();
  /** Kernels outlive the process. */
  readonly kernels = { r1: new FakeKernel(), t: new FakeKernel(), r2: new FakeKernel() };
  /** `r1 core` and the like: interfaces without carrier. */
  readonly down = new Set<string>();
  /** Links that carry nothing although they are up. */
  readonly cut = new Set<string>();
  /** Kinds of the messages that were sent, with their sender. */
  readonly sent: string[] = [];
  #epoch = 1;

  constructor() {
    this.network = new MemoryNetwork(this.clock, (datagram, from, to) => {
      this.sent.push(`${from.node} ${decodePacket(datagram.octets).message.kind}`);
      return this.cut.has(`${from.node} ${to.node}`) || this.cut.has(`${to.node} ${from.node}`) ? [] : [2];
    });
    this.#link("r1", "core", "t", "r1");
    this.#link("t", "r2", "r2", "core");
  }

  /** @param room - of each interface, bit/s */
  async start(name: NodeName, room = 1e6, more: Partial<RsvpSpeakerOptions> = {}): Promise<Running> {
    const { interfaces, other } = PLACES[name];
    const pools = new ReservedPools(this.#reconciler(name));
    await pools.start();
    const speaker = await RsvpSpeaker.open({
      ...(other === undefined ? {} : { address: other }),
      refresh: millis(REFRESH),
      ceiling: 1e9 as BytesPerSecond,
      rooms: new Map(Object.keys(interfaces).map((each) => [each, bitsPerSecond(room)])),
      linkOverhead: octets(14),
      standing: [],
      network: this.#view(name),
      lookEvery: millis(500),
      classes: pools,
      clock: this.clock,
      log: SILENT_LOGGER,
      random: () => 0.5,
      endpoint: {
        keys: new KeyTable([]),
        reliability: DEFAULT_RELIABILITY,
        epoch: this.#epoch++,
        tos: 0xc0,
        transport: (handlers) => Promise.resolve(this.network.open(name, { handlers, limits: DEFAULT_RSVP_LIMITS })),
      },
      ...more,
    });
    const told: AggregateState[] = [];
    speaker.onChange((state) => told.push(state));
    const running = { speaker, pools, told };
    this.nodes.set(name, running);
    return running;
  }

  /** Ends the process without a word to the neighbours, as kill -9 does. */
  async kill(name: NodeName): Promise<void> {
    const running = this.nodes.get(name);
    this.nodes.delete(name);
    const was = this.sent.length;
    await running?.speaker.close();
    if (this.sent.slice(was).some((each) => each.startsWith(`${name} `))) throw new Error(`${name} said something`);
    await running?.pools.close();
  }

  async close(): Promise<void> {
    for (const name of [...this.nodes.keys()]) await this.kill(name);
  }

  /** Pools of T's kernel: name to layer-2 rate. */
  async classesOfT(): Promise<Readonly<Record<string, number>>> {
    const { pools } = await this.kernels.t.read();
    return Object.fromEntries([...pools.values()].map(({ name, rate }) => [name, rate]));
  }

  #reconciler(name: NodeName): Reconciler {
    return new Reconciler({
      kernel: this.kernels[name],
      local: { interfaces: [], signalling: [], signallingDscp: dscp(24) },
      usage: { record: () => undefined },
      clock: this.clock,
      log: SILENT_LOGGER,
    });
  }

  #view(name: NodeName): NetworkView {
    const { interfaces, other, ways } = PLACES[name];
    const up = () => Object.entries(interfaces).filter(([each]) => !this.down.has(`${name} ${each}`));
    const routeTo = (destination: IpAddress): Route | undefined => {
      if (destination === other || Object.values(interfaces).includes(destination)) return { kind: "local" };
      const way = Object.entries(ways).find(([prefix]) => destination.startsWith(prefix))?.[1];
      return up().some(([each]) => each === way) && way !== undefined ? { kind: "interface", name: way } : undefined;
    };
    return {
      interfaces: () =>
        Promise.resolve([
          ...up().map(([each, address], index) => ({
            name: each,
            index: index + 2,
            mtu: octets(1500),
            addresses: [address],
          })),
          ...(other === undefined ? [] : [{ name: "access", index: 9, mtu: octets(1500), addresses: [other] }]),
        ]),
      routes: (destinations) =>
        Promise.resolve(
          new Map(
            destinations.flatMap((each): [IpAddress, Route][] => {
              const route = routeTo(each);
              return route === undefined ? [] : [[each, route]];
            }),
          ),
        ),
    };
  }

  #link(one: NodeName, oneName: string, other: NodeName, otherName: string): void {
    const port = (node: NodeName, name: string) => ({ node, interface: name, address: PLACES[node].interfaces[name]! });
    this.network.link(port(one, oneName), port(other, otherName));
  }
}

/** An aggregate of pool 7 from R1 to R2. */
export const wanted = (rate: number, more: { pool?: number; remote?: IpAddress } = {}) => ({
  pool: 7,
  remote: EDGE.r2 as IpAddress,
  dscp: EF,
  rate: bitsPerSecond(rate),
  burst: octets(8000),
  packetSize: octets(200),
  ...more,
});

/** Nodes joined by links that lose, delay, reorder and duplicate octets, with a clock that is told the time. */
import type { BytesPerSecond, Dscp, Octets } from "../../../src/model/units.js";
import { decodePacket } from "../../../src/rsvp/codec/decode.js";
import { encodePacket } from "../../../src/rsvp/codec/encode.js";
import type { SessionMessage } from "../../../src/rsvp/codec/message.js";
import type { Flowspec, Session, TokenBucket } from "../../../src/rsvp/codec/objects.js";
import { aggregateSession } from "../../../src/rsvp/machine/aggregate.js";
import type { NodeAction, NodeEvent, Notice } from "../../../src/rsvp/machine/events.js";
import { bandwidthOf, covers } from "../../../src/rsvp/machine/flowspec-algebra.js";
import { refKey } from "../../../src/rsvp/machine/keys.js";
import { RsvpNode, type SessionPriority } from "../../../src/rsvp/machine/node.js";
import { DEFAULT_RULES, type NodeRules } from "../../../src/rsvp/machine/rules.js";

export const tspec = (rate: number): TokenBucket => ({
  rate: rate as BytesPerSecond,
  bucket: Math.max(1500, Math.ceil(rate / 10)) as Octets,
  peak: rate as BytesPerSecond,
  minPoliced: 60 as Octets,
  maxPacket: 1500 as Octets,
});

export const load = (rate: number): Flowspec => ({ kind: "controlledLoad", tspec: tspec(rate) });

export type Fate = { readonly delays: readonly number[] };
export type Send = Extract<NodeAction, { do: "send" }>;

export interface SentMessage {
  readonly at: number;
  readonly from: string;
  readonly action: Send;
}

interface Port {
  readonly node: string;
  readonly interface: string;
}

interface Host {
  readonly node: RsvpNode;
  readonly addresses: Set<string>;
  /** Destination to interface, or "local". */
  readonly routes: Map<string, string>;
  readonly room: Map<string, number>;
  readonly installed: Map<string, { interface: string; flowspec: Flowspec }>;
  readonly notices: { at: number; session: Session; notice: Notice }[];
  due: number;
}

export class Network {
  now = 0;
  /** What happens to a message: when it arrives, never, or more than once. */
  fate: (message: SessionMessage, from: string, to: string) => Fate = () => ({ delays: [1] });
  /** Milliseconds that traffic control takes. */
  admissionDelay: () => number = () => 1;
  random: () => number = () => 0.5;
  readonly sent: SentMessage[] = [];
  readonly hosts = new Map<string, Host>();
  readonly #links = new Map<string, Port>();
  readonly #queue: { at: number; order: number; run: () => void }[] = [];
  #order = 0;
  readonly #rules: NodeRules;

  constructor(rules: NodeRules = DEFAULT_RULES) {
    this.#rules = rules;
  }

  add(name: string, priority?: SessionPriority): void {
    this.hosts.set(name, {
      node: new RsvpNode(this.#rules, priority),
      addresses: new Set(),
      routes: new Map(),
      room: new Map(),
      installed: new Map(),
      notices: [],
      due: Number.POSITIVE_INFINITY,
    });
  }

  host(name: string): Host {
    const host = this.hosts.get(name);
    if (host === undefined) throw new Error(`no host ${name}`);
    return host;
  }

  /** Joins two interfaces, named after the other end. */
  link(a: string, aAddress: string, b: string, bAddress: string): void {
    this.#links.set(`${a} ${b}`, { node: b, interface: a });
    this.#links.set(`${b} ${a}`, { node: a, interface: b });
    for (const [node, name, address] of [
      [a, b, aAddress],
      [b, a, bAddress],
    ] as const) {
      const host = this.host(node);
      host.addresses.add(address);
      const lih = host.addresses.size;
      this.event(node, { type: "interface", interface: { name, addresses: [address], lih, mtu: 1500 as Octets } });
    }
  }

  /** All that an event leads to is queued; time does not pass. */
  event(name: string, event: NodeEvent): readonly NodeAction[] {
    const host = this.host(name);
    const actions = host.node.step(event, { now: this.now, random: this.random() });
    for (const action of actions) this.#carryOut(name, host, action);
    this.#check(name, host);
    return actions;
  }

  /** Lets time pass. */
  run(milliseconds: number): void {
    const end = this.now + milliseconds;
    for (;;) {
      const next = this.#queue.toSorted((a, b) => a.at - b.at || a.order - b.order)[0];
      const due = [...this.hosts].reduce((best, each) => (each[1].due < best[1].due ? each : best));
      const at = Math.min(next?.at ?? Number.POSITIVE_INFINITY, due[1].due);
      if (at > end) break;
      this.now = Math.max(this.now, at);
      if (next !== undefined && next.at <= due[1].due) {
        this.#queue.splice(this.#queue.indexOf(next), 1);
        next.run();
      } else this.event(due[0], { type: "due" });
    }
    this.now = end;
  }

  resize(name: string, iface: string, room: number): void {
    this.host(name).room.set(iface, room);
    this.event(name, { type: "resized", name: iface, room: room as BytesPerSecond });
  }

  route(name: string, destination: string, via: string): void {
    this.host(name).routes.set(destination, via);
    this.event(name, { type: "routeChanged", destination, route: routeOf(via) });
  }

  admitted(name: string, iface: string): number {
    return [...this.host(name).installed.values()]
      .filter((each) => each.interface === iface)
      .reduce((sum, { flowspec }) => sum + bandwidthOf(flowspec), 0);
  }

  notices(name: string): Notice[] {
    return this.host(name).notices.map(({ notice }) => notice);
  }

  kinds(from: string, since = 0): string[] {
    return this.sent.filter((each) => each.from === from && each.at >= since).map(({ action }) => action.message.kind);
  }

  #later(delay: number, run: () => void): void {
    this.#queue.push({ at: this.now + delay, order: this.#order++, run });
  }

  #carryOut(name: string, host: Host, action: NodeAction): void {
    switch (action.do) {
      case "send":
        this.#send(name, host, action);
        return;
      case "schedule":
        host.due = action.at;
        return;
      case "resolve": {
        const { destination } = action;
        const via = host.routes.get(destination);
        this.#later(1, () => this.event(name, { type: "routeChanged", destination, route: routeOf(via) }));
        return;
      }
      case "reserve":
        this.#admit(name, host, action);
        return;
      case "release":
        host.installed.delete(refKey(action.ref));
        return;
      case "notify":
        host.notices.push({ at: this.now, session: action.session, notice: action.notice });
        return;
      case "forgetRoute":
      case "ignore":
    }
  }

  /** Less is always admitted, more if there is room for it. */
  #admit(name: string, host: Host, { ref, id, flowspec }: Extract<NodeAction, { do: "reserve" }>): void {
    const key = refKey(ref);
    const before = host.installed.get(key)?.flowspec;
    const others = this.admitted(name, ref.interface) - (before === undefined ? 0 : bandwidthOf(before));
    const fits = others + bandwidthOf(flowspec) <= (host.room.get(ref.interface) ?? Number.POSITIVE_INFINITY);
    const admit = fits || (before !== undefined && covers(before, flowspec));
    if (admit) host.installed.set(key, { interface: ref.interface, flowspec });
    const verdict = admit ? { admit } : ({ admit: false, error: { code: 1, value: 2 } } as const);
    this.#later(this.admissionDelay(), () => this.event(name, { type: "admission", ref, id, verdict }));
  }

  #send(name: string, host: Host, action: Send): void {
    this.sent.push({ at: this.now, from: name, action });
    const message = overTheWire(action);
    const via = action.interface ?? host.routes.get(action.destination);
    const port = via === undefined ? undefined : this.#links.get(`${name} ${via}`);
    if (port === undefined) return;
    const { ttl } = action;
    for (const delay of this.fate(message, name, port.node).delays) {
      const arrival = { interface: port.interface, source: action.source ?? "0.0.0.0", ttl, sendTtl: ttl };
      this.#later(delay, () => this.event(port.node, { type: "received", message, arrival }));
    }
  }

  /** Never an effective reservation above what traffic control admitted. */
  #check(name: string, host: Host): void {
    for (const { session, effective } of host.node.sessions()) {
      for (const { admitted, interface: iface, flow } of effective.values()) {
        if (admitted === undefined) continue;
        const installed = host.installed.get(refKey({ session, interface: iface, flow }))?.flowspec;
        if (installed === undefined || !covers(installed, admitted)) {
          const said = JSON.stringify({ admitted, installed });
          throw new Error(`${name} believes more than was admitted at ${this.now}: ${said}`);
        }
      }
    }
  }
}

/** What the neighbour reads of it. */
function overTheWire({ message, ttl }: Send): SessionMessage {
  const octets = encodePacket({ sendTtl: ttl, refreshReduction: false, acks: [], message });
  return decodePacket(octets).message as SessionMessage;
}

const routeOf = (via: string | undefined) => {
  if (via === undefined) return { kind: "none" } as const;
  return via === "local" ? ({ kind: "local" } as const) : ({ kind: "interface", name: via } as const);
};

export const A = "10.0.1.1";
export const B = "10.0.2.2";
export const EF = 46 as Dscp;
export const SESSION = aggregateSession(B, EF);

/** A - T - B: A can reach B's address, and B's and T's ResvConfs and errors find the way. */
export function threeNodes(rules?: NodeRules, priority?: SessionPriority): Network {
  const network = new Network(rules);
  for (const name of ["A", "T", "B"]) network.add(name, priority);
  network.link("A", A, "T", "10.0.1.254");
  network.link("T", "10.0.2.254", "B", B);
  network.host("A").routes.set(B, "T").set(A, "local");
  network.host("T").routes.set(B, "B").set(A, "A");
  network.host("B").routes.set(B, "local").set(A, "T");
  return network;
}

export function open(network: Network, rate: number, session: Session = SESSION): void {
  network.event("A", { type: "open", session, sender: { template: { address: A }, tspec: tspec(rate) } });
}

export function reserve(network: Network, rate: number, confirm = false, session: Session = SESSION): void {
  network.event("B", {
    type: "reserve",
    session,
    flows: { style: "FF", flows: [{ filter: { address: A }, flowspec: load(rate) }] },
    ...(confirm ? { confirm: B } : {}),
  });
}

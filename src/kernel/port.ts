/**
 * The kernel as the rest of Sluice sees it: desired state in the domain's words, no nft or tc syntax.
 * Nothing outside this folder imports anything else from it than this file (and composition roots the
 * implementations).
 */
import type { FlowKey, TransportProtocol } from "../model/flow.js";
import type { IpAddress } from "../model/ip.js";
import type { ReconcileStatus } from "../model/reconcile.js";
import type { SessionId } from "../model/session.js";
import type { TunnelKind } from "../model/tunnel.js";
import type { BitsPerSecond, Dscp, Octets } from "../model/units.js";
import type { Counter, FlowCounters } from "../model/usage.js";

/** Identifies a flow on this router: the instance number that the policy server gave it (>= 1). */
export type FlowId = number;
/** Identifies a pool on this router, 1..0x7fff: becomes the HTB class and the low half of the mark. */
export type PoolId = number;
/** Identifies a tunnel at both of its ends, 1..255: becomes its VXLAN identifier or GRE key, its route table and its mark. */
export type TunnelId = number;

/** On ATM, and ADSL over it, a packet takes whole cells: 53 octets for every 48 begun. */
export type LinkLayer = "ethernet" | "atm" | "adsl";

export interface ManagedInterface {
  readonly name: string;
  /** The most the link can carry, counted at layer 2 as HTB counts. Hardware that tells a lower speed is held to that. */
  readonly rate: BitsPerSecond;
  /** Octets the link adds to each packet beyond what the kernel counts (ADSL, VLAN tag by the switch …). */
  readonly overhead: Octets;
  /** The least that a packet counts on the link, overhead included: padding, such as 64 on Ethernet. */
  readonly mpu?: Octets;
  /** What carries the link; Ethernet where it is not given. */
  readonly linkLayer?: LinkLayer;
  /** Guaranteed to signalling on this interface, counted at layer 2. */
  readonly signallingRate: BitsPerSecond;
}

export interface SignallingMatch {
  readonly protocol: TransportProtocol;
  /** Port of the server. */
  readonly port: number;
  /** Only packets from or to one of these are signalling: a port alone would be a free ride. */
  readonly servers: readonly IpAddress[];
}

/** One end of packets of an aggregate that have no ports, or any. */
export interface AggregateEnd {
  readonly address: IpAddress;
  /** Of TCP and UDP alone. */
  readonly port?: number;
}

/**
 * Packets that others classified, policed and marked. Of a flow, a source port that is absent stands for any; a source
 * port without a destination port cannot be. Fragments after the first have no ports.
 */
export type AggregateMatch =
  | { readonly by: "codePoint"; readonly dscp: Dscp }
  | {
      readonly by: "flow";
      /** IANA number, 1 to 255. */
      readonly protocol: number;
      readonly source: AggregateEnd;
      readonly destination: AggregateEnd;
    };

export interface PoolClass {
  readonly id: PoolId;
  readonly name: string;
  /** Guaranteed on every managed interface, or on `only`; counted at layer 2. */
  readonly rate: BitsPerSecond;
  /** The managed interface that has the class; absent: every one. */
  readonly only?: string;
  /**
   * Forwarded packets that go into the class although they are of no session and no signalling of this router. They are
   * neither marked nor policed nor counted. A flow goes before a code point. On one interface no two pools carry the same.
   */
  readonly carries?: readonly AggregateMatch[];
}

/** One outer 5-tuple that carries every session steered into it. */
export interface Tunnel {
  readonly id: TunnelId;
  readonly name: string;
  readonly kind: TunnelKind;
  /** Both ends of the outer packet; of one family. */
  readonly local: IpAddress;
  readonly remote: IpAddress;
  /** The same in both directions; 0 with a kind that has no ports. */
  readonly sourcePort: number;
  /** 0 with a kind that has no ports. */
  readonly destinationPort: number;
  /** Largest inner packet, layer 3: what the path between the ends carries, less the tunnel's own headers. */
  readonly mtu: Octets;
}

/** What becomes of packets above a flow's rate. */
export type OutOfProfile =
  | { readonly action: "drop" }
  /** Let through in the default class, with this code point. */
  | { readonly action: "remark"; readonly dscp: Dscp };

export interface FlowRule {
  readonly id: FlowId;
  readonly session: SessionId;
  readonly key: FlowKey;
  readonly dscp: Dscp;
  readonly pool: PoolId;
  /** Counted at layer 3, as nftables counts. */
  readonly rate: BitsPerSecond;
  readonly burst: Octets;
  /**
   * The largest packet of the flow, layer 3, where it is known. Only then can a bucket be tighter than one second
   * of the rate, and only then is it: nftables counts octets in buckets of rate x 1 s + burst, packets in buckets of the burst.
   */
  readonly packetSize?: Octets;
  readonly outOfProfile: OutOfProfile;
  /** Carries the flow's packets from here on; absent: they go the way that the routes say. */
  readonly tunnel?: TunnelId;
}

export interface DesiredState {
  readonly interfaces: readonly ManagedInterface[];
  readonly signalling: readonly SignallingMatch[];
  readonly signallingDscp: Dscp;
  /**
   * RSVP messages (IP protocols 46 and 134), forwarded and own, are signalling on every managed interface, too. They keep
   * their code point.
   */
  readonly rsvp?: boolean;
  readonly pools: ReadonlyMap<PoolId, PoolClass>;
  readonly tunnels: ReadonlyMap<TunnelId, Tunnel>;
  readonly flows: ReadonlyMap<FlowId, FlowRule>;
}

/** A flow found in the kernel: enough of it to tell whether it is the one that is wanted. */
export interface ObservedFlow {
  readonly rule: FlowRule;
  readonly counters: FlowCounters;
}

/** Live figures of one class on one interface; octets counted at layer 2. */
export interface ObservedClass {
  readonly interface: string;
  readonly kind: "pool" | "signalling" | "default" | "link";
  readonly pool?: PoolId;
  readonly rate: BitsPerSecond;
  readonly ceil: BitsPerSecond;
  readonly sent: Counter;
  readonly dropped: number;
  readonly backlog: Octets;
}

/** A managed interface as it is now. */
export interface ObservedInterface {
  readonly name: string;
  /** False while there is no such device: nothing is lost by that, its tree is made when it appears. */
  readonly present: boolean;
  /** What its tree is made for: the configured rate, or the device's speed where that is lower. */
  readonly rate: BitsPerSecond;
}

export interface ObservedState {
  /** False when our table or the tree of a present interface is missing or is not as we make it. */
  readonly structure: boolean;
  /**
   * What the structure was made for: differs when interfaces or signalling are wanted otherwise. Always given by `read`
   * for an intact structure; a caller that plans from what it applied itself may leave it out.
   */
  readonly structureId?: string;
  /** Those the structure was made for. */
  readonly interfaces: readonly ObservedInterface[];
  readonly pools: ReadonlyMap<PoolId, PoolClass>;
  readonly tunnels: ReadonlyMap<TunnelId, Tunnel>;
  readonly classes: readonly ObservedClass[];
  readonly flows: ReadonlyMap<FlowId, ObservedFlow>;
}

export type KernelChange =
  | { readonly kind: "structure" }
  | { readonly kind: "pool.set"; readonly pool: PoolClass }
  | { readonly kind: "pool.remove"; readonly pool: PoolClass }
  | { readonly kind: "tunnel.set"; readonly tunnel: Tunnel }
  | { readonly kind: "tunnel.remove"; readonly tunnel: Tunnel }
  /** `counters`: what it starts from, where a flow comes back that somebody else took away. */
  | { readonly kind: "flow.add"; readonly rule: FlowRule; readonly counters?: FlowCounters }
  | { readonly kind: "flow.remove"; readonly rule: FlowRule };

export interface ApplyResult {
  /** Final counters of every flow that was removed, taken by the kernel in the removing transaction. */
  readonly removed: ReadonlyMap<FlowId, FlowCounters>;
}

/** Something that may have changed what is ours. None is lost: where the kernel dropped one, `lost` takes its place. */
export type KernelEvent =
  /** Somebody else changed what packets are classified by: perhaps ours, perhaps another's. */
  | { readonly kind: "ruleset" }
  /** A device came, went, was renamed, went up or down, or changed its speed. */
  | { readonly kind: "interface"; readonly interface: string }
  /** A qdisc or class of a device was changed by somebody else. */
  | { readonly kind: "queueing"; readonly interface: string }
  /** Events were lost: anything may have changed. */
  | { readonly kind: "lost"; readonly reason: string };

export interface KernelWatch {
  /**
   * Tells at once what others changed until now. False where that cannot be known (no transactions over netlink, events
   * lost, our own tools at work): then only a reading can say. Of tunnels it knows the devices, not their routes.
   */
  caughtUp(): Promise<boolean>;
  close(): Promise<void>;
}

/**
 * One call of a tool as it would be made, in order: what `--dry-run` prints. `bpf` is the system call, which no tool makes: its
 * input is for reading.
 */
export interface RenderedStep {
  readonly tool: "nft" | "tc" | "ip" | "iptables-restore" | "ip6tables-restore" | "ipset" | "bpf";
  /** Its arguments. */
  readonly args: readonly string[];
  /** Its standard input. */
  readonly input: string;
}

/** Which parts of Linux carry it out, for `doctor` and `show`. */
export interface BackendInfo {
  readonly name: "nftables" | "iptables" | "dsmark" | "ebpf" | "fake";
  /** One sentence: what it uses, and why this was chosen. */
  readonly detail: string;
}

/**
 * `plan` is pure. `apply` is all or nothing for flows: either every flow change of the call is in the
 * kernel when it resolves, or none is and it rejects with a KernelError that names object and errno.
 */
export interface KernelPort {
  readonly backend: BackendInfo;
  read(): Promise<ObservedState>;
  plan(desired: DesiredState, observed: ObservedState): readonly KernelChange[];
  apply(desired: DesiredState, changes: readonly KernelChange[]): Promise<ApplyResult>;
  /** Live counters: of all flows, or of these alone. Flows that are not there are left out. */
  counters(of?: Iterable<FlowRule>): Promise<ReadonlyMap<FlowId, FlowCounters>>;
  /** Exactly what `apply` would do, as tool calls; nothing is changed. */
  render(desired: DesiredState, changes: readonly KernelChange[]): Promise<readonly RenderedStep[]>;
  /** What `cleanup` would do. */
  renderCleanup(): Promise<readonly RenderedStep[]>;
  /** Our own changes cause no event; an event may be one too many. */
  watch(listener: (event: KernelEvent) => void): Promise<KernelWatch>;
  /** Takes away everything that is ours, and nothing else. */
  cleanup(): Promise<void>;
  close(): Promise<void>;
}

/** What the router's own configuration says, whatever the policy server wants. */
export type LocalState = Pick<DesiredState, "interfaces" | "signalling" | "signallingDscp" | "rsvp">;

/** What the policy server wants. */
export interface KernelPolicy {
  /** In an update those that it is about; undefined for one that goes. */
  readonly flows: ReadonlyMap<FlowId, FlowRule | undefined>;
  /** All of them. */
  readonly pools: ReadonlyMap<PoolId, PoolClass>;
  /** All of them; absent: as they are. */
  readonly tunnels?: ReadonlyMap<TunnelId, Tunnel>;
}

export interface Enforced {
  /** Final counters of the flows that went. */
  readonly finals: ReadonlyMap<FlowId, FlowCounters>;
  /** How many changes the kernel was asked for. */
  readonly changes: number;
}

/** Where counters are noted before a flow is removed, and its final ones afterwards: the later word stands. */
export interface UsageSink {
  record(counters: ReadonlyMap<FlowId, FlowCounters>): void;
}

/** Keeps the kernel as it is wanted, whoever else changes it. */
export interface KernelKeeper {
  /** A live view. */
  readonly desired: DesiredState;
  /** Mends the structure, and takes the flows that the kernel holds as wanted: no session is touched. */
  start(): Promise<void>;
  /** All or nothing; resolves when the kernel has it. @throws KernelError: then all is wanted as it was before. */
  update(policy: KernelPolicy): Promise<Enforced>;
  /** As `update`, and what the policy does not name is removed. */
  replace(policy: KernelPolicy): Promise<Enforced>;
  /** As the port's, but never less than what was told before: what somebody else's flush took is added. */
  counters(of?: Iterable<FlowRule>): Promise<ReadonlyMap<FlowId, FlowCounters>>;
  status(): ReconcileStatus;
  /** What is wrong now, one sentence each, with its beginning. */
  problems(): readonly string[];
  close(): Promise<void>;
}

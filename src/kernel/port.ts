/**
 * The kernel as the rest of Sluice sees it: desired state in the domain's words, no nft or tc syntax.
 * Nothing outside this folder imports anything else from it than this file (and composition roots the
 * implementations).
 */
import type { FlowKey, TransportProtocol } from "../model/flow.js";
import type { IpAddress } from "../model/ip.js";
import type { SessionId } from "../model/session.js";
import type { BitsPerSecond, Dscp, Octets } from "../model/units.js";
import type { Counter, FlowCounters } from "../model/usage.js";

/** Identifies a flow on this router: the instance number that the policy server gave it (>= 1). */
export type FlowId = number;
/** Identifies a pool on this router, 1..0x7fff: becomes the HTB class and the low half of the mark. */
export type PoolId = number;

export interface ManagedInterface {
  readonly name: string;
  /** What the link can carry, counted at layer 2 as HTB counts. */
  readonly rate: BitsPerSecond;
  /** Octets the link adds to each packet beyond what the kernel counts (ADSL, VLAN tag by the switch …). */
  readonly overhead: Octets;
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

export interface PoolClass {
  readonly id: PoolId;
  readonly name: string;
  /** Guaranteed on every managed interface, counted at layer 2. */
  readonly rate: BitsPerSecond;
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
  readonly outOfProfile: OutOfProfile;
}

export interface DesiredState {
  readonly interfaces: readonly ManagedInterface[];
  readonly signalling: readonly SignallingMatch[];
  readonly signallingDscp: Dscp;
  readonly pools: ReadonlyMap<PoolId, PoolClass>;
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

export interface ObservedState {
  /** False when our table or an interface's tree is missing or is not as we make it. */
  readonly structure: boolean;
  /**
   * What the structure was made for: differs when interfaces or signalling are wanted otherwise. Always given by `read`
   * for an intact structure; a caller that plans from what it applied itself may leave it out.
   */
  readonly structureId?: string;
  readonly pools: ReadonlyMap<PoolId, PoolClass>;
  readonly classes: readonly ObservedClass[];
  readonly flows: ReadonlyMap<FlowId, ObservedFlow>;
}

export type KernelChange =
  | { readonly kind: "structure" }
  | { readonly kind: "pool.set"; readonly pool: PoolClass }
  | { readonly kind: "pool.remove"; readonly pool: PoolClass }
  | { readonly kind: "flow.add"; readonly rule: FlowRule }
  | { readonly kind: "flow.remove"; readonly rule: FlowRule };

export interface ApplyResult {
  /** Final counters of every flow that was removed, taken by the kernel in the removing transaction. */
  readonly removed: ReadonlyMap<FlowId, FlowCounters>;
}

/**
 * `plan` is pure. `apply` is all or nothing for flows: either every flow change of the call is in the
 * kernel when it resolves, or none is and it rejects with a KernelError that names object and errno.
 */
export interface KernelPort {
  read(): Promise<ObservedState>;
  plan(desired: DesiredState, observed: ObservedState): readonly KernelChange[];
  apply(desired: DesiredState, changes: readonly KernelChange[]): Promise<ApplyResult>;
  /** Live counters: of all flows, or of these alone. Flows that are not there are left out. */
  counters(of?: Iterable<FlowRule>): Promise<ReadonlyMap<FlowId, FlowCounters>>;
  /** Takes away everything that is ours, and nothing else. */
  cleanup(): Promise<void>;
  close(): Promise<void>;
}

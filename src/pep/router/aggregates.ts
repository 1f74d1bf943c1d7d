/** Reservations between edges: what the policy server wants, and what the network grants. */
import type { PoolId } from "../../kernel/port.js";
import type { IpAddress } from "../../model/ip.js";
import type { BitsPerSecond, Dscp, Octets } from "../../model/units.js";

/** An aggregate that the policy server wants from this edge to another. */
export interface WantedAggregate {
  readonly pool: PoolId;
  readonly remote: IpAddress;
  readonly dscp: Dscp;
  /** Layer 3. */
  readonly rate: BitsPerSecond;
  readonly burst: Octets;
  readonly packetSize: Octets;
  /** Tells questions of the policy server apart: one that was refused is put to the network again by another. */
  readonly request?: number;
  /**
   * The most that this edge reserves towards the other where that wants more of its way back than is wanted here; layer 3.
   * Absent: each direction stands for itself, and the other edge is told nothing of what is wanted here.
   */
  readonly ceiling?: BitsPerSecond;
  /** Reserved for is its outer flow; absent: whatever has the code point. */
  readonly tunnel?: OuterFlow;
}

/** The packets of a tunnel to the remote edge. Ports are the same at both ends, and 0 where the protocol has none. */
export interface OuterFlow {
  readonly protocol: number;
  /** The end here. */
  readonly local: IpAddress;
  readonly sourcePort: number;
  readonly destinationPort: number;
}

/** What the network has granted; layer 3. `incoming`: from the remote edge to here. */
export interface AggregateState {
  readonly pool: PoolId;
  readonly outgoing: BitsPerSecond;
  readonly incoming: BitsPerSecond;
  readonly failure?: string;
}

export interface Aggregates {
  /** All that are wanted from now on: others are given up. */
  set(wanted: readonly WantedAggregate[]): void;
  states(): readonly AggregateState[];
  /** Told of each change, of each answer (also a refusal that keeps what was). */
  onChange(listener: (state: AggregateState) => void): void;
}

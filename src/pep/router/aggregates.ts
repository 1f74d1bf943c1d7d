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

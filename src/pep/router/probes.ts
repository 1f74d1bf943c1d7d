/** Measurements towards other edges: what the policy server wants, and what they find. */
import type { PoolId } from "../../kernel/port.js";
import type { IpAddress } from "../../model/ip.js";
import type { Dscp, Millis } from "../../model/units.js";

/** A measurement that the policy server wants in a pool's queue, all the time. */
export interface WantedProbe {
  readonly pool: PoolId;
  /** Where packets are reflected. */
  readonly remote: IpAddress;
  readonly port: number;
  readonly dscp: Dscp;
  /** Between packets. */
  readonly interval: Millis;
}

/** One direction since the finding before. Times in microseconds; absent where no packet came back. */
export interface ProbedDirection {
  /** Packets that were lost, of those of which it is known. */
  readonly lost: number;
  /** One-way, 95th percentile. */
  readonly latency?: number;
  /** RFC 3550 §6.4.1. */
  readonly jitter?: number;
}

/** What a measurement found since the finding before. */
export interface ProbeFinding {
  readonly pool: PoolId;
  /** Packets of which it is known by now what became of them. */
  readonly sent: number;
  /** To the other edge. */
  readonly out: ProbedDirection;
  readonly in: ProbedDirection;
  /** `synchronised`: both ends say that their clocks agree. If not, each latency is half of the round trip. */
  readonly clocks: "unknown" | "synchronised";
}

export interface Probes {
  /** All that are wanted from now on: others end, and those that stay go on. */
  set(wanted: readonly WantedProbe[]): void;
  /** What has been found since it was asked last, one for each measurement that has found something. */
  collect(): readonly ProbeFinding[];
}

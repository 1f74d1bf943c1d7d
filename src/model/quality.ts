/** What the parties of a session agree to need of the network, medium by medium, and what they were granted. */
import type { BitsPerSecond, Millis } from "./units.js";

/** Wanted, and the worst that is still of use; equal where nothing else will do. */
export interface QualityRange<Value extends number> {
  readonly wanted: Value;
  readonly worst: Value;
}

/** What one direction of a medium needs. What is absent, nothing is said of. */
export interface QualityNeed {
  /** One-way, 95th percentile. */
  readonly latency?: QualityRange<Millis>;
  /** Interarrival jitter (RFC 3550 §6.4.1). */
  readonly jitter?: QualityRange<Millis>;
  /** Lost packets of all that were sent, 0 to 1. */
  readonly loss?: QualityRange<number>;
  /** Counted at layer 3: here the worst is the smaller. */
  readonly rate?: QualityRange<BitsPerSecond>;
}

/** How much security a medium's parties ask of each other, and what their descriptions give. */
export const MEDIA_SECURITY = ["none", "srtp", "dtls"] as const;
export type MediaSecurity = (typeof MEDIA_SECURITY)[number];

/** What a path was measured to give, in one direction (RFC 8762). */
export interface PathQuality {
  /** One-way, 95th percentile; half of the round trip where the clocks of both ends are not known to agree. */
  readonly latency: Millis;
  readonly jitter: Millis;
  /** 0 to 1. */
  readonly loss: number;
}

export type GrantResult = "granted" | "reduced" | "bestEffort";

/** What one policy server granted to a medium. */
export interface MediaGrant {
  /** Index of its m= line. */
  readonly index: number;
  /** As the agents name it. */
  readonly sessionClass?: string;
  readonly phb: string;
  readonly result: GrantResult;
  /** Reserved, counted at layer 3. */
  readonly toCaller: BitsPerSecond;
  readonly toCallee: BitsPerSecond;
  /** Measured on the path when it was granted, the worse of both directions; absent where nobody measures. */
  readonly measured?: PathQuality;
}

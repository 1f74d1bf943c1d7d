/** What a description says of quality, as written; docs/SDP.md has the grammar of the attributes that are no standard. */
import type { MediaSecurity, QualityNeed } from "../../../model/quality.js";
import type { Millis } from "../../../model/units.js";

/** a=sluice-class. */
export interface SdpSessionClass {
  readonly name: string;
  /** What the medium's packets hold, where the agents say. */
  readonly format?: string;
}

/** a=sluice-need, as seen by the sender of the description. */
export interface DirectedNeeds {
  readonly send?: QualityNeed;
  readonly recv?: QualityNeed;
}

/** One value from end to end, and the part of it that the writer's own access network may use up. */
export interface HintValue<Value extends number> {
  readonly whole: Value;
  readonly local?: Value;
}

/** a=3gpp-qos-hint (3GPP TS 26.114 §6.2.7.4), of both directions. */
export interface QosHint {
  readonly latency?: HintValue<Millis>;
  /** 0 to 1. */
  readonly loss?: HintValue<number>;
}

export const STATUS_TYPES = ["e2e", "local", "remote"] as const;
export const DIRECTION_TAGS = ["none", "send", "recv", "sendrecv"] as const;
export const STRENGTH_TAGS = ["mandatory", "optional", "none", "failure", "unknown"] as const;

/** RFC 3312 §4: `send` and `local` are those of the sender of the description. */
export interface QosStatus {
  readonly segment: (typeof STATUS_TYPES)[number];
  readonly direction: (typeof DIRECTION_TAGS)[number];
}

export interface DesiredQosStatus extends QosStatus {
  readonly strength: (typeof STRENGTH_TAGS)[number];
}

/** a=curr:qos, a=des:qos, a=conf:qos; other precondition types are not kept. */
export interface QosPreconditions {
  readonly current: readonly QosStatus[];
  readonly desired: readonly DesiredQosStatus[];
  readonly confirm: readonly QosStatus[];
}

/** RFC 5432 §3: by preference; empty where the two sides have none in common. */
export interface QosMechanisms {
  readonly send?: readonly string[];
  readonly recv?: readonly string[];
}

export interface SdpQuality {
  readonly sessionClass?: SdpSessionClass;
  readonly needs?: DirectedNeeds;
  /** a=sluice-security: the least that is required. */
  readonly requiredSecurity?: MediaSecurity;
  readonly hint?: QosHint;
  readonly preconditions?: QosPreconditions;
  readonly mechanisms?: QosMechanisms;
}

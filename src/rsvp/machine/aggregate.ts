/** Aggregate reservations, RFC 3175 and RFC 4860: their sessions, and what both ends have in common. */
import type { IpAddress } from "../../model/ip.js";
import type { Dscp, Millis } from "../../model/units.js";
import { RSVP_ERROR } from "../codec/codes.js";
import type { AggregateSession, ErrorSpec, GenericAggregateSession, Session } from "../codec/objects.js";
import type { Notice } from "./events.js";

export interface AggregateRules {
  /** How long the other end and the network may take to answer. */
  readonly answerTimeout: Millis;
  /** When the deaggregator asks again after an error that may pass by itself. */
  readonly retryAfter: Millis;
}

export const DEFAULT_AGGREGATE_RULES: AggregateRules = {
  answerTimeout: 3000 as Millis,
  retryAfter: 30_000 as Millis,
};

/** Why an end has not got what it wanted. */
export type AggregateFailure =
  | { readonly kind: "timeout" }
  /** The network said so. */
  | { readonly kind: "error"; readonly error: ErrorSpec };

/** RFC 3175 §3.3: everything of a code point towards a deaggregator. */
export const aggregateSession = (deaggregator: IpAddress, dscp: Dscp): AggregateSession => ({
  kind: "aggregate",
  destination: deaggregator,
  dscp,
  ePolice: false,
});

/** RFC 4860 §2.1: one of several aggregates of a PHB between the same two ends. `index`: 0 to 65535. */
export const genericAggregateSession = (
  deaggregator: IpAddress,
  aggregator: IpAddress,
  phbId: number,
  index: number,
): GenericAggregateSession => ({
  kind: "genericAggregate",
  destination: deaggregator,
  phbId,
  vDstPort: index,
  extendedVDstPort: aggregator,
  ePolice: false,
});

/**
 * Which aggregates a PathErr about an end-to-end session asks the aggregator for: RFC 3175 §2.4 (the deaggregator
 * is the error node, the code points are in DCLASS), RFC 4860 §4 (SESSION-OF-INTEREST). Empty for other errors.
 */
export function aggregatesNeeded(notice: Extract<Notice, { what: "pathError" }>): readonly Session[] {
  const { error, dclass, sessionOfInterest } = notice;
  if (error.code !== RSVP_ERROR.newAggregateNeeded) return [];
  if (sessionOfInterest !== undefined) return [{ ...sessionOfInterest, ePolice: false }];
  return (dclass ?? []).map((dscp) => aggregateSession(error.node, dscp));
}

/** Times and limits of a node, RFC 2205 §3.7, and the arithmetic of soft state. Milliseconds. */
import type { Millis } from "../../model/units.js";

export interface NodeRules {
  /** R: mean time between refreshes that are sent. */
  readonly refreshPeriod: Millis;
  /** K: K - 1 refreshes in a row may be lost without loss of state. */
  readonly lossTolerance: number;
  /** Slew.Max: R grows at most by this part from one refresh to the next. */
  readonly slewMax: number;
  /** Kb: a blockade lasts Kb·R (§3.5). */
  readonly blockadeFactor: number;
  /** W: how long routing may settle before paths are repaired (§3.6). */
  readonly routeSettling: Millis;
  /** Bounds within which a neighbour's R is believed: outside it would be a flood of work, or state for ever. */
  readonly peerPeriodMin: Millis;
  readonly peerPeriodMax: Millis;
  readonly maxSessions: number;
  /** Path states of one session. */
  readonly maxSenders: number;
  /** Reservation states of one session. */
  readonly maxReservations: number;
}

export const DEFAULT_RULES: NodeRules = {
  refreshPeriod: 30_000 as Millis,
  lossTolerance: 3,
  slewMax: 0.3,
  blockadeFactor: 2,
  routeSettling: 2000 as Millis,
  peerPeriodMin: 500 as Millis,
  peerPeriodMax: 300_000 as Millis,
  maxSessions: 20_000,
  maxSenders: 64,
  maxReservations: 64,
};

/** §3.7 (2): how long state lives that its sender refreshes every `period`: (K + 0.5) · 1.5 · R. */
export function lifetime(rules: NodeRules, period: Millis): number {
  const believed = Math.min(rules.peerPeriodMax, Math.max(rules.peerPeriodMin, period));
  return (rules.lossTolerance + 0.5) * 1.5 * believed;
}

/** §3.7 (1): the time to the next refresh, in [0.5R, 1.5R). @param random - in [0, 1) */
export const refreshDelay = (period: Millis, random: number): number => period * (0.5 + random);

/** §3.7 (5): the R of the next refresh, on the way from `period` to that of the rules. */
export function nextPeriod(rules: NodeRules, period: Millis): Millis {
  return Math.min(rules.refreshPeriod, period * (1 + rules.slewMax)) as Millis;
}

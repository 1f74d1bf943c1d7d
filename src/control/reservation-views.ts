/** Reservations of routers that a policy server decides about (RFC 2749), as the control API answers. Rates at layer 3. */
import type { BitsPerSecond, Timestamp } from "../model/units.js";

/** One that is granted; `/v1/reservations/withdraw` answers with those that it took back. */
export interface ReservationView {
  readonly router: string;
  /** Senders and session. */
  readonly flow: string;
  readonly rate: BitsPerSecond;
  readonly rule: string;
  readonly since: Timestamp;
  /** The router has made it. */
  readonly committed: boolean;
}

/** A question and what became of it. */
export interface ReservationDecisionView {
  readonly at: Timestamp;
  readonly router: string;
  readonly flow: string;
  readonly rate: BitsPerSecond;
  readonly admitted: boolean;
  readonly rule?: string;
  /** Of a refusal. */
  readonly text?: string;
}

/** `/v1/show/reservations` */
export interface ReservationsView {
  readonly reservations: readonly ReservationView[];
  /** The last questions with their answers, newest last. */
  readonly decisions: readonly ReservationDecisionView[];
}

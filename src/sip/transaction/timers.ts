/** The timers of RFC 3261 §17 (table 4), by their letters, with M and L from RFC 6026. */
import { type Millis, millis, seconds } from "../../model/units.js";

export type TimerName = "A" | "B" | "D" | "E" | "F" | "G" | "H" | "I" | "J" | "K" | "L" | "M";

export interface SipTimers {
  /** Round-trip estimate: 500 ms (§17.1.1.1). */
  readonly t1: Millis;
  /** Longest interval between retransmissions: 4 s. */
  readonly t2: Millis;
  /** Longest life of a message in the network: 5 s. */
  readonly t4: Millis;
  /** How long an INVITE may stay unanswered at a proxy: more than 3 min (§16.6 step 11). */
  readonly timerC: Millis;
}

/** The timers of one transaction. */
export interface TransactionTimers extends SipTimers {
  /** Over TCP or WebSocket: nothing is sent again (A, E, G), and nothing waited for that was (D, I, J, K: §17). */
  readonly reliable?: boolean;
}

export const DEFAULT_TIMERS: SipTimers = { t1: millis(500), t2: seconds(4), t4: seconds(5), timerC: seconds(185) };

/** 64*T1: B, F, H, J, L and M. */
export const lifetime = (timers: SipTimers): Millis => millis(64 * timers.t1);

/** How long to wait for retransmissions that a reliable transport never brings. */
const unlessReliable = (timers: TransactionTimers, wait: Millis): Millis =>
  timers.reliable === true ? millis(0) : wait;

/** Timer D: at least 32 s over UDP (§17.1.1.2), scaled with T1 so that tests and LANs may shorten it. */
export const timerD = (timers: TransactionTimers): Millis => unlessReliable(timers, lifetime(timers));
/** Timer J (§17.2.2). */
export const timerJ = (timers: TransactionTimers): Millis => unlessReliable(timers, lifetime(timers));
/** Timers I (§17.2.1) and K (§17.1.2.2). */
export const timerT4 = (timers: TransactionTimers): Millis => unlessReliable(timers, timers.t4);

export const doubled = (interval: Millis): Millis => millis(interval * 2);
export const doubledUpTo = (interval: Millis, limit: Millis): Millis => millis(Math.min(interval * 2, limit));

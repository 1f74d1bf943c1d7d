/** The session timer that a message sets (RFC 4028). Pure. */
import { type Millis, seconds } from "../../model/units.js";
import { parseNumber } from "../../sip/message/grammar.js";
import type { SipMessage, SipResponse } from "../../sip/message/message.js";

/** RFC 4028 §4: the absolute minimum. Whoever says less is held to that. */
const INTERVAL_MIN = 90;
/** Delta-seconds end at 2^32-1; who wants more than a month wants no timer. */
const INTERVAL_MAX = 31 * 86_400;

/** `interval` is undefined where the session does not expire from here on. */
export interface Refresh {
  readonly interval: Millis | undefined;
}

/**
 * RFC 4028 §8.2, §10: only a 2xx to INVITE or UPDATE sets or extends the timer; one without Session-Expires turns it off.
 * Undefined for any other message.
 */
export function refreshOf(message: SipMessage): Refresh | undefined {
  if (message.kind !== "response") return undefined;
  const { status } = message as SipResponse;
  const method = message.cseq?.method;
  if (status < 200 || status > 299 || (method !== "INVITE" && method !== "UPDATE")) return undefined;
  const delta = message.header("session-expires")?.split(";", 1)[0]?.trim() ?? "";
  const value = parseNumber(delta, 0, 0xffff_ffff);
  if (value === undefined || value > INTERVAL_MAX) return { interval: undefined };
  return { interval: seconds(Math.max(INTERVAL_MIN, value)) };
}

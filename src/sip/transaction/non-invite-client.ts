/** Non-INVITE client transaction: RFC 3261 §17.1.2. Pure. */
import { unreachable } from "../../model/errors.js";
import type { Millis } from "../../model/units.js";
import type { SipRequest, SipResponse } from "../message/message.js";
import {
  type Action,
  again,
  arm,
  type ClientEvent,
  disarm,
  type Step,
  send,
  stay,
  TERMINATED,
  TIMEOUT,
  TRANSPORT_ERROR,
} from "./machine.js";
import { doubledUpTo, lifetime, type TransactionTimers, timerT4 } from "./timers.js";

/**
 * ```
 *  start/send         1xx/up               200-699/up
 * ----------> trying --------> proceeding ------------> completed --K--> terminated
 *             E/send  \          E/send  1xx/up   ^      responses/-        ^
 *               |      +-- 200-699/up ------------+                         |
 *               +--------- F/timeout (also in proceeding) ------------------+
 * ```
 */
export interface NonInviteClientState {
  readonly name: "trying" | "proceeding" | "completed" | "terminated";
  readonly request: SipRequest;
  readonly timers: TransactionTimers;
  /** Timer E's next interval. */
  readonly interval: Millis;
}

export function nonInviteClient(request: SipRequest, timers: TransactionTimers): NonInviteClientState {
  return { name: "trying", request, timers, interval: timers.t1 };
}

export function stepNonInviteClient(state: NonInviteClientState, event: ClientEvent): Step<NonInviteClientState> {
  const { name, timers } = state;
  if (name === "terminated") return stay(state);
  switch (event.kind) {
    case "start":
      if (name !== "trying") return stay(state);
      // §17.1.2.2: sent at once; E retransmits, F bounds the whole.
      return stay(state, send(state.request), ...again("E", timers), arm("F", lifetime(timers)));
    case "response":
      return onResponse(state, event.response);
    case "timer":
      return onTimer(state, event.timer);
    case "transportError":
      // §17.1.2.2: before a final response the user is told; afterwards nothing is sent any more.
      return name === "completed" ? stay(state) : end(state, TRANSPORT_ERROR);
    default:
      return unreachable(event, "non-INVITE client");
  }
}

function onResponse(state: NonInviteClientState, response: SipResponse): Step<NonInviteClientState> {
  // §17.1.2.2: in `completed` retransmitted responses are absorbed.
  if (state.name === "completed") return stay(state);
  const up: Action = { kind: "response", response };
  // §17.1.2.2: a provisional goes up; E goes on, from now with T2.
  if (response.status < 200) return stay({ ...state, name: "proceeding" }, up);
  // §17.1.2.2: a final goes up; K waits for its retransmissions.
  return stay({ ...state, name: "completed" }, disarm("E"), disarm("F"), arm("K", timerT4(state.timers)), up);
}

function onTimer(state: NonInviteClientState, timer: string): Step<NonInviteClientState> {
  const { name, timers } = state;
  const waiting = name === "trying" || name === "proceeding";
  if (timer === "E" && waiting) {
    // §17.1.2.2: MIN(2*E, T2) in `trying`, T2 in `proceeding`.
    const interval = name === "proceeding" ? timers.t2 : doubledUpTo(state.interval, timers.t2);
    return stay({ ...state, interval }, send(state.request), arm("E", interval));
  }
  if (timer === "F" && waiting) return end(state, TIMEOUT);
  return timer === "K" && name === "completed" ? end(state) : stay(state);
}

function end(state: NonInviteClientState, ...actions: Action[]): Step<NonInviteClientState> {
  return stay({ ...state, name: "terminated" }, ...actions, TERMINATED);
}

/** INVITE client transaction: RFC 3261 §17.1.1 with RFC 6026 §7.2. Pure. */

import { unreachable } from "../../model/errors.js";
import type { Millis } from "../../model/units.js";
import { ackForFailure } from "../message/build.js";
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
import { doubled, lifetime, type TransactionTimers, timerD } from "./timers.js";

/**
 * ```
 *  start/send          1xx            2xx
 * ---------> calling ------> proceeding ------> accepted --M--> terminated
 *           A/send |  \ 2xx ____________________^ 2xx/up           ^
 *                  |   \ 300-699/ACK       | 300-699/ACK           |
 *                  |    +--> completed <---+                       |
 *                  B/timeout    | 300-699/ACK again                |
 *                  |            D ---------------------------------+
 *                  +---------------------------------------------->+
 * ```
 */
export interface InviteClientState {
  readonly name: "calling" | "proceeding" | "accepted" | "completed" | "terminated";
  readonly request: SipRequest;
  readonly timers: TransactionTimers;
  /** Timer A's next interval. */
  readonly interval: Millis;
}

export function inviteClient(request: SipRequest, timers: TransactionTimers): InviteClientState {
  return { name: "calling", request, timers, interval: timers.t1 };
}

export function stepInviteClient(state: InviteClientState, event: ClientEvent): Step<InviteClientState> {
  const { name, timers } = state;
  if (name === "terminated") return stay(state);
  switch (event.kind) {
    case "start":
      if (name !== "calling") return stay(state);
      // §17.1.1.2: the request goes out at once; A retransmits it over UDP, B bounds the whole.
      return stay(state, send(state.request), ...again("A", timers), arm("B", lifetime(timers)));
    case "response":
      return onResponse(state, event.response);
    case "timer":
      return onTimer(state, event.timer);
    case "transportError":
      // RFC 6026 §7.2: after a final response a failed send is reported, and ends only `completed` (§17.1.4).
      if (name === "accepted") return stay(state, TRANSPORT_ERROR);
      return end(state, TRANSPORT_ERROR);
    default:
      return unreachable(event, "INVITE client");
  }
}

function onResponse(state: InviteClientState, response: SipResponse): Step<InviteClientState> {
  const { name, timers } = state;
  const up = { kind: "response", response } as const;
  const quiet = name === "calling" ? [disarm("A"), disarm("B")] : [];
  if (response.status < 200) {
    // §17.1.1.2: the first provisional stops retransmission; this one and all later go up. Late ones say nothing new.
    if (name === "calling" || name === "proceeding") return stay({ ...state, name: "proceeding" }, ...quiet, up);
    return stay(state);
  }
  if (response.status < 300) {
    // RFC 6026 §7.2: a 2xx goes up and Timer M keeps the transaction for its retransmissions and for other branches' 2xx.
    if (name === "calling" || name === "proceeding") {
      return stay({ ...state, name: "accepted" }, ...quiet, arm("M", lifetime(timers)), up);
    }
    // RFC 6026 §7.2: in `accepted` every further 2xx goes up.
    return name === "accepted" ? stay(state, up) : stay(state);
  }
  const ack = send(ackForFailure(state.request, response));
  // §17.1.1.2: a failure is acknowledged by the transaction itself, then goes up.
  if (name === "calling" || name === "proceeding") {
    return stay({ ...state, name: "completed" }, ...quiet, ack, arm("D", timerD(timers)), up);
  }
  // §17.1.1.2: its retransmissions cause the ACK again, and do not go up.
  return name === "completed" ? stay(state, ack) : stay(state);
}

function onTimer(state: InviteClientState, timer: string): Step<InviteClientState> {
  const { name } = state;
  if (timer === "A" && name === "calling") {
    // §17.1.1.2: each retransmission doubles the interval.
    const interval = doubled(state.interval);
    return stay({ ...state, interval }, send(state.request), arm("A", interval));
  }
  // §17.1.1.2: B in `calling` tells the user of the timeout.
  if (timer === "B" && name === "calling") return end(state, TIMEOUT);
  // §17.1.1.2 (D) and RFC 6026 §7.2 (M): the wait for retransmissions is over.
  if ((timer === "D" && name === "completed") || (timer === "M" && name === "accepted")) return end(state);
  return stay(state);
}

function end(state: InviteClientState, ...actions: Action[]): Step<InviteClientState> {
  return stay({ ...state, name: "terminated" }, ...actions, TERMINATED);
}

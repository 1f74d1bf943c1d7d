/** INVITE server transaction: RFC 3261 §17.2.1 with RFC 6026 §7.1. Pure. */
import { unreachable } from "../../model/errors.js";
import type { Millis } from "../../model/units.js";
import { responseTo } from "../message/build.js";
import type { SipRequest, SipResponse } from "../message/message.js";
import {
  type Action,
  again,
  arm,
  disarm,
  type ServerEvent,
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
 *  start/100              2xx from user
 * ----------> proceeding ---------------> accepted --L--> terminated
 *  INVITE/last 1xx |  1xx/send             INVITE/-  ACK/up  2xx/send  ^
 *                  | 300-699/send                                      |
 *                  v                                                   |
 *              completed --ACK--> confirmed --I------------------------+
 *               | INVITE,G/send     ACK/-                              |
 *               +--H/timeout-------------------------------------------+
 * ```
 */
export interface InviteServerState {
  readonly name: "proceeding" | "accepted" | "completed" | "confirmed" | "terminated";
  readonly request: SipRequest;
  readonly timers: TransactionTimers;
  /** What an INVITE that comes again is answered with. */
  readonly last: SipResponse;
  /** Timer G's next interval. */
  readonly interval: Millis;
}

export function inviteServer(request: SipRequest, timers: TransactionTimers): InviteServerState {
  return { name: "proceeding", request, timers, last: responseTo(request, 100), interval: timers.t1 };
}

export function stepInviteServer(state: InviteServerState, event: ServerEvent): Step<InviteServerState> {
  if (state.name === "terminated") return stay(state);
  switch (event.kind) {
    case "start":
      // §17.2.1: 100 unless the user answers within 200 ms; a policy server is asked first, so it goes out at once.
      return state.name === "proceeding" ? stay(state, send(state.last)) : stay(state);
    case "request":
      return event.request.method === "ACK" ? onAck(state, event.request) : onInviteAgain(state);
    case "respond":
      return onRespond(state, event.response);
    case "timer":
      return onTimer(state, event.timer);
    case "transportError":
      // RFC 6026 §7.1: a failed send never ends this transaction, so that retransmissions are still absorbed.
      return stay(state, TRANSPORT_ERROR);
    default:
      return unreachable(event, "INVITE server");
  }
}

function onAck(state: InviteServerState, request: SipRequest): Step<InviteServerState> {
  // RFC 6026 §7.1: an ACK for a 2xx goes to the user.
  if (state.name === "accepted") return stay(state, { kind: "ack", request });
  // §17.2.1: the ACK for a failure stops its retransmission; I absorbs further ones.
  if (state.name === "completed") {
    return stay({ ...state, name: "confirmed" }, disarm("G"), disarm("H"), arm("I", timerT4(state.timers)));
  }
  return stay(state);
}

function onInviteAgain(state: InviteServerState): Step<InviteServerState> {
  // §17.2.1: the latest provisional, or the failure, is sent again. RFC 6026 §7.1: in `accepted` it is absorbed.
  return state.name === "proceeding" || state.name === "completed" ? stay(state, send(state.last)) : stay(state);
}

function onRespond(state: InviteServerState, response: SipResponse): Step<InviteServerState> {
  const { name, timers } = state;
  // RFC 6026 §7.1: in `accepted` only a 2xx of the user goes out; nothing follows a failure.
  if (name === "accepted" && response.status >= 200 && response.status < 300) return stay(state, send(response));
  if (name !== "proceeding") return stay(state);
  const next = { ...state, last: response };
  // §17.2.1: provisionals go out and are kept for retransmitted requests.
  if (response.status < 200) return stay(next, send(response));
  // RFC 6026 §7.1: a 2xx moves to `accepted` for 64*T1; the transaction does not retransmit it.
  if (response.status < 300) return stay({ ...next, name: "accepted" }, send(response), arm("L", lifetime(timers)));
  // §17.2.1: a failure is retransmitted by G until ACK, or until H gives up.
  const actions: Action[] = [send(response), ...again("G", timers), arm("H", lifetime(timers))];
  return stay({ ...next, name: "completed" }, ...actions);
}

function onTimer(state: InviteServerState, timer: string): Step<InviteServerState> {
  const { name, timers } = state;
  if (timer === "G" && name === "completed") {
    // §17.2.1: doubles up to T2.
    const interval = doubledUpTo(state.interval, timers.t2);
    return stay({ ...state, interval }, send(state.last), arm("G", interval));
  }
  // §17.2.1: no ACK came.
  if (timer === "H" && name === "completed") return stay({ ...state, name: "terminated" }, TIMEOUT, TERMINATED);
  if ((timer === "I" && name === "confirmed") || (timer === "L" && name === "accepted")) {
    return stay({ ...state, name: "terminated" }, TERMINATED);
  }
  return stay(state);
}

/** Non-INVITE server transaction: RFC 3261 §17.2.2, answers limited by RFC 4320 §4. Pure. */
import { unreachable } from "../../model/errors.js";
import type { SipRequest, SipResponse } from "../message/message.js";
import { arm, type ServerEvent, type Step, send, stay, TERMINATED, TRANSPORT_ERROR } from "./machine.js";
import { lifetime, type TransactionTimers, timerJ } from "./timers.js";

/**
 * ```
 *  request           1xx/send            200-699/send
 * -------> trying ------------> proceeding ----------> completed --J--> terminated
 *          request/- \           request/1xx      ^     request/final
 *                     +-- 200-699/send -----------+       (trying, proceeding: J as well)
 * ```
 */
export interface NonInviteServerState {
  readonly name: "trying" | "proceeding" | "completed" | "terminated";
  readonly request: SipRequest;
  readonly timers: TransactionTimers;
  readonly last: SipResponse | undefined;
}

export function nonInviteServer(request: SipRequest, timers: TransactionTimers): NonInviteServerState {
  return { name: "trying", request, timers, last: undefined };
}

export function stepNonInviteServer(state: NonInviteServerState, event: ServerEvent): Step<NonInviteServerState> {
  const { name } = state;
  if (name === "terminated") return stay(state);
  switch (event.kind) {
    case "start":
      // §17.2.2 waits for the user for ever, and RFC 4320 §4.2 forbids a 408: nobody may come to answer. The sender
      // gives up after 64*T1 (F), so that nothing is gained by remembering the request for longer.
      return stay(state, arm("J", lifetime(state.timers)));
    case "request":
      // §17.2.2: in `trying` a retransmission is dropped, later the last answer is sent again.
      return state.last === undefined ? stay(state) : stay(state, send(state.last));
    case "respond":
      return onRespond(state, event.response);
    case "timer":
      // §17.2.2: J has waited for retransmissions long enough.
      if (event.timer !== "J") return stay(state);
      return stay({ ...state, name: "terminated" }, TERMINATED);
    case "transportError":
      // §17.2.4 lets it end; RFC 6026's reason to stay (retransmissions are absorbed) holds here as well.
      return stay(state, TRANSPORT_ERROR);
    default:
      return unreachable(event, "non-INVITE server");
  }
}

function onRespond(state: NonInviteServerState, response: SipResponse): Step<NonInviteServerState> {
  // §17.2.2: after a final answer further ones of the user are dropped.
  if (state.name === "completed") return stay(state);
  if (response.status < 200) return stay({ ...state, name: "proceeding", last: response }, send(response));
  const next = { ...state, name: "completed", last: response } as const;
  // §17.2.2: J is 0 where nothing can come again.
  return stay(next, send(response), arm("J", timerJ(state.timers)));
}

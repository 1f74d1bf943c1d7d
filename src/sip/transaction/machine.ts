/** What the four transaction machines have in common: their events' and actions' forms. */
import type { Millis } from "../../model/units.js";
import type { SipMessage, SipRequest, SipResponse } from "../message/message.js";
import type { TimerName, TransactionTimers } from "./timers.js";

export type Action =
  /** To the transport. */
  | { readonly kind: "send"; readonly message: SipMessage }
  /** Starts the timer, or starts it anew. */
  | { readonly kind: "arm"; readonly timer: TimerName; readonly delay: Millis }
  | { readonly kind: "disarm"; readonly timer: TimerName }
  /** To the transaction user. */
  | { readonly kind: "response"; readonly response: SipResponse }
  | { readonly kind: "ack"; readonly request: SipRequest }
  /** Nothing final came (client: B, F), or no ACK (server: H). */
  | { readonly kind: "timeout" }
  | { readonly kind: "transportError" }
  /** The transaction is over: destroy it and its timers. */
  | { readonly kind: "terminated" };

export interface Step<State> {
  readonly state: State;
  readonly actions: readonly Action[];
}

export type ClientEvent =
  | { readonly kind: "start" }
  | { readonly kind: "response"; readonly response: SipResponse }
  | { readonly kind: "timer"; readonly timer: TimerName }
  | { readonly kind: "transportError" };

export type ServerEvent =
  | { readonly kind: "start" }
  /** The request once more; for INVITE also its ACK. */
  | { readonly kind: "request"; readonly request: SipRequest }
  /** The transaction user answers. */
  | { readonly kind: "respond"; readonly response: SipResponse }
  | { readonly kind: "timer"; readonly timer: TimerName }
  | { readonly kind: "transportError" };

export const stay = <State>(state: State, ...actions: Action[]): Step<State> => ({ state, actions });
export const send = (message: SipMessage): Action => ({ kind: "send", message });
export const arm = (timer: TimerName, delay: Millis): Action => ({ kind: "arm", timer, delay });
/** §17: retransmission is for transports that lose. */
export const again = (timer: "A" | "E" | "G", timers: TransactionTimers): Action[] =>
  timers.reliable === true ? [] : [arm(timer, timers.t1)];
export const disarm = (timer: TimerName): Action => ({ kind: "disarm", timer });
export const TERMINATED: Action = { kind: "terminated" };
export const TIMEOUT: Action = { kind: "timeout" };
export const TRANSPORT_ERROR: Action = { kind: "transportError" };

/**
 * One handle at the PEP, RFC 2748 §3.2 and §2.4: at most one REQ is waiting for its decision, the others
 * wait for it. Pure; `id` names a request to whoever waits for it.
 *
 *   idle ── request ──> waiting ── solicited DEC ──> idle | next of the queue
 *                          └── timeout, delete, lost ──> gone (everyone waiting fails)
 */
import { REASON } from "../codec/codes.js";
import type { CodeAndSubCode } from "../codec/errors.js";
import type { DecMessage, ReqMessage } from "../codec/message.js";

interface Waiting {
  readonly id: number;
  readonly message: ReqMessage;
}

export interface RequestState {
  readonly current?: Waiting;
  readonly queue: readonly Waiting[];
  /** True once the handle is given up: it may not be used again before it is a new one. */
  readonly gone: boolean;
}

export type RequestEvent =
  | { readonly type: "request"; readonly id: number; readonly message: ReqMessage }
  | { readonly type: "decision"; readonly message: DecMessage }
  | { readonly type: "timeout" }
  | { readonly type: "delete"; readonly reason: CodeAndSubCode }
  /** The connection is gone: the handle stays, what waits fails. */
  | { readonly type: "lost" };

/** Why a request got no decision. */
export type RequestFailure = "timeout" | "deleted" | "down" | "busy";

export type RequestAction =
  | { readonly do: "send"; readonly message: ReqMessage }
  | { readonly do: "sendDelete"; readonly reason: CodeAndSubCode }
  | { readonly do: "armTimeout" }
  | { readonly do: "cancelTimeout" }
  | { readonly do: "settle"; readonly id: number; readonly message: DecMessage }
  | { readonly do: "fail"; readonly id: number; readonly failure: RequestFailure }
  | { readonly do: "deliver"; readonly message: DecMessage }
  | { readonly do: "ignore"; readonly what: string };

export interface RequestStep {
  readonly state: RequestState;
  readonly actions: readonly RequestAction[];
}

export const REQUEST_INITIAL: RequestState = { queue: [], gone: false };

/** Requests that may wait behind one another on a handle; more would mean the PDP has stopped deciding. */
const MAX_QUEUE = 16;

export function requestStep(state: RequestState, event: RequestEvent): RequestStep {
  switch (event.type) {
    case "request":
      return onRequest(state, { id: event.id, message: event.message });
    case "decision":
      return onDecision(state, event.message);
    case "timeout":
      if (state.current === undefined) return { state, actions: [{ do: "ignore", what: "timeout without a request" }] };
      // RFC 2748 §3.2: a request that gets no decision makes the PEP delete its handle.
      return giveUp(state, "timeout", { code: REASON.timeout, subCode: 0 });
    case "delete":
      // RFC 2748 §3.4: the PDP is told when a state is gone, once.
      if (state.gone) return { state, actions: [{ do: "ignore", what: "delete of a deleted handle" }] };
      return giveUp(state, "deleted", event.reason);
    case "lost":
      return { state: { queue: [], gone: state.gone }, actions: [...failures(state, "down"), { do: "cancelTimeout" }] };
  }
}

function onRequest(state: RequestState, waiting: Waiting): RequestStep {
  if (state.gone) return { state, actions: [{ do: "fail", id: waiting.id, failure: "deleted" }] };
  // RFC 2748 §3.2: not more than one REQ for a handle before its solicited DEC.
  if (state.current === undefined) return send(state, waiting, []);
  if (state.queue.length >= MAX_QUEUE) return { state, actions: [{ do: "fail", id: waiting.id, failure: "busy" }] };
  return { state: { ...state, queue: [...state.queue, waiting] }, actions: [] };
}

function send(state: RequestState, waiting: Waiting, before: readonly RequestAction[]): RequestStep {
  const actions = [...before, { do: "send", message: waiting.message }, { do: "armTimeout" }] as const;
  return { state: { ...state, current: waiting }, actions };
}

function onDecision(state: RequestState, message: DecMessage): RequestStep {
  if (state.gone) return { state, actions: [{ do: "ignore", what: "DEC for a deleted handle" }] };
  // RFC 2748 §3.2: unsolicited decisions may come at any time.
  if (!message.solicited) return { state, actions: [{ do: "deliver", message }] };
  const { current } = state;
  if (current === undefined) return { state, actions: [{ do: "ignore", what: "solicited DEC without a request" }] };
  const settled: readonly RequestAction[] = [{ do: "cancelTimeout" }, { do: "settle", id: current.id, message }];
  const [next, ...queue] = state.queue;
  if (next === undefined) return { state: { queue: [], gone: false }, actions: settled };
  return send({ queue, gone: false }, next, settled);
}

function giveUp(state: RequestState, failure: RequestFailure, reason: CodeAndSubCode): RequestStep {
  const actions: RequestAction[] = [{ do: "cancelTimeout" }, { do: "sendDelete", reason }];
  return { state: { queue: [], gone: true }, actions: [...actions, ...failures(state, failure)] };
}

function failures(state: RequestState, failure: RequestFailure): RequestAction[] {
  const waiting = state.current === undefined ? state.queue : [state.current, ...state.queue];
  return waiting.map(({ id }) => ({ do: "fail", id, failure }));
}

/**
 * The PDP's side of one connection, RFC 2748 §3 and §4. A connection may carry several client-types, each
 * opened and closed by itself. Pure; the endpoint asks the role whether an open is accepted and feeds the
 * answer back as `verdict`.
 *
 *   fresh ── OPN accepted ──> serving ── last client-type closed ──> fresh
 *   any ── framing lost, silence, CC of client-type 0, stop ──> closed
 */
import { COPS_ERROR, opName } from "../codec/codes.js";
import type { CodeAndSubCode, CopsDecodeError } from "../codec/errors.js";
import {
  type CopsMessage,
  type DrqMessage,
  KEEP_ALIVE,
  type OpnMessage,
  type PdpAddress,
  type ReqMessage,
  type RptMessage,
  type SscMessage,
} from "../codec/message.js";

export interface PdpState {
  readonly phase: "fresh" | "serving" | "closed";
  /** Opened client-types, and the PEPID they were opened with. */
  readonly opened: ReadonlyMap<number, string>;
  /** Seconds; the least of what our CATs said. 0 is never. */
  readonly keepAlive: number;
}

export interface PdpRules {
  /** Client-types that are served here. */
  readonly clientTypes: readonly number[];
  /** Milliseconds a connection may exist without an open client-type. */
  readonly openTimeout: number;
}

export type OpenVerdict =
  | { readonly accept: true; readonly keepAlive: number; readonly accounting?: number }
  | { readonly accept: false; readonly error: CodeAndSubCode; readonly redirect?: PdpAddress };

export type PdpTimer = "open" | "silence";

export type PdpEvent =
  | { readonly type: "connected" }
  | { readonly type: "received"; readonly message: CopsMessage }
  | { readonly type: "verdict"; readonly open: OpnMessage; readonly verdict: OpenVerdict }
  | { readonly type: "unreadable"; readonly error: CopsDecodeError }
  | { readonly type: "timer"; readonly timer: PdpTimer }
  | { readonly type: "disconnected"; readonly reason: string }
  /** We end one client-type. */
  | { readonly type: "close"; readonly clientType: number; readonly error: CodeAndSubCode; readonly reason: string }
  /** We end everything. */
  | { readonly type: "stop"; readonly error: CodeAndSubCode };

export type PdpAction =
  | { readonly do: "send"; readonly message: CopsMessage }
  | { readonly do: "disconnect" }
  | { readonly do: "arm"; readonly timer: PdpTimer; readonly delay: number }
  | { readonly do: "cancel"; readonly timer: PdpTimer }
  /** Ask the role; the answer comes back as `verdict`. */
  | { readonly do: "ask"; readonly open: OpnMessage }
  | { readonly do: "opened"; readonly open: OpnMessage }
  | { readonly do: "closed"; readonly clientType: number; readonly reason: string }
  | { readonly do: "request"; readonly message: ReqMessage }
  | { readonly do: "report"; readonly message: RptMessage }
  | { readonly do: "deleted"; readonly message: DrqMessage }
  | { readonly do: "synchronized"; readonly message: SscMessage }
  /** A REQ that could not be read: answer in its handle's turn (RFC 2748 §3.1). */
  | {
      readonly do: "refuse";
      readonly clientType: number;
      readonly handle: Buffer;
      readonly error: CodeAndSubCode;
    }
  | { readonly do: "ignore"; readonly what: string };

export interface PdpStep {
  readonly state: PdpState;
  readonly actions: readonly PdpAction[];
}

export const PDP_INITIAL: PdpState = { phase: "fresh", opened: new Map(), keepAlive: 0 };

export function pdpStep(rules: PdpRules, state: PdpState, event: PdpEvent): PdpStep {
  if (state.phase === "closed") return { state, actions: [{ do: "ignore", what: `${event.type} when closed` }] };
  switch (event.type) {
    case "connected":
      return { state, actions: [{ do: "arm", timer: "open", delay: rules.openTimeout }] };
    case "received":
      return onMessage(rules, state, event.message);
    case "verdict":
      return onVerdict(rules, state, event);
    case "unreadable":
      return onUnreadable(state, event.error);
    case "timer":
      return onTimer(state, event.timer);
    case "disconnected":
      return end(state, [], event.reason);
    case "close": {
      if (!state.opened.has(event.clientType)) return ignore(state, "close of a client-type that is not open");
      return closeType(rules, state, event);
    }
    case "stop":
      // RFC 2748 §4.7: a PDP that shuts down says so to every client-type of every PEP.
      return end(
        state,
        [...state.opened.keys()].map((type) => close(type, event.error)),
        "closed here",
        true,
      );
  }
}

const ignore = (state: PdpState, what: string): PdpStep => ({ state, actions: [{ do: "ignore", what }] });

const close = (clientType: number, error: CodeAndSubCode, redirect?: PdpAddress): PdpAction => ({
  do: "send",
  message: { op: "CC", clientType, error, ...(redirect === undefined ? {} : { redirect }) },
});

/** Ends the connection. @param hangUp - false if it is gone already */
function end(state: PdpState, before: readonly PdpAction[], reason: string, hangUp = false): PdpStep {
  const types = [...state.opened.keys()];
  return {
    state: { phase: "closed", opened: new Map(), keepAlive: 0 },
    actions: [
      ...before,
      { do: "cancel", timer: "open" },
      { do: "cancel", timer: "silence" },
      ...(hangUp ? [{ do: "disconnect" } as const] : []),
      ...types.map((clientType): PdpAction => ({ do: "closed", clientType, reason })),
    ],
  };
}

function onMessage(rules: PdpRules, state: PdpState, message: CopsMessage): PdpStep {
  const step = onMessageKind(rules, state, message);
  if (step.state.phase === "closed" || step.state.keepAlive === 0) return step;
  // RFC 2748 §4.6: a KA or any other message counts as a sign of life.
  return { state: step.state, actions: [armSilence(step.state.keepAlive), ...step.actions] };
}

const armSilence = (seconds: number): PdpAction => ({ do: "arm", timer: "silence", delay: seconds * 1000 });

function onMessageKind(rules: PdpRules, state: PdpState, message: CopsMessage): PdpStep {
  switch (message.op) {
    case "KA":
      // RFC 2748 §3.9: the PDP echoes every KA.
      return { state, actions: [{ do: "send", message: KEEP_ALIVE }] };
    case "OPN":
      return onOpen(rules, state, message);
    case "CC":
      return onClientClose(rules, state, message.clientType, message.error);
    case "DEC":
    case "SSQ":
    case "CAT":
      return ignore(state, `${message.op} is for a PEP`);
    case "REQ":
    case "RPT":
    case "DRQ":
    case "SSC": {
      if (!state.opened.has(message.clientType)) {
        // RFC 2748 §4.3: requests come after the Client-Accept. Told once a message, nothing is kept.
        const error = { code: COPS_ERROR.unsupportedClientType, subCode: 0 };
        return { state, actions: [close(message.clientType, error)] };
      }
      return { state, actions: [deliver(message)] };
    }
  }
}

function deliver(message: ReqMessage | RptMessage | DrqMessage | SscMessage): PdpAction {
  switch (message.op) {
    case "REQ":
      return { do: "request", message };
    case "RPT":
      return { do: "report", message };
    case "DRQ":
      return { do: "deleted", message };
    case "SSC":
      return { do: "synchronized", message };
  }
}

function onOpen(rules: PdpRules, state: PdpState, open: OpnMessage): PdpStep {
  const { clientType, pepId, integrity } = open;
  if (clientType === 0) {
    // RFC 2748 §4.1, RFC 4261 §3: security was asked for, and there are no keys and no certificate here.
    const unknown = integrity?.cType === 2;
    const error = unknown
      ? { code: COPS_ERROR.unknownObject, subCode: 0x1002 }
      : { code: COPS_ERROR.authenticationFailure, subCode: 0 };
    return end(state, [close(0, error)], "security is not configured", true);
  }
  if (!rules.clientTypes.includes(clientType)) {
    // RFC 2748 §4.3: an unsupported client-type is closed, and the others of the connection go on.
    return { state, actions: [close(clientType, { code: COPS_ERROR.unsupportedClientType, subCode: 0 })] };
  }
  const before = state.opened.get(clientType);
  if (before !== undefined && before !== pepId) {
    // RFC 2748 §2.2.11: the PEPID is who the PEP is; it does not change under an open client-type.
    return { state, actions: [{ do: "ignore", what: "OPN with another PEPID" }] };
  }
  // RFC 2748 §3.6: a Client-Open may come again at any time, for a change of global state.
  return { state, actions: [{ do: "ask", open }] };
}

function onVerdict(
  rules: PdpRules,
  state: PdpState,
  { open, verdict }: { readonly open: OpnMessage; readonly verdict: OpenVerdict },
): PdpStep {
  const { clientType, pepId } = open;
  if (!verdict.accept) {
    // RFC 2748 §3.7: a refused client gets a Client-Close, maybe with a better address.
    const refusal = close(clientType, verdict.error, verdict.redirect);
    if (!state.opened.has(clientType)) return { state, actions: [refusal] };
    // RFC 2748 §3.8: it was open before this OPN, and a Client-Close ends that.
    return leave(rules, state, clientType, [
      refusal,
      { do: "closed", clientType, reason: "refused when opened again" },
    ]);
  }
  const { keepAlive, accounting } = verdict;
  const both = state.keepAlive > 0 && keepAlive > 0;
  const least = both ? Math.min(state.keepAlive, keepAlive) : Math.max(state.keepAlive, keepAlive);
  const cat: CopsMessage = {
    op: "CAT",
    clientType,
    keepAlive,
    ...(accounting === undefined ? {} : { accounting }),
  };
  const opened = new Map(state.opened).set(clientType, pepId);
  return {
    state: { phase: "serving", opened, keepAlive: least },
    actions: [
      { do: "cancel", timer: "open" },
      ...(least > 0 ? [armSilence(least)] : []),
      { do: "send", message: cat },
      { do: "opened", open },
    ],
  };
}

function onClientClose(rules: PdpRules, state: PdpState, clientType: number, error: CodeAndSubCode): PdpStep {
  const reason = `closed by the PEP, error ${error.code}`;
  // RFC 2748 §4.1: client-type 0 is the connection.
  if (clientType === 0) return end(state, [], reason, true);
  if (!state.opened.has(clientType)) return ignore(state, "CC of a client-type that is not open");
  return leave(rules, state, clientType, [{ do: "closed", clientType, reason }]);
}

function closeType(
  rules: PdpRules,
  state: PdpState,
  event: { readonly clientType: number; readonly error: CodeAndSubCode; readonly reason: string },
): PdpStep {
  const { clientType, error, reason } = event;
  return leave(rules, state, clientType, [close(clientType, error), { do: "closed", clientType, reason }]);
}

/** RFC 2748 §3.8: a Client-Close ends one client-type; the TCP connection may still serve others. */
function leave(rules: PdpRules, state: PdpState, clientType: number, actions: readonly PdpAction[]): PdpStep {
  const opened = new Map(state.opened);
  opened.delete(clientType);
  if (opened.size > 0) return { state: { ...state, opened }, actions };
  return {
    state: { phase: "fresh", opened, keepAlive: 0 },
    actions: [...actions, { do: "cancel", timer: "silence" }, { do: "arm", timer: "open", delay: rules.openTimeout }],
  };
}

function onUnreadable(state: PdpState, error: CopsDecodeError): PdpStep {
  const { op, clientType = 0, handle } = error.legible;
  // Where the next message starts is unknown: close the connection as a whole.
  if (error.framingLost) return end(state, [close(0, error.answer)], "framing lost", true);
  const name = op === undefined ? undefined : opName(op);
  if (name === "REQ" && handle !== undefined && state.opened.has(clientType)) {
    // RFC 2748 §3.1: a malformed REQ gets a DEC with the error.
    return { state, actions: [{ do: "refuse", clientType, handle, error: error.answer }] };
  }
  if ((name === "RPT" || name === "DRQ" || name === "SSC") && state.opened.has(clientType)) {
    // RFC 2748 names no answer for these, and what they were about is unknown to us.
    return ignore(state, `unreadable ${name}`);
  }
  // RFC 2748 §3.6: a malformed Client-Open gets a Client-Close; so does what cannot be told apart.
  if (!state.opened.has(clientType)) return { state, actions: [close(clientType, error.answer)] };
  return end(state, [close(clientType, error.answer)], "unreadable message", true);
}

function onTimer(state: PdpState, timer: PdpTimer): PdpStep {
  switch (timer) {
    case "open": {
      if (state.phase !== "fresh") return ignore(state, "open timer when serving");
      const error = { code: COPS_ERROR.communicationFailure, subCode: 0 };
      return end(state, [close(0, error)], "no Client-Open in time", true);
    }
    case "silence": {
      if (state.phase !== "serving") return ignore(state, "silence timer when not serving");
      // RFC 2748 §4.6: nothing within the interval is a lost connection.
      const error = { code: COPS_ERROR.communicationFailure, subCode: 0 };
      const closes = [...state.opened.keys()].map((type) => close(type, error));
      return end(state, closes, "keep-alive timeout", true);
    }
  }
}

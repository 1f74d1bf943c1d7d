/**
 * The PEP's side of one client-type on one connection, RFC 2748 §2.3, §3.6-3.9, §4.6, §4.7. Pure: time,
 * sockets and chance are the endpoint's.
 *
 *            start                connected              CAT
 *   closed ────────> connecting ────────────> opening ─────────> open
 *     ^ retry timer      │                       │                 │
 *     └──────────────────┴── failed, lost, CC, ──┴── bad message, ─┘
 *                            open timer              silence
 *   any ── stop ──> closing ── disconnected ──> closed (until the next start)
 */
import { COPS_ERROR, opName, REASON } from "../codec/codes.js";
import type { CodeAndSubCode, CopsDecodeError } from "../codec/errors.js";
import {
  type CatMessage,
  type CcMessage,
  type CopsMessage,
  type DecMessage,
  type DrqMessage,
  KEEP_ALIVE,
  type OpnMessage,
  type PdpAddress,
  type ReqMessage,
  type RptMessage,
  type SscMessage,
  type SsqMessage,
} from "../codec/message.js";

export type PepPhase = "closed" | "connecting" | "opening" | "open" | "closing";

export interface PepState {
  readonly phase: PepPhase;
  /** Index of the server that is, or is to be, spoken to. */
  readonly server: number;
  /** Where a PDP sent us instead (RFC 2748 §2.2.13): tried once. */
  readonly redirect?: PdpAddress;
  /** Attempts since a connection last proved stable; sets the wait before the next. */
  readonly attempt: number;
  /** Seconds; the least of all CATs of this connection. 0 is never. */
  readonly keepAlive: number;
}

export interface PepRules {
  readonly pepId: string;
  readonly clientType: number;
  readonly servers: number;
  /** Milliseconds, all of them. */
  readonly openTimeout: number;
  readonly retryMin: number;
  readonly retryMax: number;
}

export type PepTimer = "retry" | "open" | "keepAlive" | "silence" | "stable";

export type PepEvent =
  | { readonly type: "start" }
  | { readonly type: "stop" }
  /** `lastPdp` if decisions of that PDP are all still cached, RFC 2748 §3.6. */
  | { readonly type: "connected"; readonly lastPdp?: PdpAddress }
  | { readonly type: "disconnected"; readonly reason: string }
  | { readonly type: "received"; readonly message: CopsMessage }
  | { readonly type: "unreadable"; readonly error: CopsDecodeError }
  | { readonly type: "timer"; readonly timer: PepTimer };

export type PepAction =
  | { readonly do: "connect"; readonly server: number; readonly redirect?: PdpAddress }
  | { readonly do: "disconnect" }
  | { readonly do: "send"; readonly message: CopsMessage }
  /** At a random instant between the two, in milliseconds; an armed timer of that name is replaced. */
  | { readonly do: "arm"; readonly timer: PepTimer; readonly min: number; readonly max: number }
  | { readonly do: "cancel"; readonly timer: PepTimer }
  | { readonly do: "up"; readonly accounting?: number }
  | { readonly do: "down"; readonly reason: string }
  | { readonly do: "decision"; readonly message: DecMessage }
  /** The request state of this handle is given up: a DRQ with this reason is due. */
  | { readonly do: "abandon"; readonly handle: Buffer; readonly reason: CodeAndSubCode }
  | { readonly do: "synchronize"; readonly handle?: Buffer }
  | { readonly do: "ignore"; readonly what: string };

export interface PepStep {
  readonly state: PepState;
  readonly actions: readonly PepAction[];
}

export const PEP_INITIAL: PepState = { phase: "closed", server: 0, attempt: 0, keepAlive: 0 };

/** Every event is answered in every phase; what makes no sense there is an `ignore`. */
export function pepStep(rules: PepRules, state: PepState, event: PepEvent): PepStep {
  switch (event.type) {
    case "start":
      if (state.phase !== "closed") return ignore(state, "start when started");
      return connect(state, [{ do: "cancel", timer: "retry" }]);
    case "stop":
      return stop(rules, state);
    case "connected":
      return onConnected(rules, state, event.lastPdp);
    case "disconnected":
      return onDisconnected(rules, state, event.reason);
    case "timer":
      return onTimer(rules, state, event.timer);
    case "received":
      return onMessage(rules, state, event.message);
    case "unreadable":
      return onUnreadable(rules, state, event.error);
  }
}

const ignore = (state: PepState, what: string): PepStep => ({ state, actions: [{ do: "ignore", what }] });

const isConnected = ({ phase }: PepState): boolean => phase === "opening" || phase === "open";

function connect({ redirect, ...state }: PepState, before: readonly PepAction[]): PepStep {
  const target: PepAction = {
    do: "connect",
    server: state.server,
    ...(redirect === undefined ? {} : { redirect }),
  };
  return { state: { ...state, phase: "connecting", keepAlive: 0 }, actions: [...before, target] };
}

function onConnected(rules: PepRules, state: PepState, lastPdp: PdpAddress | undefined): PepStep {
  if (state.phase !== "connecting") return ignore(state, "connected when not connecting");
  const { pepId, clientType, openTimeout } = rules;
  // RFC 2748 §4.3: once connected, a Client-Open per client-type. LastPDPAddr only with cached decisions.
  const last = lastPdp === undefined ? {} : { lastPdp };
  const message: CopsMessage = { op: "OPN", clientType, pepId, signaled: [], named: [], ...last };
  return {
    state: { ...state, phase: "opening" },
    actions: [
      { do: "send", message },
      { do: "arm", timer: "open", min: openTimeout, max: openTimeout },
    ],
  };
}

/** RFC 2748 §2.3: on loss the PEP keeps trying all its PDPs; RFC 3084 §7: first the one it had last. */
function onDisconnected(rules: PepRules, state: PepState, reason: string): PepStep {
  switch (state.phase) {
    case "connecting":
      return retry(rules, { ...state, server: (state.server + 1) % rules.servers }, []);
    case "opening":
      return retry(rules, { ...state, server: (state.server + 1) % rules.servers }, []);
    case "open":
      return retry(rules, state, [], [{ do: "down", reason }]);
    case "closing":
      return { state: { ...PEP_INITIAL }, actions: [] };
    case "closed":
      return ignore(state, "disconnected when closed");
  }
}

/** The role hears of it last, when everything else is in order. */
function retry(
  rules: PepRules,
  state: PepState,
  before: readonly PepAction[],
  after: readonly PepAction[] = [],
): PepStep {
  const wait = Math.min(rules.retryMax, rules.retryMin * 2 ** Math.min(state.attempt, 20));
  return {
    state: { ...state, phase: "closed", attempt: state.attempt + 1, keepAlive: 0 },
    actions: [...before, ...CANCEL_ALL, { do: "arm", timer: "retry", min: wait, max: wait }, ...after],
  };
}

const CANCEL_ALL: readonly PepAction[] = [
  { do: "cancel", timer: "open" },
  { do: "cancel", timer: "keepAlive" },
  { do: "cancel", timer: "silence" },
  { do: "cancel", timer: "stable" },
];

function stop(rules: PepRules, state: PepState): PepStep {
  const cancel: readonly PepAction[] = [...CANCEL_ALL, { do: "cancel", timer: "retry" }];
  const closing: PepState = { ...PEP_INITIAL, phase: "closing" };
  switch (state.phase) {
    case "closed":
      return { state: PEP_INITIAL, actions: cancel };
    case "connecting":
      return { state: closing, actions: [...cancel, { do: "disconnect" }] };
    case "opening":
    case "open": {
      // RFC 2748 §4.7: a Client-Close negates the Client-Open.
      const down: readonly PepAction[] = state.phase === "open" ? [{ do: "down", reason: "closed here" }] : [];
      const cc = close(rules.clientType, COPS_ERROR.shuttingDown);
      return { state: closing, actions: [...cancel, cc, { do: "disconnect" }, ...down] };
    }
    case "closing":
      return ignore(state, "stop when closing");
  }
}

function close(clientType: number, code: number, subCode = 0): PepAction {
  return { do: "send", message: { op: "CC", clientType, error: { code, subCode } } };
}

/** Ends the connection from our side and comes back later. The endpoint will not say `disconnected`. */
function giveUp(rules: PepRules, state: PepState, cc: PepAction | undefined, reason: string): PepStep {
  const { phase } = state;
  const next = phase === "open" ? state : { ...state, server: (state.server + 1) % rules.servers };
  const down: readonly PepAction[] = phase === "open" ? [{ do: "down", reason }] : [];
  return retry(rules, next, [...(cc === undefined ? [] : [cc]), { do: "disconnect" }], down);
}

function onTimer(rules: PepRules, state: PepState, timer: PepTimer): PepStep {
  switch (timer) {
    case "retry":
      return state.phase === "closed" ? connect(state, []) : ignore(state, "retry timer when not closed");
    case "open":
      // RFC 2748 has no timer for a CAT; without one a silent PDP would hold us for ever.
      if (state.phase !== "opening") return ignore(state, "open timer when not opening");
      return giveUp(rules, state, close(rules.clientType, COPS_ERROR.communicationFailure), "no Client-Accept in time");
    case "keepAlive":
      // RFC 2748 §3.9: a KA at a fresh random instant between 1/4 and 3/4 of the interval, each time.
      if (state.phase !== "open") return ignore(state, "keep-alive timer when not open");
      return { state, actions: [{ do: "send", message: KEEP_ALIVE }, armKeepAlive(state.keepAlive)] };
    case "silence":
      if (state.phase !== "open") return ignore(state, "silence timer when not open");
      // RFC 2748 §4.6, §4.7: nothing for a whole interval is a lost connection; say so in a Client-Close.
      return giveUp(rules, state, close(rules.clientType, COPS_ERROR.communicationFailure), "keep-alive timeout");
    case "stable":
      return state.phase === "open"
        ? { state: { ...state, attempt: 0 }, actions: [] }
        : ignore(state, "stable timer when not open");
  }
}

const armKeepAlive = (seconds: number): PepAction => ({
  do: "arm",
  timer: "keepAlive",
  min: seconds * 250,
  max: seconds * 750,
});

const armSilence = (seconds: number): PepAction => ({
  do: "arm",
  timer: "silence",
  min: seconds * 1000,
  max: seconds * 1000,
});

function onMessage(rules: PepRules, state: PepState, message: CopsMessage): PepStep {
  if (!isConnected(state)) return ignore(state, `${message.op} when ${state.phase}`);
  const step = onMessageKind(rules, state, message);
  // RFC 2748 §4.6: any message shows that the other side lives.
  const alive = step.state.phase === "open" && step.state.keepAlive > 0;
  return alive ? { state: step.state, actions: [armSilence(step.state.keepAlive), ...step.actions] } : step;
}

function onMessageKind(rules: PepRules, state: PepState, message: CopsMessage): PepStep {
  if (message.op === "KA") return { state, actions: [] };
  if (message.op === "CC") return onClientClose(rules, state, message);
  if (message.clientType !== rules.clientType) return ignore(state, `${message.op} of another client-type`);
  return onOurMessage(rules, state, message);
}

/** Written out, as the linter does not see through `Exclude`. */
type OurMessage = ReqMessage | DecMessage | RptMessage | DrqMessage | SsqMessage | SscMessage | OpnMessage | CatMessage;

function onOurMessage(rules: PepRules, state: PepState, message: OurMessage): PepStep {
  switch (message.op) {
    case "CAT":
      return onClientAccept(rules, state, message);
    case "DEC":
      // RFC 2748 §4.3: requests, and so decisions, come after the Client-Accept.
      if (state.phase !== "open") return ignore(state, "DEC before CAT");
      return { state, actions: [{ do: "decision", message }] };
    case "SSQ": {
      if (state.phase !== "open") return ignore(state, "SSQ before CAT");
      // RFC 2748 §3.5: one handle, or all of them if none is named.
      const handle = message.handle === undefined ? {} : { handle: message.handle };
      return { state, actions: [{ do: "synchronize", ...handle }] };
    }
    case "REQ":
    case "RPT":
    case "DRQ":
    case "SSC":
    case "OPN":
      return ignore(state, `${message.op} is for a PDP`);
  }
}

function onClientAccept(
  rules: PepRules,
  state: PepState,
  { keepAlive, accounting }: { readonly keepAlive: number; readonly accounting?: number },
): PepStep {
  const again = state.phase === "open";
  // RFC 2748 §3.9: the minimum of all CATs of the connection counts; zero asks for nothing.
  const both = state.keepAlive > 0 && keepAlive > 0;
  const least = both ? Math.min(state.keepAlive, keepAlive) : Math.max(state.keepAlive, keepAlive);
  const timers = least > 0 ? [armKeepAlive(least)] : [];
  const opened: readonly PepAction[] = again
    ? []
    : [
        { do: "cancel", timer: "open" },
        { do: "arm", timer: "stable", min: rules.retryMax, max: rules.retryMax },
        { do: "up", ...(accounting === undefined ? {} : { accounting }) },
      ];
  return { state: { ...state, phase: "open", keepAlive: least }, actions: [...timers, ...opened] };
}

/** RFC 2748 §3.8: the client-type, or for client-type 0 the connection, is over; maybe with a better address. */
function onClientClose(rules: PepRules, state: PepState, message: CcMessage): PepStep {
  if (message.clientType !== rules.clientType && message.clientType !== 0) {
    return ignore(state, "CC of another client-type");
  }
  const next = message.redirect === undefined ? state : { ...state, redirect: message.redirect };
  return giveUp(rules, next, undefined, `closed by the PDP, error ${message.error.code}`);
}

function onUnreadable(rules: PepRules, state: PepState, error: CopsDecodeError): PepStep {
  if (!isConnected(state)) return ignore(state, `unreadable message when ${state.phase}`);
  const { op, clientType, handle } = error.legible;
  const { code, subCode } = error.answer;
  if (error.framingLost) {
    // Where the next message starts is unknown: the connection as a whole is closed.
    return giveUp(rules, state, close(0, code, subCode), "framing lost");
  }
  if (op !== undefined && opName(op) === "DEC" && handle !== undefined && state.phase === "open") {
    if (clientType !== rules.clientType) return ignore(state, "unreadable DEC of another client-type");
    // RFC 2748 §3.5: a malformed DEC or an unknown object in one makes the PEP delete that request.
    const unknown = code === COPS_ERROR.unknownObject;
    const reason = unknown ? { code: REASON.unknownObject, subCode } : { code: REASON.malformedDecision, subCode: 0 };
    return { state, actions: [{ do: "abandon", handle, reason }] };
  }
  // RFC 2748 §3.7: a malformed Client-Accept is answered with a Client-Close; so is the rest.
  return giveUp(rules, state, close(rules.clientType, code, subCode), "unreadable message");
}

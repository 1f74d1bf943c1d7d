/**
 * What a receiver knows of one sender and key: whether its sequence is known, and how it gets to know it
 * (RFC 2747 §4.2, §4.3). Every message here has already been found to be signed with the key.
 */
import { unreachable } from "../../model/errors.js";
import type { HandshakePolicy } from "./keys.js";
import { accept, type ReplayWindow, replayWindow } from "./replay-window.js";

export interface ReceiverRules {
  readonly handshake: HandshakePolicy;
  readonly window: number;
  /** Milliseconds until a challenge is repeated, doubled each time. */
  readonly challengeInterval: number;
  readonly maxChallenges: number;
}

export type ReceiverState =
  | { readonly phase: "unknown" }
  | { readonly phase: "challenged"; readonly cookie: Buffer; readonly sent: number; readonly due: number }
  | { readonly phase: "open"; readonly window: ReplayWindow };

export type ReceiverEvent =
  /** `cookie`: eight octets that nobody can guess, used if a challenge has to be made. */
  | {
      readonly type: "message";
      readonly sequence: bigint;
      readonly willing: boolean;
      readonly now: number;
      readonly cookie: Buffer;
    }
  | { readonly type: "response"; readonly sequence: bigint; readonly cookie: Buffer }
  | { readonly type: "due"; readonly now: number };

/** Why a message that was signed well is not used. */
export type ReceiverRefusal = "replay" | "handshake" | "unwilling" | "response";

export type ReceiverAction =
  | { readonly do: "accept" }
  | { readonly do: "drop"; readonly why: ReceiverRefusal }
  | { readonly do: "challenge"; readonly cookie: Buffer };

export interface ReceiverStep {
  readonly state: ReceiverState;
  readonly actions: readonly ReceiverAction[];
}

export const RECEIVER_INITIAL: ReceiverState = { phase: "unknown" };

const ACCEPT: readonly ReceiverAction[] = [{ do: "accept" }];
const drop = (state: ReceiverState, why: ReceiverRefusal): ReceiverStep => ({ state, actions: [{ do: "drop", why }] });

export function receiverStep(rules: ReceiverRules, state: ReceiverState, event: ReceiverEvent): ReceiverStep {
  switch (event.type) {
    case "message":
      return message(rules, state, event);
    case "response":
      return response(rules, state, event);
    case "due":
      return due(rules, state, event.now);
    default:
      return unreachable(event, "receiverStep");
  }
}

function message(
  rules: ReceiverRules,
  state: ReceiverState,
  { sequence, willing, now, cookie }: Extract<ReceiverEvent, { type: "message" }>,
): ReceiverStep {
  switch (state.phase) {
    case "open": {
      // §4.2 (6): later than all, or new within the window.
      const window = accept(state.window, sequence);
      return window === undefined ? drop(state, "replay") : { state: { phase: "open", window }, actions: ACCEPT };
    }
    case "challenged":
      // §4.3: normal messages are accepted once the handshake is complete.
      return drop(state, "handshake");
    case "unknown": {
      if (rules.handshake === "required" && !willing) return drop(state, "unwilling");
      // §4.3: no handshake with senders whose INTEGRITY object has HF = 0.
      if (rules.handshake === "off" || !willing) return opened(rules, sequence);
      const challenged = { phase: "challenged", cookie, sent: 1, due: now + rules.challengeInterval } as const;
      return {
        state: challenged,
        actions: [
          { do: "drop", why: "handshake" },
          { do: "challenge", cookie },
        ],
      };
    }
  }
}

function opened(rules: ReceiverRules, sequence: bigint): ReceiverStep {
  return { state: { phase: "open", window: replayWindow(rules.window, sequence) }, actions: ACCEPT };
}

function response(
  rules: ReceiverRules,
  state: ReceiverState,
  { sequence, cookie }: Extract<ReceiverEvent, { type: "response" }>,
): ReceiverStep {
  // §4.3: once complete, other responses are ignored; one that answers no challenge of ours is a replay.
  if (state.phase !== "challenged" || !state.cookie.equals(cookie)) return drop(state, "response");
  return opened(rules, sequence);
}

/** §4.3: a challenge without response is repeated. After the last one a new message begins again. */
function due(rules: ReceiverRules, state: ReceiverState, now: number): ReceiverStep {
  if (state.phase !== "challenged" || now < state.due) return { state, actions: [] };
  if (state.sent >= rules.maxChallenges) return { state: RECEIVER_INITIAL, actions: [] };
  const { cookie, sent } = state;
  const next = now + rules.challengeInterval * 2 ** sent;
  return { state: { phase: "challenged", cookie, sent: sent + 1, due: next }, actions: [{ do: "challenge", cookie }] };
}

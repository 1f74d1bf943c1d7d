/**
 * One log-in. Pure.
 * ```
 *   (none) ──opened──▶ open ──used, while neither idle nor too old──▶ open
 *                       ├──used or time, idle or too old──▶ (none)
 *                       ├──account gone, or its password another──▶ (none)
 *                       └──closed──▶ (none)
 * ```
 */
import { unreachable } from "../../model/errors.js";
import type { Millis, Timestamp } from "../../model/units.js";

export interface LoginSession {
  readonly user: string;
  /** Of the account when it was opened. */
  readonly fingerprint: string;
  readonly opened: Timestamp;
  /** When something was last asked under it. */
  readonly seen: Timestamp;
  /** `seen` as it was last stored. */
  readonly stored: Timestamp;
}

export interface SessionLimits {
  readonly idle: Millis;
  readonly absolute: Millis;
}

export type SessionEvent =
  | { readonly kind: "opened"; readonly at: Timestamp; readonly user: string; readonly fingerprint: string }
  /** `fingerprint`: of the account now; undefined if there is none any more. */
  | { readonly kind: "used"; readonly at: Timestamp; readonly fingerprint: string | undefined }
  | { readonly kind: "time"; readonly at: Timestamp; readonly fingerprint: string | undefined }
  | { readonly kind: "closed" };

/** What is to be done with its row. */
export type SessionAction = "store" | "delete";

export interface SessionStep {
  readonly state: LoginSession | undefined;
  readonly actions: readonly SessionAction[];
}

/** A use is written down when the last one that was is this old: a restart may take that much from the idle time. */
export const TOUCH_EVERY = 60_000 as Millis;

const NOTHING: SessionStep = { state: undefined, actions: [] };
const GONE: SessionStep = { state: undefined, actions: ["delete"] };

/** The next state, undefined for a log-in that does not hold, and what is to be done with its row. */
export function stepSession(state: LoginSession | undefined, event: SessionEvent, limits: SessionLimits): SessionStep {
  switch (event.kind) {
    case "opened": {
      const { at, user, fingerprint } = event;
      return { state: { user, fingerprint, opened: at, seen: at, stored: at }, actions: ["store"] };
    }
    case "closed":
      return state === undefined ? NOTHING : GONE;
    case "time":
    case "used": {
      if (state === undefined) return NOTHING;
      const { at, fingerprint } = event;
      if (fingerprint !== state.fingerprint || isOver(state, at, limits)) return GONE;
      if (event.kind === "time") return { state, actions: [] };
      // A clock that was put back must not make the session older.
      const seen = Math.max(at, state.seen) as Timestamp;
      if (seen - state.stored < TOUCH_EVERY) return { state: { ...state, seen }, actions: [] };
      return { state: { ...state, seen, stored: seen }, actions: ["store"] };
    }
    default:
      return unreachable(event, "stepSession");
  }
}

/** Whether it was idle for too long, or is too old. */
export const isOver = ({ opened, seen }: LoginSession, at: Timestamp, { idle, absolute }: SessionLimits): boolean =>
  at - seen >= idle || at - opened >= absolute;

/**
 * When the kernel is compared with what is wanted. Pure: it is told the time and says what to do.
 *
 * ```
 *            ┌── due, or somebody waits ──┐
 *            │                            ▼
 *   ┌─────────────┐                ┌─────────────┐
 *   │   resting   │                │   running   │
 *   │  until due  │                │  (again?)   │
 *   └─────────────┘                └─────────────┘
 *            ▲                            │
 *            └─────────── ended ──────────┘
 *
 *   due: the earliest of    end of the last + interval
 *                           event + debounce       but not before  end of the last + spacing x its duration
 *                           failure + back-off                     (likewise)
 * ```
 */
import type { Millis, Timestamp } from "../../model/units.js";

export interface ScheduleTimes {
  /** Between two passes when nothing seems to happen. */
  readonly interval: Millis;
  /** Events come in swarms: one pass for all that come within this. */
  readonly debounce: Millis;
  /**
   * A pass that takes long must not run all the time: so many times its duration is rest, up to the interval, where
   * events call for one after the other.
   */
  readonly spacing: number;
  /** After the first failure in a row; doubled by each, up to the interval. */
  readonly backOff: Millis;
}

export interface ScheduleState {
  readonly times: ScheduleTimes;
  readonly phase: "resting" | "running" | "closed";
  /** When the next pass begins; while running: after this one, if one is called for already. */
  readonly due: Timestamp | undefined;
  /** Not before this, but for somebody who waits. */
  readonly notBefore: Timestamp;
  /** Events or failures called for the next pass; and for the one that runs. */
  readonly called: boolean;
  readonly running: "called" | "planned";
  /** Somebody waits for the pass after the one that runs. */
  readonly urgent: boolean;
  /** In a row. */
  readonly failures: number;
}

export type ScheduleEvent =
  /** The kernel may have changed. */
  | { readonly kind: "changed" }
  /** Something could not be carried out. */
  | { readonly kind: "failed" }
  /** Somebody waits for a pass that begins from now on. */
  | { readonly kind: "wanted" }
  | { readonly kind: "alarm" }
  | { readonly kind: "ended"; readonly ok: boolean; readonly duration: Millis }
  | { readonly kind: "close" };

export interface ScheduleAction {
  /** A pass begins now. */
  readonly run: boolean;
  /** Sets the one alarm, in place of the one that may be set; undefined: none. */
  readonly alarm: Millis | undefined;
}

/** The start is the first pass: nothing runs before it has ended. */
export const scheduleFrom = (times: ScheduleTimes): ScheduleState => ({
  times,
  phase: "running",
  due: undefined,
  notBefore: 0 as Timestamp,
  called: false,
  running: "planned",
  urgent: false,
  failures: 0,
});

const backOffOf = ({ times, failures }: ScheduleState): number =>
  Math.min(times.interval, times.backOff * 2 ** Math.min(failures, 20));

const sooner = (state: ScheduleState, at: number): ScheduleState => {
  const wanted = Math.max(at, state.phase === "running" ? 0 : state.notBefore);
  return { ...state, called: true, due: Math.min(state.due ?? Number.POSITIVE_INFINITY, wanted) as Timestamp };
};

function next(state: ScheduleState, event: ScheduleEvent, now: Timestamp): ScheduleState {
  if (state.phase === "closed") return state;
  switch (event.kind) {
    case "changed":
      return sooner(state, now + state.times.debounce);
    case "failed":
      return { ...sooner(state, now + backOffOf(state)), failures: state.failures + 1 };
    case "wanted":
      return state.phase === "running" ? { ...state, urgent: true } : { ...state, due: now };
    case "alarm":
      return state;
    case "ended": {
      // Only what events call for can come in a row: after any other pass the first event finds no rest to wait for.
      const spacing = state.running === "called" ? state.times.spacing : 0;
      const rest = Math.min(spacing * event.duration, state.times.interval);
      const notBefore = (now + rest) as Timestamp;
      const failures = event.ok ? 0 : state.failures + 1;
      const later = event.ok ? state.times.interval : backOffOf(state);
      const called = state.due === undefined ? Number.POSITIVE_INFINITY : Math.max(state.due, notBefore);
      const due = state.urgent ? now : (Math.min(called, Math.max(now + later, notBefore)) as Timestamp);
      return { ...state, phase: "resting", notBefore, failures, due, urgent: false };
    }
    case "close":
      return { ...state, phase: "closed", due: undefined };
  }
}

/** What is due is begun; else the alarm is set to when it is. */
export function stepSchedule(
  before: ScheduleState,
  event: ScheduleEvent,
  now: Timestamp,
): { readonly state: ScheduleState; readonly action: ScheduleAction } {
  const state = next(before, event, now);
  if (state.phase !== "resting" || state.due === undefined) return { state, action: { run: false, alarm: undefined } };
  if (state.due <= now) {
    const running = state.called ? "called" : "planned";
    return {
      state: { ...state, phase: "running", due: undefined, called: false, running },
      action: { run: true, alarm: undefined },
    };
  }
  return { state, action: { run: false, alarm: (state.due - now) as Millis } };
}

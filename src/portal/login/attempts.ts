/**
 * How often log-ins may be tried under one key: a source's address, or a name. Pure.
 *
 * The first few failures are free. From then on each doubles the time until the next try, up to a limit; time without
 * failures forgets them all. A try counts as failed from its beginning, so that many at once gain nothing.
 */
import { unreachable } from "../../model/errors.js";
import type { Millis, Timestamp } from "../../model/units.js";

export interface AttemptLimits {
  /** Failures without a wait. */
  readonly free: number;
  readonly firstWait: Millis;
  readonly longestWait: Millis;
  /** Without a try for this long, all is forgotten. */
  readonly forget: Millis;
}

export interface Attempts {
  readonly failures: number;
  readonly last: Timestamp;
  /** No try is taken before. */
  readonly until: Timestamp;
}

export type AttemptEvent = { readonly kind: "tried"; readonly at: Timestamp } | { readonly kind: "succeeded" };

export interface AttemptStep {
  readonly state: Attempts | undefined;
  /** Milliseconds to wait, where the try is not taken: 0 where it is. */
  readonly wait: Millis;
}

const NO_WAIT = 0 as Millis;

/** The next state of a key, undefined where nothing is remembered of it, and how long the try has to wait. */
export function stepAttempts(state: Attempts | undefined, event: AttemptEvent, limits: AttemptLimits): AttemptStep {
  switch (event.kind) {
    case "tried": {
      const { at } = event;
      const known = state !== undefined && at - state.last < limits.forget ? state : undefined;
      // A refused try prolongs nothing: else anybody could lock another out for ever.
      if (known !== undefined && at < known.until) return { state: known, wait: (known.until - at) as Millis };
      const failures = (known?.failures ?? 0) + 1;
      return { state: { failures, last: at, until: (at + waitAfter(failures, limits)) as Timestamp }, wait: NO_WAIT };
    }
    case "succeeded":
      return { state: undefined, wait: NO_WAIT };
    default:
      return unreachable(event, "stepAttempts");
  }
}

/** The wait that a number of failures brings. */
export function waitAfter(failures: number, { free, firstWait, longestWait }: AttemptLimits): Millis {
  if (failures <= free) return NO_WAIT;
  return Math.min(longestWait, firstWait * 2 ** Math.min(30, failures - free - 1)) as Millis;
}

/** One try less: where it was right, but others under the same key may not have been. */
export const takenBack = (state: Attempts): Attempts | undefined =>
  state.failures <= 1 ? undefined : { ...state, failures: state.failures - 1, until: state.last };

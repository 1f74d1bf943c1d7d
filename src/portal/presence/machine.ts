/**
 * Whether one user is on-line. Pure.
 * ```
 *  off-line ──page opened──▶ on-line ──last page closed──▶ leaving ──page opened──▶ on-line
 *                                                            └──grace is over──▶ off-line
 * ```
 * A page that is loaded anew, or whose network hiccups, is leaving for a moment only; nobody is told of it.
 */
import { unreachable } from "../../model/errors.js";
import type { Millis, Timestamp } from "../../model/units.js";
import type { ChosenState } from "../api/shapes.js";

/** Of a user who is not off-line. */
export interface UserPresence {
  /** Pages that are open. */
  readonly pages: number;
  readonly chosen: ChosenState;
  readonly since: Timestamp;
  /** When the last page closed; undefined while one is open. */
  readonly leaving: Timestamp | undefined;
}

export type PresenceEvent =
  | { readonly kind: "opened" | "closed" | "time"; readonly at: Timestamp }
  | { readonly kind: "chose"; readonly at: Timestamp; readonly state: ChosenState }
  /** Logged out everywhere: no grace. */
  | { readonly kind: "left" };

export interface PresenceStep {
  readonly state: UserPresence | undefined;
  /** Whether others see a difference. */
  readonly isChange: boolean;
}

/** How long a user without a page is still on-line: as long as it takes to load one anew. */
export const PRESENCE_GRACE = 5000 as Millis;

const same = (state: UserPresence | undefined): PresenceStep => ({ state, isChange: false });

/** The next state, undefined for a user who is off-line; whoever has no state is off-line. */
export function stepPresence(state: UserPresence | undefined, event: PresenceEvent): PresenceStep {
  switch (event.kind) {
    case "opened":
      if (state !== undefined) return same({ ...state, pages: state.pages + 1, leaving: undefined });
      return { state: { pages: 1, chosen: "online", since: event.at, leaving: undefined }, isChange: true };
    case "closed": {
      if (state === undefined || state.pages === 0) return same(state);
      const pages = state.pages - 1;
      return same({ ...state, pages, leaving: pages === 0 ? event.at : undefined });
    }
    case "chose":
      if (state === undefined || state.chosen === event.state) return same(state);
      return { state: { ...state, chosen: event.state, since: event.at }, isChange: true };
    case "time": {
      const isOver = state?.leaving !== undefined && event.at - state.leaving >= PRESENCE_GRACE;
      return isOver ? { state: undefined, isChange: true } : same(state);
    }
    case "left":
      return { state: undefined, isChange: state !== undefined };
    default:
      return unreachable(event, "stepPresence");
  }
}

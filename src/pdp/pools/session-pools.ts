/** What sessions ask of pools. */
import type { SessionId } from "../../model/session.js";
import type { LedgerAnswer, PoolNeed } from "../ledger.js";

/** `now`: there is room. `later`: the network may give it, after a wait. */
export type Room = "now" | "later" | "none";

/** Takes from all pools of `needs` or from none: the ledger itself, or the keeper that makes its pools larger. */
export interface SessionPools {
  has(pool: string): boolean;
  /** Whether `reserve` may succeed, now or after a wait. Takes nothing. */
  fits(session: SessionId, needs: readonly PoolNeed[]): LedgerAnswer;
  /** What `reserve` would find. Takes nothing, and counts for nothing. */
  look(session: SessionId, needs: readonly PoolNeed[]): Room;
  /** Takes `needs` in place of what the session held; on refusal it keeps what it had. May wait for a larger pool. */
  reserve(session: SessionId, needs: readonly PoolNeed[]): LedgerAnswer | Promise<LedgerAnswer>;
  /** Puts back what a session is known to hold, without asking for room. */
  restore(session: SessionId, needs: readonly PoolNeed[]): void;
  release(session: SessionId): void;
}

/** Counts the sessions that a pool could not serve, on the way between sessions and pools. */
import type { SessionId } from "../../model/session.js";
import type { LedgerAnswer, PoolNeed } from "../ledger.js";
import type { Room, SessionPools } from "./session-pools.js";

export class PoolTally {
  #refused = new Map<string, number>();
  #shed = new Map<string, number>();

  refused(pool: string): void {
    this.#refused.set(pool, (this.#refused.get(pool) ?? 0) + 1);
  }

  /** A session had to let go of what it held. */
  shed(pool: string): void {
    this.#shed.set(pool, (this.#shed.get(pool) ?? 0) + 1);
  }

  /** Sessions by pool since this was last asked. */
  take(): { readonly refused: ReadonlyMap<string, number>; readonly shed: ReadonlyMap<string, number> } {
    const taken = { refused: this.#refused, shed: this.#shed };
    this.#refused = new Map();
    this.#shed = new Map();
    return taken;
  }
}

/** A session counts for the first pool on its way that was too small, as the refusal names it. */
export class TalliedPools implements SessionPools {
  readonly #pools: SessionPools;
  readonly #tally: PoolTally;

  constructor(pools: SessionPools, tally: PoolTally) {
    this.#pools = pools;
    this.#tally = tally;
  }

  has(pool: string): boolean {
    return this.#pools.has(pool);
  }

  fits(session: SessionId, needs: readonly PoolNeed[]): LedgerAnswer {
    return this.#counted(this.#pools.fits(session, needs));
  }

  look(session: SessionId, needs: readonly PoolNeed[]): Room {
    return this.#pools.look(session, needs);
  }

  reserve(session: SessionId, needs: readonly PoolNeed[]): LedgerAnswer | Promise<LedgerAnswer> {
    const answer = this.#pools.reserve(session, needs);
    return answer instanceof Promise ? answer.then((late) => this.#counted(late)) : this.#counted(answer);
  }

  restore(session: SessionId, needs: readonly PoolNeed[]): void {
    this.#pools.restore(session, needs);
  }

  release(session: SessionId): void {
    this.#pools.release(session);
  }

  #counted(answer: LedgerAnswer): LedgerAnswer {
    if (!answer.admitted && answer.pool !== undefined) this.#tally.refused(answer.pool);
    return answer;
  }
}

/**
 * The admission ledger: what of each pool is given away, and to whom. A session takes from every pool on
 * its way or from none. Rates are counted at layer 2, as the HTB classes that back the pools count.
 */
import type { Refusal } from "../model/decision.js";
import { InternalError } from "../model/errors.js";
import type { FlowDirection } from "../model/flow.js";
import type { SessionId } from "../model/session.js";
import { type BitsPerSecond, bitsPerSecond } from "../model/units.js";

export interface LedgerPool {
  readonly name: string;
  /** Room in each direction. */
  readonly rate: BitsPerSecond;
}

/** What a session needs of one pool. */
export interface PoolNeed {
  readonly pool: string;
  readonly up: BitsPerSecond;
  readonly down: BitsPerSecond;
}

export interface PoolUse {
  readonly name: string;
  readonly rate: BitsPerSecond;
  readonly usedUp: BitsPerSecond;
  readonly usedDown: BitsPerSecond;
  readonly sessions: number;
}

export type LedgerAnswer = { readonly admitted: true } | Refusal;

const DIRECTIONS: readonly FlowDirection[] = ["up", "down"];

interface PoolState {
  readonly rate: BitsPerSecond;
  readonly held: Map<SessionId, PoolNeed>;
  readonly used: Record<FlowDirection, number>;
}

export class AdmissionLedger {
  readonly #pools = new Map<string, PoolState>();

  constructor(pools: readonly LedgerPool[]) {
    for (const { name, rate } of pools) this.#pools.set(name, { rate, held: new Map(), used: { up: 0, down: 0 } });
  }

  has(pool: string): boolean {
    return this.#pools.has(pool);
  }

  /** Whether `reserve` would succeed now. Takes nothing. */
  fits(session: SessionId, needs: readonly PoolNeed[]): LedgerAnswer {
    for (const need of needs) {
      const refusal = this.#shortOf(session, need);
      if (refusal !== undefined) return refusal;
    }
    return { admitted: true };
  }

  /** Takes `needs` in place of whatever the session held before; on refusal it keeps what it had. */
  reserve(session: SessionId, needs: readonly PoolNeed[]): LedgerAnswer {
    const answer = this.fits(session, needs);
    if (!answer.admitted) return answer;
    this.restore(session, needs);
    return answer;
  }

  /** Puts back what a session is known to hold, without asking for room: for start-up and roll-back. */
  restore(session: SessionId, needs: readonly PoolNeed[]): void {
    this.release(session);
    for (const need of needs) {
      const pool = this.#pool(need.pool);
      pool.held.set(session, need);
      for (const direction of DIRECTIONS) pool.used[direction] += need[direction];
    }
  }

  release(session: SessionId): void {
    for (const pool of this.#pools.values()) {
      const need = pool.held.get(session);
      if (need === undefined) continue;
      pool.held.delete(session);
      for (const direction of DIRECTIONS) pool.used[direction] -= need[direction];
    }
  }

  held(session: SessionId): readonly PoolNeed[] {
    return [...this.#pools.values()].flatMap((pool) => pool.held.get(session) ?? []);
  }

  view(): readonly PoolUse[] {
    return [...this.#pools].map(([name, pool]) => ({
      name,
      rate: pool.rate,
      usedUp: bitsPerSecond(pool.used.up),
      usedDown: bitsPerSecond(pool.used.down),
      sessions: pool.held.size,
    }));
  }

  #shortOf(session: SessionId, need: PoolNeed): Refusal | undefined {
    const pool = this.#pool(need.pool);
    const own = pool.held.get(session);
    for (const direction of DIRECTIONS) {
      const free = pool.rate - pool.used[direction] + (own?.[direction] ?? 0);
      if (need[direction] <= free) continue;
      return {
        admitted: false,
        reason: "noRoom",
        text: `pool ${need.pool} is full: ${describe(need[direction])} needed, ${describe(Math.max(0, free))} free`,
        pool: need.pool,
        needed: need[direction],
        free: bitsPerSecond(Math.max(0, free)),
      };
    }
    return undefined;
  }

  #pool(name: string): PoolState {
    const pool = this.#pools.get(name);
    if (pool === undefined) throw new InternalError("LEDGER_POOL", `there is no pool ${name}`);
    return pool;
  }
}

const describe = (rate: number): string => `${(rate / 1000).toFixed(1)} kbit/s`;

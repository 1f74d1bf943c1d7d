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

/** A rate for each direction of a pool. */
export type DirectionRates = Readonly<Record<FlowDirection, BitsPerSecond>>;

/** What a session needs of one pool. */
export interface PoolNeed extends DirectionRates {
  readonly pool: string;
}

export interface PoolUse {
  readonly name: string;
  readonly rate: BitsPerSecond;
  readonly usedUp: BitsPerSecond;
  readonly usedDown: BitsPerSecond;
  readonly sessions: number;
}

/** A pool that has too little, in the direction that is short. */
export interface Shortage {
  readonly pool: string;
  readonly direction: FlowDirection;
  readonly needed: BitsPerSecond;
  readonly free: BitsPerSecond;
}

export type LedgerAnswer = { readonly admitted: true } | Refusal;

const DIRECTIONS: readonly FlowDirection[] = ["up", "down"];

interface PoolState {
  rate: BitsPerSecond;
  readonly held: Map<SessionId, PoolNeed>;
  readonly used: Record<FlowDirection, number>;
}

export class AdmissionLedger {
  readonly #pools = new Map<string, PoolState>();
  readonly #held = new Map<SessionId, readonly PoolNeed[]>();

  constructor(pools: readonly LedgerPool[]) {
    for (const { name, rate } of pools) this.#pools.set(name, { rate, held: new Map(), used: { up: 0, down: 0 } });
  }

  has(pool: string): boolean {
    return this.#pools.has(pool);
  }

  /** Gives the pool another rate. Less than is given away takes nothing from anybody, and admits nobody. */
  resize(pool: string, rate: BitsPerSecond): void {
    this.#pool(pool).rate = rate;
  }

  /** Whether `reserve` would succeed now. Takes nothing. */
  fits(session: SessionId, needs: readonly PoolNeed[]): LedgerAnswer {
    return answerTo(this.shortages(session, needs));
  }

  /** As `SessionPools.look` answers: what is not there now does not come. */
  look(session: SessionId, needs: readonly PoolNeed[]): "now" | "none" {
    return this.shortages(session, needs).length === 0 ? "now" : "none";
  }

  /** The pools that have too little for `needs`, as if the session held nothing, in the order of the way. */
  shortages(session: SessionId, needs: readonly PoolNeed[]): readonly Shortage[] {
    return merged(needs).flatMap((need) => this.#shortOf(session, need) ?? []);
  }

  /** Takes `needs` in place of whatever the session held before; on refusal it keeps what it had. */
  reserve(session: SessionId, needs: readonly PoolNeed[]): LedgerAnswer {
    const answer = this.fits(session, needs);
    if (answer.admitted) this.restore(session, needs);
    return answer;
  }

  /** Puts back what a session is known to hold, without asking for room: for start-up and roll-back. */
  restore(session: SessionId, needs: readonly PoolNeed[]): void {
    const taken = merged(needs).map((need) => [this.#pool(need.pool), need] as const);
    this.release(session);
    for (const [pool, need] of taken) {
      pool.held.set(session, need);
      for (const direction of DIRECTIONS) pool.used[direction] += need[direction];
    }
    if (taken.length > 0) this.#held.set(session, merged(needs));
  }

  release(session: SessionId): void {
    for (const need of this.held(session)) {
      const pool = this.#pool(need.pool);
      pool.held.delete(session);
      for (const direction of DIRECTIONS) pool.used[direction] -= need[direction];
    }
    this.#held.delete(session);
  }

  held(session: SessionId): readonly PoolNeed[] {
    return this.#held.get(session) ?? [];
  }

  /** What all sessions hold of a pool. */
  used(pool: string): DirectionRates {
    const { up, down } = this.#pool(pool).used;
    return { up: bitsPerSecond(up), down: bitsPerSecond(down) };
  }

  /** Every session that holds something of a pool, and what. */
  holders(pool: string): ReadonlyMap<SessionId, PoolNeed> {
    return this.#pool(pool).held;
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

  #shortOf(session: SessionId, need: PoolNeed): Shortage | undefined {
    const { rate, used, held } = this.#pool(need.pool);
    const own = held.get(session);
    for (const direction of DIRECTIONS) {
      const free = rate - used[direction] + (own?.[direction] ?? 0);
      if (need[direction] <= free) continue;
      return { pool: need.pool, direction, needed: need[direction], free: bitsPerSecond(Math.max(0, free)) };
    }
    return undefined;
  }

  #pool(name: string): PoolState {
    const pool = this.#pools.get(name);
    if (pool === undefined) throw new InternalError("LEDGER_POOL", `there is no pool ${name}`);
    return pool;
  }
}

/** Each pool once, in whole bit/s: sums of whole numbers come back to exactly nothing. */
function merged(needs: readonly PoolNeed[]): readonly PoolNeed[] {
  const sums = new Map<string, PoolNeed>();
  for (const { pool, up, down } of needs) {
    const sum = sums.get(pool);
    const add = (direction: FlowDirection, rate: number) => bitsPerSecond((sum?.[direction] ?? 0) + Math.ceil(rate));
    sums.set(pool, { pool, up: add("up", up), down: add("down", down) });
  }
  return [...sums.values()];
}

/** The refusal names each pool that is short; its figures are those of the first. */
export function answerTo(shortages: readonly Shortage[]): LedgerAnswer {
  const [first] = shortages;
  if (first === undefined) return { admitted: true };
  const { pool, needed, free } = first;
  const text = shortages.map(describeShortage).join("; ");
  return { admitted: false, reason: "noRoom", text, pool, needed, free };
}

const describeShortage = ({ pool, needed, free }: Shortage): string =>
  `pool ${pool} is full: ${describe(needed)} needed, ${describe(free)} free`;

const describe = (rate: number): string => `${(rate / 1000).toFixed(1)} kbit/s`;

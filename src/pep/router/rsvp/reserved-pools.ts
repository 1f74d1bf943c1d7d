/**
 * Pools of the kernel have two masters: the policy server, and reservations that only pass through. A keeper takes all
 * pools at once, so here is the one place where both lists are joined.
 */
import type {
  DesiredState,
  Enforced,
  FlowRule,
  KernelKeeper,
  KernelPolicy,
  PoolClass,
  PoolId,
} from "../../../kernel/port.js";
import { SystemError } from "../../../model/errors.js";
import type { ReconcileStatus } from "../../../model/reconcile.js";
import type { FlowCounters } from "../../../model/usage.js";

/** Numbers that pools of reservations may have, both ends included. */
export interface PoolRange {
  readonly first: PoolId;
  readonly last: PoolId;
}

/** The policy server's numbers are smaller by custom; where they are not, theirs is the number. */
export const RESERVED_POOLS: PoolRange = { first: 0x4000, last: 0x7fff };
/** How they are known again after a restart. */
export const RESERVED_PREFIX = "rsvp-";

/** A pool whose number is found here. */
export type ReservedClass = Omit<PoolClass, "id">;

interface Reserved {
  readonly id: PoolId;
  /** Undefined for one that was found at the start, while nobody asks for it. */
  wanted: ReservedClass | undefined;
  /**
   * As it was found at the start, until `sweep`. The class stays as large: neighbours that share it ask again one by one, and
   * the first of them must not shrink it for the others.
   */
  found?: PoolClass;
}

function asItStands({ id, wanted, found }: Reserved): PoolClass | undefined {
  if (wanted === undefined) return found;
  const rate = found === undefined || found.rate < wanted.rate ? wanted.rate : found.rate;
  return { ...wanted, id, rate };
}

const isSame = (left: PoolClass | undefined, right: PoolClass | undefined): boolean =>
  left?.rate === right?.rate &&
  left?.only === right?.only &&
  JSON.stringify(left?.carries) === JSON.stringify(right?.carries);

export class ReservedPools implements KernelKeeper {
  readonly #keeper: KernelKeeper;
  readonly #range: PoolRange;
  /** By name. */
  readonly #reserved = new Map<string, Reserved>();
  #policy: ReadonlyMap<PoolId, PoolClass> = new Map();
  #turn: Promise<unknown> = Promise.resolve();
  #started: Promise<void> | undefined;

  /** @param range numbers that the kernel's back end has room for */
  constructor(keeper: KernelKeeper, range: PoolRange = RESERVED_POOLS) {
    this.#keeper = keeper;
    this.#range = range;
  }

  get desired(): DesiredState {
    return this.#keeper.desired;
  }

  /**
   * What a former process reserved stays until `sweep`: a reservation outlives a restart as soft state does. May be called
   * by both masters.
   */
  start(): Promise<void> {
    this.#started ??= this.#adopt();
    return this.#started;
  }

  async #adopt(): Promise<void> {
    await this.#keeper.start();
    const found = [...this.desired.pools.values()];
    const isReserved = (pool: PoolClass): boolean => this.#isReserved(pool);
    for (const pool of found.filter(isReserved)) {
      this.#reserved.set(pool.name, { id: pool.id, wanted: undefined, found: pool });
    }
    this.#policy = new Map(found.filter((pool) => !isReserved(pool)).map((pool) => [pool.id, pool]));
  }

  #isReserved({ id, name }: PoolClass): boolean {
    return id >= this.#range.first && id <= this.#range.last && name.startsWith(RESERVED_PREFIX);
  }

  update(policy: KernelPolicy): Promise<Enforced> {
    return this.#enforce(policy, (joined) => this.#keeper.update(joined));
  }

  replace(policy: KernelPolicy): Promise<Enforced> {
    return this.#enforce(policy, (joined) => this.#keeper.replace(joined));
  }

  counters(of?: Iterable<FlowRule>): Promise<ReadonlyMap<number, FlowCounters>> {
    return this.#keeper.counters(of);
  }

  status(): ReconcileStatus {
    return this.#keeper.status();
  }

  problems(): readonly string[] {
    return this.#keeper.problems();
  }

  async close(): Promise<void> {
    await this.#turn;
    await this.#keeper.close();
  }

  /** Makes the pool of that name, or changes it in place; rates at layer 2. @throws KernelError, SystemError: nothing changed */
  reserve(wanted: ReservedClass): Promise<void> {
    const { name } = wanted;
    return this.#enqueue(async () => {
      const entry = this.#reserved.get(name) ?? { id: this.#freeId(), wanted: undefined };
      const isNew = !this.#reserved.has(name);
      const [before, stood] = [entry.wanted, asItStands(entry)];
      entry.wanted = wanted;
      this.#reserved.set(name, entry);
      if (isSame(stood, asItStands(entry))) return;
      try {
        await this.#push();
      } catch (error) {
        entry.wanted = before;
        if (isNew) this.#reserved.delete(name);
        throw error;
      }
    });
  }

  /** One that was found at the start stays until `sweep`: who shares it may not have asked yet. @throws KernelError: then it goes with the next change */
  release(name: string): Promise<void> {
    return this.#enqueue(async () => {
      const entry = this.#reserved.get(name);
      if (entry?.wanted === undefined) return;
      const stood = asItStands(entry);
      entry.wanted = undefined;
      if (entry.found === undefined) this.#reserved.delete(name);
      if (!isSame(stood, asItStands(entry))) await this.#push();
    });
  }

  /** Takes away what was found at the start and nobody asked for since, and what is larger than was asked for. @throws KernelError */
  sweep(): Promise<void> {
    return this.#enqueue(async () => {
      let isLess = false;
      for (const [name, entry] of this.#reserved) {
        const stood = asItStands(entry);
        delete entry.found;
        if (entry.wanted === undefined) this.#reserved.delete(name);
        isLess ||= !isSame(stood, asItStands(entry));
      }
      if (isLess) await this.#push();
    });
  }

  #enforce(policy: KernelPolicy, put: (policy: KernelPolicy) => Promise<Enforced>): Promise<Enforced> {
    return this.#enqueue(async () => {
      const enforced = await put({ ...policy, pools: this.#joined(policy.pools) });
      this.#policy = policy.pools;
      return enforced;
    });
  }

  async #push(): Promise<void> {
    await this.#keeper.update({ flows: new Map(), pools: this.#joined(this.#policy) });
  }

  #joined(policy: ReadonlyMap<PoolId, PoolClass>): ReadonlyMap<PoolId, PoolClass> {
    const joined = new Map(policy);
    for (const entry of this.#reserved.values()) {
      const pool = asItStands(entry);
      if (pool !== undefined && !joined.has(pool.id)) joined.set(pool.id, pool);
    }
    return joined;
  }

  #freeId(): PoolId {
    const { first, last } = this.#range;
    const taken = new Set([...this.#reserved.values()].map(({ id }) => id));
    for (let id = first; id <= last; id += 1) if (!taken.has(id) && !this.#policy.has(id)) return id;
    const why = `the numbers ${first} to ${last} of pools of reservations are all taken`;
    const remedy = "have fewer reservations pass here; the back end nftables has room for the most";
    throw new SystemError("RSVP_POOLS", why, { remedy });
  }

  /** One list after the other: two that were joined at the same time would each lack the other's change. */
  #enqueue<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }
}

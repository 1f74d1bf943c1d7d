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
import type { BitsPerSecond } from "../../../model/units.js";
import type { FlowCounters } from "../../../model/usage.js";

/** Numbers of pools of reservations. The policy server's are smaller by custom; where they are not, theirs is the number. */
const [FIRST_ID, LAST_ID] = [0x4000, 0x7fff];
/** How they are known again after a restart. */
export const RESERVED_PREFIX = "rsvp-";

const isReserved = ({ id, name }: PoolClass): boolean => id >= FIRST_ID && name.startsWith(RESERVED_PREFIX);

export class ReservedPools implements KernelKeeper {
  readonly #keeper: KernelKeeper;
  /** By name. */
  readonly #reserved = new Map<string, PoolClass>();
  /** Found at the start, and not asked for yet. */
  readonly #unclaimed = new Set<string>();
  #policy: ReadonlyMap<PoolId, PoolClass> = new Map();
  #turn: Promise<unknown> = Promise.resolve();
  #started: Promise<void> | undefined;

  constructor(keeper: KernelKeeper) {
    this.#keeper = keeper;
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
    for (const pool of found.filter(isReserved)) {
      this.#reserved.set(pool.name, pool);
      this.#unclaimed.add(pool.name);
    }
    this.#policy = new Map(found.filter((pool) => !isReserved(pool)).map((pool) => [pool.id, pool]));
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

  /** Makes the pool of that name, or changes its rate in place; layer 2. @throws KernelError, SystemError: nothing changed */
  reserve(name: string, rate: BitsPerSecond): Promise<void> {
    return this.#enqueue(async () => {
      this.#unclaimed.delete(name);
      const before = this.#reserved.get(name);
      if (before?.rate === rate) return;
      this.#reserved.set(name, { id: before?.id ?? this.#freeId(), name, rate });
      try {
        await this.#push();
      } catch (error) {
        if (before === undefined) this.#reserved.delete(name);
        else this.#reserved.set(name, before);
        throw error;
      }
    });
  }

  /** @throws KernelError: then it goes with the next change */
  release(name: string): Promise<void> {
    return this.#enqueue(async () => {
      this.#unclaimed.delete(name);
      if (this.#reserved.delete(name)) await this.#push();
    });
  }

  /** Takes away what was found at the start and nobody asked for since. @throws KernelError */
  sweep(): Promise<void> {
    return this.#enqueue(async () => {
      if (this.#unclaimed.size === 0) return;
      for (const name of this.#unclaimed) this.#reserved.delete(name);
      this.#unclaimed.clear();
      await this.#push();
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
    for (const pool of this.#reserved.values()) if (!joined.has(pool.id)) joined.set(pool.id, pool);
    return joined;
  }

  #freeId(): PoolId {
    const taken = new Set([...this.#reserved.values()].map(({ id }) => id));
    for (let id = FIRST_ID; id <= LAST_ID; id += 1) if (!taken.has(id) && !this.#policy.has(id)) return id;
    throw new SystemError("RSVP_POOLS", "there is no number left for the pool of another reservation");
  }

  /** One list after the other: two that were joined at the same time would each lack the other's change. */
  #enqueue<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }
}

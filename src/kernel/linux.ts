/** The kernel port on Linux: one nft table and an HTB tree per managed interface, both provably ours. */
import { type Clock, SYSTEM_CLOCK } from "../model/clock.js";
import { KernelError } from "../model/errors.js";
import type { Logger } from "../model/log.js";
import type { FlowCounters } from "../model/usage.js";
import { NfTables } from "./netlink/nf-tables.js";
import { Routing } from "./netlink/routing.js";
import { countersOf } from "./nft/flow-elements.js";
import { applyFlows } from "./nft/flow-transaction.js";
import { createPool, deletePool } from "./nft/pool-elements.js";
import { Table } from "./nft/table.js";
import { type ChangeSteps, planChanges, stepsOf } from "./plan.js";
import type {
  ApplyResult,
  DesiredState,
  FlowId,
  FlowRule,
  KernelChange,
  KernelPort,
  ObservedState,
  PoolClass,
} from "./port.js";
import { Trees } from "./tc/trees.js";
import { checkSteps } from "./validate.js";

const DEFAULT_TABLE = "sluice";
const DEFAULT_MAX_FLOWS = 65_536;

export interface LinuxKernelOptions {
  /** Name of our nft table (family inet); also signs our HTB roots. */
  readonly table?: string;
  readonly log: Logger;
  readonly clock?: Clock;
  /** Flows each session map can hold. */
  readonly maxFlows?: number;
}

/**
 * Works on the network namespace of the process.
 * @throws KernelError KERNEL_PERMISSION, KERNEL_NETLINK, KERNEL_TABLE_NAME.
 */
export async function openLinuxKernel(options: LinuxKernelOptions): Promise<LinuxKernel> {
  const { table = DEFAULT_TABLE, clock = SYSTEM_CLOCK, maxFlows = DEFAULT_MAX_FLOWS, log } = options;
  if (!/^[A-Za-z][A-Za-z0-9_]{0,31}$/.test(table)) {
    const remedy = "use a letter, then up to 31 letters, digits and underscores";
    throw new KernelError("KERNEL_TABLE_NAME", `not a table name: ${table}`, { operation: "open" }, { remedy });
  }
  const elements = await NfTables.open(table, clock);
  try {
    const routing = await Routing.open(clock);
    return new LinuxKernel({ elements, routing, table, maxFlows, log });
  } catch (error) {
    elements.close();
    throw error;
  }
}

interface Parts {
  readonly elements: NfTables;
  readonly routing: Routing;
  readonly table: string;
  readonly maxFlows: number;
  readonly log: Logger;
}

/** Made by `openLinuxKernel`. Calls are carried out one after the other. */
export class LinuxKernel implements KernelPort {
  readonly #parts: Parts;
  readonly #table: Table;
  readonly #trees: Trees;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#table = new Table(parts.elements, { table: parts.table, maxFlows: parts.maxFlows }, parts.log);
    this.#trees = new Trees(parts.routing, parts.table);
  }

  read(): Promise<ObservedState> {
    return this.#inTurn(async () => {
      const { state, pools, flows, strays } = await this.#table.read();
      const trees = await this.#trees.read();
      const structure =
        strays.length === 0 &&
        this.#trees.matches(trees, state.interfaces, pools) &&
        (await this.#table.isIntact(state));
      return {
        structure,
        ...(state.structureId === undefined ? {} : { structureId: state.structureId }),
        pools: new Map(pools.map((pool) => [pool.id, pool])),
        classes: this.#trees.classesIn(trees),
        flows,
      };
    });
  }

  plan(desired: DesiredState, observed: ObservedState): readonly KernelChange[] {
    return planChanges(desired, observed);
  }

  /** Structure, pools that come or change, flows in one transaction, pools that go. */
  async apply(desired: DesiredState, changes: readonly KernelChange[]): Promise<ApplyResult> {
    const steps = stepsOf(changes);
    checkSteps(desired, steps);
    return this.#inTurn(async () => {
      if (steps.structure) await this.#installStructure(desired);
      const before = steps.poolSets.length > 0 ? await this.#setPools(desired, steps.poolSets) : undefined;
      const removed = await this.#applyFlows(desired, steps, before);
      if (steps.poolRemoves.length > 0) await this.#removePools(desired, steps.poolRemoves);
      return { removed };
    });
  }

  counters(of?: Iterable<FlowRule>): Promise<ReadonlyMap<FlowId, FlowCounters>> {
    return this.#inTurn(async () =>
      countersOf(of === undefined ? await this.#table.sessionElements() : await this.#table.elementsOf(of)),
    );
  }

  cleanup(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#trees.remove();
      await this.#table.remove();
    });
  }

  async close(): Promise<void> {
    await this.#turn;
    this.#parts.elements.close();
    this.#parts.routing.close();
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  /** Everything that can be refused is refused before the first change. */
  async #installStructure(desired: DesiredState): Promise<void> {
    await this.#trees.check(desired.interfaces);
    await this.#table.check();
    await this.#table.install(desired);
    await this.#trees.reconcile(desired.interfaces, await this.#table.pools());
  }

  /** Gives the pools as they were. */
  async #setPools(desired: DesiredState, pools: readonly PoolClass[]): Promise<readonly PoolClass[]> {
    const before = await this.#table.pools();
    const after = new Map([...before, ...pools].map((pool) => [pool.id, pool]));
    try {
      // Classes first: no packet is sent to a class that is not there.
      await this.#trees.reconcile(desired.interfaces, [...after.values()]);
      const replaced = before.filter((pool) => pools.some((set) => set.id === pool.id));
      await this.#parts.elements.transact([...replaced.map(deletePool), ...pools.map(createPool)]);
    } catch (error) {
      await this.#restorePools(desired, before);
      throw error;
    }
    return before;
  }

  async #applyFlows(
    desired: DesiredState,
    steps: ChangeSteps,
    before: readonly PoolClass[] | undefined,
  ): Promise<ReadonlyMap<FlowId, FlowCounters>> {
    const { elements, log } = this.#parts;
    try {
      return await applyFlows(elements, steps.removes, steps.adds, log);
    } catch (error) {
      if (before !== undefined) await this.#restorePools(desired, before);
      throw error;
    }
  }

  /** After a failure; what cannot be put back is seen as a difference by the next reading. */
  async #restorePools(desired: DesiredState, before: readonly PoolClass[]): Promise<void> {
    try {
      const now = await this.#table.pools();
      await this.#parts.elements.transact([...now.map(deletePool), ...before.map(createPool)]);
      await this.#trees.reconcile(desired.interfaces, before);
    } catch (error) {
      this.#parts.log.error("kernel.pools.undo", { pools: before.length, error });
    }
  }

  async #removePools(desired: DesiredState, pools: readonly PoolClass[]): Promise<void> {
    const gone = new Set(pools.map((pool) => pool.id));
    const before = await this.#table.pools();
    // The map first, for the same reason.
    await this.#parts.elements.transact(before.filter((pool) => gone.has(pool.id)).map(deletePool));
    const rest = before.filter((pool) => !gone.has(pool.id));
    await this.#trees.reconcile(desired.interfaces, rest);
  }
}

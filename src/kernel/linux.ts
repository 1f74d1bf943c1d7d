/** The kernel port on Linux: one nft table and an HTB tree per managed interface, both provably ours. */
import { type Clock, SYSTEM_CLOCK } from "../model/clock.js";
import { KernelError } from "../model/errors.js";
import type { Logger } from "../model/log.js";
import type { FlowCounters } from "../model/usage.js";
import type { Classifier } from "./classifier.js";
import { NfTables } from "./netlink/nf-tables.js";
import { Routing } from "./netlink/routing.js";
import { NftClassifier } from "./nft/nft-classifier.js";
import { type ChangeSteps, planChanges, stepsOf } from "./plan.js";
import type {
  ApplyResult,
  BackendInfo,
  DesiredState,
  FlowId,
  FlowRule,
  KernelChange,
  KernelEvent,
  KernelPort,
  KernelWatch,
  ObservedState,
  PoolClass,
  RenderedStep,
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
    const classifier = new NftClassifier(elements, { table, maxFlows }, log);
    return new LinuxKernel({ classifier, trees: new Trees(routing, table), routing, log });
  } catch (error) {
    elements.close();
    throw error;
  }
}

/** What a back end is made of. */
export interface LinuxParts {
  readonly classifier: Classifier;
  readonly trees: Trees;
  readonly routing: Routing;
  readonly log: Logger;
}

/** Made by `openLinuxKernel`. Calls are carried out one after the other. */
export class LinuxKernel implements KernelPort {
  readonly #parts: LinuxParts;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(parts: LinuxParts) {
    this.#parts = parts;
  }

  get backend(): BackendInfo {
    return this.#parts.classifier.backend;
  }

  read(): Promise<ObservedState> {
    const { classifier, trees } = this.#parts;
    return this.#inTurn(async () => {
      const { state, intact, pools, flows } = await classifier.read();
      const found = await trees.read();
      return {
        structure: intact && trees.matches(found, state.interfaces, pools),
        ...(state.structureId === undefined ? {} : { structureId: state.structureId }),
        interfaces: state.interfaces.map(({ name, rate }) => ({ name, present: true, rate })),
        pools: new Map(pools.map((pool) => [pool.id, pool])),
        tunnels: new Map(),
        classes: trees.classesIn(found),
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
    this.#parts.classifier.refuse(desired, steps);
    return this.#inTurn(async () => {
      if (steps.structure) await this.#installStructure(desired);
      const before = steps.poolSets.length > 0 ? await this.#setPools(desired, steps.poolSets) : undefined;
      const removed = await this.#changeFlows(desired, steps, before);
      if (steps.poolRemoves.length > 0) await this.#removePools(desired, steps.poolRemoves);
      return { removed };
    });
  }

  counters(of?: Iterable<FlowRule>): Promise<ReadonlyMap<FlowId, FlowCounters>> {
    return this.#inTurn(() => this.#parts.classifier.counters(of));
  }

  render(desired: DesiredState, changes: readonly KernelChange[]): Promise<readonly RenderedStep[]> {
    const steps = stepsOf(changes);
    return this.#inTurn(() => this.#parts.classifier.render(desired, steps));
  }

  renderCleanup(): Promise<readonly RenderedStep[]> {
    return this.#inTurn(() => this.#parts.classifier.renderRemove());
  }

  async watch(_listener: (event: KernelEvent) => void): Promise<KernelWatch> {
    return { close: async () => undefined };
  }

  cleanup(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#parts.trees.remove();
      await this.#parts.classifier.remove();
    });
  }

  async close(): Promise<void> {
    await this.#turn;
    await this.#parts.classifier.close();
    this.#parts.routing.close();
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  /** Everything that can be refused is refused before the first change. */
  async #installStructure(desired: DesiredState): Promise<void> {
    const { classifier, trees } = this.#parts;
    await trees.check(desired.interfaces);
    await classifier.check();
    await classifier.install(desired);
    await trees.reconcile(desired.interfaces, await classifier.pools());
  }

  /** Gives the pools as they were. */
  async #setPools(desired: DesiredState, pools: readonly PoolClass[]): Promise<readonly PoolClass[]> {
    const { classifier, trees } = this.#parts;
    const before = await classifier.pools();
    const after = new Map([...before, ...pools].map((pool) => [pool.id, pool]));
    try {
      // Classes first: no packet is sent to a class that is not there.
      await trees.reconcile(desired.interfaces, [...after.values()]);
      const replaced = before.filter((pool) => pools.some((set) => set.id === pool.id));
      await classifier.changePools(replaced, pools);
    } catch (error) {
      await this.#restorePools(desired, before);
      throw error;
    }
    return before;
  }

  async #changeFlows(
    desired: DesiredState,
    steps: ChangeSteps,
    before: readonly PoolClass[] | undefined,
  ): Promise<ReadonlyMap<FlowId, FlowCounters>> {
    try {
      return await this.#parts.classifier.changeFlows(steps.removes, steps.adds);
    } catch (error) {
      if (before !== undefined) await this.#restorePools(desired, before);
      throw error;
    }
  }

  /** After a failure; what cannot be put back is seen as a difference by the next reading. */
  async #restorePools(desired: DesiredState, before: readonly PoolClass[]): Promise<void> {
    const { classifier, trees, log } = this.#parts;
    try {
      await classifier.changePools(await classifier.pools(), before);
      await trees.reconcile(desired.interfaces, before);
    } catch (error) {
      log.error("kernel.pools.undo", { pools: before.length, error });
    }
  }

  async #removePools(desired: DesiredState, pools: readonly PoolClass[]): Promise<void> {
    const { classifier, trees } = this.#parts;
    const gone = new Set(pools.map((pool) => pool.id));
    const before = await classifier.pools();
    // The map first, for the same reason.
    await classifier.changePools(
      before.filter((pool) => gone.has(pool.id)),
      [],
    );
    const rest = before.filter((pool) => !gone.has(pool.id));
    await trees.reconcile(desired.interfaces, rest);
  }
}

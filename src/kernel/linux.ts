/** The kernel port on Linux: one nft table and an HTB tree per managed interface, both provably ours. */
import { type Clock, SYSTEM_CLOCK } from "../model/clock.js";
import type { Logger } from "../model/log.js";
import type { FlowCounters } from "../model/usage.js";
import type { Classifier } from "./classifier.js";
import type { ElementStore } from "./element-store.js";
import { Gate } from "./gate.js";
import { type ObservedTunnels, Tunnels } from "./link/tunnels.js";
import { NetlinkAgent } from "./netlink/agent/agent.js";
import { type Generation, NfTables } from "./netlink/nf-tables.js";
import { Routing } from "./netlink/routing.js";
import type { Marking } from "./nft/marking.js";
import { NftClassifier } from "./nft/nft-classifier.js";
import { openElements, type Programming } from "./nft/open-elements.js";
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
import type { Queueing } from "./queueing.js";
import { renderChanges, renderRemoval } from "./render-changes.js";
import { checkTableName } from "./table-name.js";
import type { ObservedQueueing } from "./tc/survey.js";
import { openTrees } from "./tc/trees.js";
import { checkSteps } from "./validate.js";
import { Watch } from "./watch.js";

const DEFAULT_TABLE = "sluice";
const DEFAULT_MAX_FLOWS = 65_536;
/** An installation or a removal of the table runs `nft -f` once. */
const OWN_COMMITS = 1;

export interface LinuxKernelOptions {
  /** Name of our nft table (family inet); also signs our HTB roots. */
  readonly table?: string;
  readonly log: Logger;
  readonly clock?: Clock;
  /** Flows each session map can hold. */
  readonly maxFlows?: number;
  /** How elements are changed; `auto` by default. */
  readonly programming?: Programming;
  /** Who writes code points; nftables by default. DSMARK is taken as it was probed: see `openDsmarkKernel`. */
  readonly marking?: Marking;
}

/**
 * Works on the network namespace of the process.
 * @throws KernelError KERNEL_PERMISSION, KERNEL_NETLINK, KERNEL_TABLE_NAME.
 */
export async function openLinuxKernel(options: LinuxKernelOptions): Promise<LinuxKernel> {
  const {
    table = DEFAULT_TABLE,
    clock = SYSTEM_CLOCK,
    maxFlows = DEFAULT_MAX_FLOWS,
    programming = "auto",
    marking = "nftables",
    log,
  } = options;
  checkTableName(table);
  const agent = new NetlinkAgent({ name: "transactions", clock, log });
  // A long reading must not stand in the way of a session.
  const readings = new NetlinkAgent({ name: "readings", clock, log });
  let opened: ElementStore | undefined;
  try {
    const openNetlink = () => NfTables.open(table, { agent, dumpAgent: readings, clock });
    const { elements, detail } = await openElements({ programming, table, maxFlows, openNetlink, clock, log });
    opened = elements;
    const routing = await Routing.open(readings, clock);
    const classifier = new NftClassifier(elements, { table, maxFlows, marking }, log, detail);
    const netlink = elements instanceof NfTables ? elements : undefined;
    // A flow is two elements, and a classifier may need some of its own beside them: these fit in any case.
    const overlap = netlink === undefined ? 0 : Math.floor(elements.transactionLimit / 8);
    return new LinuxKernel({
      classifier,
      trees: await openTrees(routing, table, { planting: marking === "dsmark" ? "dsmark" : "htb" }),
      tunnels: new Tunnels(table),
      routing,
      log,
      clock,
      overlap,
      ...(netlink === undefined ? {} : { generation: () => netlink.generation() }),
      agents: [agent, readings],
    });
  } catch (error) {
    await opened?.close();
    await Promise.all([agent.close(), readings.close()]);
    throw error;
  }
}

const NO_TUNNELS: ObservedTunnels = { whole: new Map(), parts: new Map() };

/** What a back end is made of. */
export interface LinuxParts {
  readonly classifier: Classifier;
  readonly trees: Queueing<ObservedQueueing>;
  /** Absent where the classifier steers no packets: it then refuses them. */
  readonly tunnels?: Tunnels;
  readonly routing: Routing;
  readonly log: Logger;
  /**
   * Up to this many flow changes of one call are one transaction, carried out in the order of the calls: such calls need
   * not wait for each other. None by default.
   */
  readonly overlap?: number;
  /** Tells whether somebody else changed what packets are classified by. Absent: only a reading can say. */
  readonly generation?: () => Promise<Generation>;
  readonly clock?: Clock;
  /** Ended with the kernel. */
  readonly agents?: readonly NetlinkAgent[];
}

/**
 * Made by `openLinuxKernel`. Calls that change or read the structure are carried out alone, changes of flows and readings
 * of counters beside each other.
 */
export class LinuxKernel implements KernelPort {
  readonly #parts: LinuxParts;
  readonly #gate = new Gate();
  readonly #watches = new Set<Watch>();

  constructor(parts: LinuxParts) {
    this.#parts = parts;
  }

  get backend(): BackendInfo {
    const { classifier, trees } = this.#parts;
    return { ...classifier.backend, detail: `${classifier.backend.detail}; ${trees.detail}` };
  }

  read(): Promise<ObservedState> {
    const { classifier, trees, tunnels } = this.#parts;
    // Beside changes of flows: with very many of them it takes a second, for which no session should wait.
    return this.#gate.shared(async () => {
      const { state, intact, pools, flows } = await classifier.read();
      const [found, { whole, parts }] = await Promise.all([
        trees.read(state.interfaces),
        tunnels === undefined ? NO_TUNNELS : tunnels.read(),
      ]);
      return {
        structure: intact && parts.size === whole.size && trees.matches(found, state.interfaces, pools),
        ...(state.structureId === undefined ? {} : { structureId: state.structureId }),
        interfaces: trees.interfacesIn(found, state.interfaces),
        pools: new Map(pools.map((pool) => [pool.id, pool])),
        tunnels: whole,
        classes: trees.classesIn(found),
        flows,
      };
    });
  }

  plan(desired: DesiredState, observed: ObservedState): readonly KernelChange[] {
    return planChanges(desired, observed);
  }

  /** Structure, tunnels and pools that come or change, flows in one transaction, pools and tunnels that go. */
  async apply(desired: DesiredState, changes: readonly KernelChange[]): Promise<ApplyResult> {
    const steps = this.#checkedSteps(desired, changes);
    if (this.#mayOverlap(steps)) {
      return this.#gate.shared(async () => ({ removed: await this.#changeFlows(desired, steps, undefined) }));
    }
    return this.#gate.exclusive(async () => {
      // Before anything is touched.
      await this.#parts.tunnels?.checkKinds(steps.tunnelSets);
      if (steps.structure) await this.#installStructure(desired);
      await this.#parts.tunnels?.set(steps.tunnelSets);
      const before = steps.poolSets.length > 0 ? await this.#setPools(desired, steps.poolSets) : undefined;
      const removed = await this.#changeFlows(desired, steps, before);
      if (steps.poolRemoves.length > 0) await this.#removePools(desired, steps.poolRemoves);
      await this.#parts.tunnels?.remove(steps.tunnelRemoves.map(({ id }) => id));
      return { removed };
    });
  }

  counters(of?: Iterable<FlowRule>): Promise<ReadonlyMap<FlowId, FlowCounters>> {
    return this.#gate.shared(() => this.#parts.classifier.counters(of));
  }

  async render(desired: DesiredState, changes: readonly KernelChange[]): Promise<readonly RenderedStep[]> {
    const steps = this.#checkedSteps(desired, changes);
    return this.#gate.exclusive(() => renderChanges(this.#parts, desired, steps));
  }

  renderCleanup(): Promise<readonly RenderedStep[]> {
    return this.#gate.exclusive(() => renderRemoval(this.#parts));
  }

  /** @throws KernelError KERNEL_NETLINK, KERNEL_TIMEOUT where it cannot be watched. */
  async watch(listener: (event: KernelEvent) => void): Promise<KernelWatch> {
    const { generation, routing, log, clock = SYSTEM_CLOCK } = this.#parts;
    const watch = new Watch({ generation, devices: () => routing.devices(), clock, log }, listener);
    // Alone: the generation must not be read while our own tools change it.
    await this.#gate.exclusive(() => watch.start());
    this.#watches.add(watch);
    return {
      caughtUp: () => watch.caughtUp(),
      close: async () => {
        this.#watches.delete(watch);
        await watch.close();
      },
    };
  }

  cleanup(): Promise<void> {
    return this.#gate.exclusive(async () => {
      await this.#parts.tunnels?.removeAll();
      await this.#parts.trees.remove();
      await this.#asOwn(() => this.#parts.classifier.remove());
    });
  }

  async close(): Promise<void> {
    for (const watch of this.#watches) await watch.close();
    await this.#gate.idle();
    await this.#parts.classifier.close();
    this.#parts.routing.close();
    await Promise.all((this.#parts.agents ?? []).map((agent) => agent.close()));
  }

  /** What cannot be done is refused before anything is touched. @throws KernelError */
  #checkedSteps(desired: DesiredState, changes: readonly KernelChange[]): ChangeSteps {
    const steps = stepsOf(changes);
    checkSteps(desired, steps);
    this.#parts.tunnels?.check(steps.tunnelSets, desired.tunnels.values());
    this.#parts.classifier.refuse(desired, steps);
    return steps;
  }

  /** Work whose change of the ruleset, by `nft`, is no event. */
  async #asOwn(work: () => Promise<void>): Promise<void> {
    const watches = [...this.#watches];
    for (const watch of watches) await watch.suspend();
    try {
      await work();
    } finally {
      for (const watch of watches) await watch.resume(OWN_COMMITS);
    }
  }

  #mayOverlap(steps: ChangeSteps): boolean {
    const flows = steps.removes.length + steps.adds.length;
    const { structure, poolSets, poolRemoves, tunnelSets, tunnelRemoves } = steps;
    const others = poolSets.length + poolRemoves.length + tunnelSets.length + tunnelRemoves.length;
    return !structure && others === 0 && flows <= (this.#parts.overlap ?? 0);
  }

  /** Everything that can be refused is refused before the first change. */
  async #installStructure(desired: DesiredState): Promise<void> {
    const { classifier, trees, tunnels } = this.#parts;
    await trees.check(desired.interfaces);
    await classifier.check();
    await tunnels?.removeBroken();
    await this.#asOwn(() => classifier.install(desired));
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
      const set = new Set(pools.map((pool) => pool.id));
      const replaced = before.filter((pool) => set.has(pool.id));
      await classifier.changePools(replaced, pools, desired.interfaces);
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
      await classifier.changePools(await classifier.pools(), before, desired.interfaces);
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
      desired.interfaces,
    );
    const rest = before.filter((pool) => !gone.has(pool.id));
    await trees.reconcile(desired.interfaces, rest);
  }
}

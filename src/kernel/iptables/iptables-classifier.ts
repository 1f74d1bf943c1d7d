/** Flows as elements of ipset sets, their treatment as chains of iptables, for gateways whose firewall is made of these. */
import { KernelError } from "../../model/errors.js";
import type { Logger } from "../../model/log.js";
import type { FlowCounters } from "../../model/usage.js";
import { carriesAnything } from "../aggregate-match.js";
import type { Classifier, ClassifierContents } from "../classifier.js";
import type { ChangeSteps, FlowAddition } from "../plan.js";
import type { BackendInfo, DesiredState, FlowId, FlowRule, PoolClass, RenderedStep } from "../port.js";
import { numberClasses, unsupportedFlow } from "./flow-class.js";
import { FlowIndex } from "./flow-index.js";
import { countersIn, flowFamily, looseKey, type SetContents } from "./flow-lines.js";
import { addCommands, applyFlows, forgetCommands, unlinkCommands } from "./flow-transaction.js";
import { restoreAnyway, type SetCommand, saveSets, tryRestore } from "./ipset.js";
import { FAMILIES, type Names, namesOf } from "./names.js";
import { addPoolLine, deletePoolLine, readState } from "./set-layout.js";
import { Structure } from "./structure.js";

export interface IptablesOptions {
  /** Begins the names of our chains and sets. */
  readonly table: string;
  /** Most flows of a family. */
  readonly maxFlows: number;
  /** One sentence for `BackendInfo`. */
  readonly detail: string;
}

const restoreStep = (commands: readonly SetCommand[]): readonly RenderedStep[] =>
  commands.length === 0
    ? []
    : [{ tool: "ipset", args: ["restore"], input: commands.map(({ line }) => `${line}\n`).join("") }];

export class IptablesClassifier implements Classifier {
  readonly backend: BackendInfo;
  readonly #names: Names;
  readonly #structure: Structure;
  readonly #maxFlows: number;
  readonly #log: Logger;
  /** Undefined until the kernel was read, and after what may have left it otherwise. */
  #index: FlowIndex | undefined;

  /** @throws KernelError KERNEL_TABLE_NAME. */
  constructor({ table, maxFlows, detail }: IptablesOptions, log: Logger) {
    this.backend = { name: "iptables", detail };
    this.#names = namesOf(table);
    this.#structure = new Structure(this.#names, { maxFlows }, log);
    this.#maxFlows = maxFlows;
    this.#log = log;
  }

  refuse(desired: DesiredState, steps: ChangeSteps): void {
    const adds = steps.adds.map(({ rule }) => rule);
    const tunnelled = adds.find((rule) => rule.tunnel !== undefined);
    const remedy = "use the nftables back end";
    if (tunnelled !== undefined) throw unsupportedFlow(tunnelled, "the iptables back end has no tunnels", remedy);
    const tunnel = steps.tunnelSets[0];
    if (tunnel !== undefined) {
      const detail = { operation: `make tunnel ${tunnel.name}`, errno: "EOPNOTSUPP" };
      throw new KernelError("KERNEL_UNSUPPORTED", "the iptables back end has no tunnels", detail, { remedy });
    }
    const carrying = steps.poolSets.find(carriesAnything);
    if (carrying !== undefined) {
      const object = `pool ${carrying.id} "${carrying.name}"`;
      const detail = { operation: `set ${object}`, errno: "EOPNOTSUPP" };
      const why = `${object}: the iptables back end carries no aggregates`;
      throw new KernelError("KERNEL_UNSUPPORTED", why, detail, { remedy });
    }
    if (adds.length === 0) return;
    this.#refuseSize(desired, adds);
    // Without a reading at least what the flows of one call are to each other is known; the rest is seen in its turn.
    const index = this.#index ?? new FlowIndex();
    numberClasses(index.classes, index.usedClasses, adds);
    index.checkDistinct(adds, new Set(steps.removes.map(looseKey)));
  }

  async read(): Promise<ClassifierContents> {
    const survey = await this.#structure.read();
    this.#index = new FlowIndex(survey);
    const { structureId, interfaces, pools } = survey.state;
    return {
      state: { structureId, interfaces },
      intact: this.#structure.isIntact(survey),
      pools,
      flows: survey.flows,
    };
  }

  async pools(): Promise<readonly PoolClass[]> {
    const contents = await contentsOf([this.#names.state]);
    return readState(contents.get(this.#names.state) ?? []).pools;
  }

  async check(): Promise<void> {
    this.#structure.refuseForeign(await this.#structure.read());
  }

  async install(desired: DesiredState): Promise<void> {
    this.#index = undefined;
    this.#index = new FlowIndex(await this.#structure.install(desired));
  }

  /** The state set only remembers pools: the elements of the flows name their HTB class. */
  async changePools(gone: readonly PoolClass[], come: readonly PoolClass[]): Promise<void> {
    const commands = this.#poolCommands(gone, come);
    const { error, done } = await tryRestore(commands);
    if (error === undefined) return;
    const undone = commands.slice(0, done).reverse();
    await restoreAnyway(undone.flatMap((command) => command.undo ?? []));
    throw error;
  }

  async changeFlows(
    removes: readonly FlowRule[],
    adds: readonly FlowAddition[],
  ): Promise<ReadonlyMap<FlowId, FlowCounters>> {
    if (removes.length + adds.length === 0) return new Map();
    const index = await this.#currentIndex();
    const rules = adds.map(({ rule }) => rule);
    index.check(removes, rules);
    const { classes, ofFlow, grew } = numberClasses(index.classes, index.usedClasses, rules);
    this.#index = undefined;
    if (grew) {
      await this.#structure.setClasses(classes);
      index.classes = classes;
    }
    const parts = { names: this.#names, index, read: contentsOf, log: this.#log };
    const finals = await applyFlows(parts, removes, adds, ofFlow);
    for (const rule of removes) index.remove(rule);
    for (const rule of rules) {
      index.add(rule, ofFlow.get(rule) ?? 0);
      if (rule.key.source.port !== undefined) index.ports.add(rule.key.source.port);
    }
    this.#index = index;
    return finals;
  }

  async counters(of?: Iterable<FlowRule>): Promise<ReadonlyMap<FlowId, FlowCounters>> {
    const rules = of === undefined ? undefined : [...of];
    const families = rules === undefined ? FAMILIES : [...new Set(rules.map(flowFamily))];
    const sets = families.flatMap((family) => [this.#names.flowSet("in", family), this.#names.flowSet("out", family)]);
    return countersIn(this.#names, await contentsOf(sets, rules && new Set(rules.map(looseKey))));
  }

  async remove(): Promise<void> {
    this.#index = undefined;
    await this.#structure.remove();
  }

  /** But for the note that the state set gets of what the chains look like afterwards. */
  async render(desired: DesiredState, steps: ChangeSteps): Promise<readonly RenderedStep[]> {
    const survey = await this.#structure.read();
    const index = new FlowIndex(survey);
    const rules = steps.adds.map(({ rule }) => rule);
    const { classes, ofFlow, grew } = numberClasses(index.classes, index.usedClasses, rules);
    const { poolSets, poolRemoves, removes, adds } = steps;
    const set = new Set(poolSets.map((pool) => pool.id));
    const replaced = survey.state.pools.filter((pool) => set.has(pool.id));
    const chains = steps.structure
      ? this.#structure.installSteps(survey, desired, classes)
      : grew
        ? this.#structure.classSteps(survey.own, classes)
        : [];
    return [
      ...chains,
      ...restoreStep(this.#poolCommands(replaced, poolSets)),
      ...restoreStep(unlinkCommands(this.#names, removes, index)),
      ...restoreStep([
        ...forgetCommands(this.#names, removes, new Map()),
        ...addCommands(this.#names, adds, ofFlow, index.ports),
      ]),
      ...restoreStep(this.#poolCommands(poolRemoves, [])),
    ];
  }

  async renderRemove(): Promise<readonly RenderedStep[]> {
    const survey = await this.#structure.read();
    this.#structure.refuseForeign(survey);
    return this.#structure.removeSteps(survey);
  }

  async close(): Promise<void> {
    // Nothing is kept open.
  }

  #refuseSize(desired: DesiredState, adds: readonly FlowRule[]): void {
    if (desired.flows.size <= this.#maxFlows) return;
    const counts = { 4: 0, 6: 0 };
    for (const rule of desired.flows.values()) counts[flowFamily(rule)] += 1;
    const full = adds.find((rule) => counts[flowFamily(rule)] > this.#maxFlows);
    if (full === undefined) return;
    const why = `the sets hold ${this.#maxFlows} flows of IPv${flowFamily(full)}`;
    throw unsupportedFlow(full, why, "raise the limit of flows, or use the nftables back end");
  }

  #poolCommands(gone: readonly PoolClass[], come: readonly PoolClass[]): readonly SetCommand[] {
    const add = (pool: PoolClass): string => addPoolLine(this.#names, pool);
    const remove = (pool: PoolClass): string => deletePoolLine(this.#names, pool);
    const objectOf = (pool: PoolClass): string => `pool ${pool.id} "${pool.name}"`;
    return [
      ...gone.map((pool) => ({ line: remove(pool), undo: add(pool), object: objectOf(pool) })),
      ...come.map((pool) => ({ line: add(pool), undo: remove(pool), object: objectOf(pool) })),
    ];
  }

  async #currentIndex(): Promise<FlowIndex> {
    this.#index ??= new FlowIndex(await this.#structure.read());
    return this.#index;
  }
}

async function contentsOf(sets: readonly string[], only?: ReadonlySet<string>): Promise<SetContents> {
  return new Map([...(await saveSets(sets, only))].map(([name, set]) => [name, set.elements]));
}

/** Flows and pools as elements of our nft table. */
import type { Logger } from "../../model/log.js";
import type { FlowCounters } from "../../model/usage.js";
import type { Classifier, ClassifierContents } from "../classifier.js";
import { refusePools } from "../dsmark/rules.js";
import type { ElementStore } from "../element-store.js";
import type { ChangeSteps, FlowAddition } from "../plan.js";
import type {
  BackendInfo,
  DesiredState,
  FlowId,
  FlowRule,
  ManagedInterface,
  PoolClass,
  RenderedStep,
} from "../port.js";
import { carryChanges } from "./carry-elements.js";
import { countersOf } from "./flow-elements.js";
import { applyFlows, flowChanges } from "./flow-transaction.js";
import { PortUse } from "./port-use.js";
import type { RulesetOptions } from "./ruleset.js";
import { Table } from "./table.js";

export class NftClassifier implements Classifier {
  readonly backend: BackendInfo;
  readonly #elements: ElementStore;
  readonly #ports = new PortUse();
  readonly #table: Table;
  readonly #log: Logger;

  /** @param detail how it is programmed and why, one sentence. */
  constructor(elements: ElementStore, options: RulesetOptions, log: Logger, detail: string) {
    this.backend = { name: options.marking ?? "nftables", detail };
    this.#elements = elements;
    this.#table = new Table({ elements, options, ports: this.#ports, log });
    this.#log = log;
  }

  refuse(_desired: DesiredState, steps: ChangeSteps): void {
    // Whatever `validate.ts` lets through, nftables can do; a slot of DSMARK has less room.
    if (this.backend.name === "dsmark") refusePools(steps);
  }

  async read(): Promise<ClassifierContents> {
    const { state, pools, flows, strays, carried } = await this.#table.read();
    const isWhole = strays.length + carryChanges(carried, pools, state.interfaces).length === 0;
    return { state, intact: isWhole && (await this.#table.isIntact(state)), pools, flows };
  }

  pools(): Promise<readonly PoolClass[]> {
    return this.#table.pools();
  }

  check(): Promise<void> {
    return this.#table.check();
  }

  install(desired: DesiredState): Promise<void> {
    return this.#table.install(desired);
  }

  async changePools(
    gone: readonly PoolClass[],
    come: readonly PoolClass[],
    links: readonly ManagedInterface[],
  ): Promise<void> {
    await this.#table.transact(await this.#table.poolChanges(gone, come, links));
  }

  changeFlows(removes: readonly FlowRule[], adds: readonly FlowAddition[]): Promise<ReadonlyMap<FlowId, FlowCounters>> {
    return applyFlows({ elements: this.#elements, ports: this.#ports, log: this.#log }, removes, adds);
  }

  async counters(of?: Iterable<FlowRule>): Promise<ReadonlyMap<FlowId, FlowCounters>> {
    return of === undefined ? this.#table.counters() : countersOf(await this.#table.elementsOf(of));
  }

  remove(): Promise<void> {
    return this.#table.remove();
  }

  async render(desired: DesiredState, steps: ChangeSteps): Promise<readonly RenderedStep[]> {
    const texts = steps.structure ? [...(await this.#table.renderInstall(desired))] : [];
    const going = new Set([...steps.poolSets, ...steps.poolRemoves].map(({ id }) => id));
    const before = going.size > 0 ? await this.#table.pools() : [];
    const replaced = before.filter(({ id }) => going.has(id));
    const { interfaces } = desired;
    const changed = going.size > 0 ? await this.#table.poolChanges(replaced, steps.poolSets, interfaces, desired) : [];
    texts.push(...this.#table.renderElements(changed));
    texts.push(...this.#table.renderElements(flowChanges(steps.removes, steps.adds)));
    return texts.map(nftStep);
  }

  async renderRemove(): Promise<readonly RenderedStep[]> {
    const text = await this.#table.renderRemove();
    return text === "" ? [] : [nftStep(text)];
  }

  async close(): Promise<void> {
    await this.#elements.close();
  }
}

const nftStep = (input: string): RenderedStep => ({ tool: "nft", args: ["-f", "-"], input });

/** Flows and pools as elements of our nft table. */
import type { Logger } from "../../model/log.js";
import type { FlowCounters } from "../../model/usage.js";
import type { Classifier, ClassifierContents } from "../classifier.js";
import type { NfTables } from "../netlink/nf-tables.js";
import type { ChangeSteps, FlowAddition } from "../plan.js";
import type { BackendInfo, DesiredState, FlowId, FlowRule, PoolClass, RenderedStep } from "../port.js";
import { countersOf } from "./flow-elements.js";
import { applyFlows } from "./flow-transaction.js";
import { createPool, deletePool } from "./pool-elements.js";
import type { RulesetOptions } from "./ruleset.js";
import { Table } from "./table.js";

export class NftClassifier implements Classifier {
  readonly backend: BackendInfo = { name: "nftables", detail: "nf_tables programmed over netlink" };
  readonly #elements: NfTables;
  readonly #table: Table;
  readonly #log: Logger;

  constructor(elements: NfTables, options: RulesetOptions, log: Logger) {
    this.#elements = elements;
    this.#table = new Table(elements, options, log);
    this.#log = log;
  }

  refuse(_desired: DesiredState, _steps: ChangeSteps): void {
    // Whatever `validate.ts` lets through, nftables can do.
  }

  async read(): Promise<ClassifierContents> {
    const { state, pools, flows, strays } = await this.#table.read();
    return { state, intact: strays.length === 0 && (await this.#table.isIntact(state)), pools, flows };
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

  async changePools(gone: readonly PoolClass[], come: readonly PoolClass[]): Promise<void> {
    await this.#elements.transact([...gone.map(deletePool), ...come.map(createPool)]);
  }

  changeFlows(removes: readonly FlowRule[], adds: readonly FlowAddition[]): Promise<ReadonlyMap<FlowId, FlowCounters>> {
    return applyFlows(this.#elements, removes, adds, this.#log);
  }

  async counters(of?: Iterable<FlowRule>): Promise<ReadonlyMap<FlowId, FlowCounters>> {
    return countersOf(of === undefined ? await this.#table.sessionElements() : await this.#table.elementsOf(of));
  }

  remove(): Promise<void> {
    return this.#table.remove();
  }

  async render(_desired: DesiredState, _steps: ChangeSteps): Promise<readonly RenderedStep[]> {
    return [];
  }

  async renderRemove(): Promise<readonly RenderedStep[]> {
    return [];
  }

  async close(): Promise<void> {
    this.#elements.close();
  }
}

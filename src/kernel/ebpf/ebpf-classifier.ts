/** Flows as entries of eBPF maps, recognised by one program at the egress of every managed interface. */
import type { Logger } from "../../model/log.js";
import type { FlowCounters } from "../../model/usage.js";
import { carriesAnything } from "../aggregate-match.js";
import type { Classifier, ClassifierContents } from "../classifier.js";
import type { Generation } from "../netlink/nf-tables.js";
import type { ChangeSteps, FlowAddition } from "../plan.js";
import type { BackendInfo, DesiredState, FlowId, FlowRule, PoolClass, RenderedStep } from "../port.js";
import { Attachments, type Device } from "./attachments.js";
import { readCounters, readCountersOf, readFlows } from "./flow-reading.js";
import { FlowTransaction, objectOf } from "./flow-transaction.js";
import { flowMapOf, shapesOf } from "./maps.js";
import { LOOPBACK, Owner } from "./owner.js";
import { bpfStep, flowGoneLine, flowLine, poolGoneLine, poolLine, removalLines, structureLines } from "./render.js";
import { serversOf } from "./settings.js";
import { type Held, noStructure, Structure } from "./structure.js";
import { queryEgress } from "./tcx.js";
import { NFTABLES, unsupported } from "./unsupported.js";

export interface EbpfOptions {
  /** Tells what is ours from what is another's. */
  readonly table: string;
  /** Most flows of a family. */
  readonly maxFlows: number;
  /** One sentence for `BackendInfo`. */
  readonly detail: string;
  /** Those of this network namespace. */
  readonly devices: () => Promise<readonly Device[]>;
}

export class EbpfClassifier implements Classifier {
  readonly backend: BackendInfo;
  readonly #table: string;
  readonly #maxFlows: number;
  readonly #attachments: Attachments;
  readonly #structure: Structure;
  readonly #log: Logger;

  constructor({ table, maxFlows, detail, devices }: EbpfOptions, log: Logger) {
    this.backend = { name: "ebpf", detail };
    this.#table = table;
    this.#maxFlows = maxFlows;
    this.#attachments = new Attachments({ owner: new Owner(table), devices });
    this.#structure = new Structure({ table, maxFlows }, this.#attachments, log);
    this.#log = log;
  }

  refuse(desired: DesiredState, steps: ChangeSteps): void {
    const tunnelled = steps.adds.find(({ rule }) => rule.tunnel !== undefined);
    if (tunnelled !== undefined) throw unsupported(objectOf(tunnelled.rule), "the eBPF back end has no tunnels");
    const tunnel = steps.tunnelSets[0];
    if (tunnel !== undefined) throw unsupported(`tunnel ${tunnel.name}`, "the eBPF back end has no tunnels");
    const carrying = steps.poolSets.find(carriesAnything);
    if (carrying !== undefined)
      throw unsupported(`pool ${carrying.id} "${carrying.name}"`, "the eBPF back end carries no aggregates");
    if (!steps.structure) return;
    const most = shapesOf(1).servers.maxEntries;
    if (serversOf(desired).size > most)
      throw unsupported("signalling", `the eBPF back end takes ${most} servers`, `name fewer, or ${NFTABLES}`);
  }

  async read(): Promise<ClassifierContents> {
    const held = await this.#structure.find();
    if (held === undefined)
      return { state: { structureId: undefined, interfaces: [] }, intact: false, pools: [], flows: new Map() };
    const { changes } = held;
    const { flows, strays, ports, sizes } = await readFlows(held.maps);
    // Else the counts are right as they were kept, and those of the reading are of no one moment.
    if (held.changes === changes) {
      held.ports.recount(ports);
      Object.assign(held.sizes, sizes);
    }
    const state = this.#structure.state(held);
    const intact = state !== undefined && strays.length === 0 && (await this.#structure.isIntact(held, state));
    return {
      state: { structureId: state?.structureId, interfaces: state?.interfaces ?? [] },
      intact,
      pools: state?.pools ?? [],
      flows,
    };
  }

  async pools(): Promise<readonly PoolClass[]> {
    const held = await this.#structure.find();
    return (held && this.#structure.state(held))?.pools ?? [];
  }

  /** Whatever else is at the egress of a device stays there, so all that can be in the way is a right that is missing. */
  async check(): Promise<void> {
    queryEgress(LOOPBACK);
  }

  async install(desired: DesiredState): Promise<void> {
    // An edge router can do without: its sessions are as safe as ever.
    if (desired.rsvp === true)
      this.#log.warn("kernel.ebpf.rsvp-unclassified", { table: this.#table, remedy: NFTABLES });
    await this.#structure.install(desired);
  }

  async changePools(gone: readonly PoolClass[], come: readonly PoolClass[]): Promise<void> {
    await this.#structure.find();
    this.#structure.setPools(gone, come);
  }

  async changeFlows(
    removes: readonly FlowRule[],
    adds: readonly FlowAddition[],
  ): Promise<ReadonlyMap<FlowId, FlowCounters>> {
    if (removes.length + adds.length === 0) return new Map();
    const held = this.#structure.heldNow() ?? (await this.#structure.find());
    if (held?.anchorId === undefined) throw noStructure("change flows");
    return this.#transact(held, removes, adds);
  }

  async #transact(
    held: Held,
    removes: readonly FlowRule[],
    adds: readonly FlowAddition[],
  ): Promise<ReadonlyMap<FlowId, FlowCounters>> {
    const { maps, ports, sizes } = held;
    held.changes += 1;
    try {
      const transaction = new FlowTransaction({
        map: (family) => flowMapOf(maps, family),
        ports,
        sizes,
        maxFlows: this.#maxFlows,
        log: this.#log,
      });
      return await transaction.apply(removes, adds);
    } finally {
      held.changes += 1;
    }
  }

  async counters(of?: Iterable<FlowRule>): Promise<ReadonlyMap<FlowId, FlowCounters>> {
    const held = this.#structure.heldNow() ?? (await this.#structure.find());
    if (held === undefined) return new Map();
    return of === undefined ? readCounters(held.maps) : readCountersOf(held.maps, of);
  }

  remove(): Promise<void> {
    return this.#structure.remove();
  }

  async render(desired: DesiredState, steps: ChangeSteps): Promise<readonly RenderedStep[]> {
    const { structure, poolSets, poolRemoves, removes, adds } = steps;
    const made = structure ? structureLines(this.#table, desired, await this.#structure.prepare(desired)) : [];
    const flows = [...removes.map(flowGoneLine), ...adds.map(flowLine)];
    return bpfStep([...made, ...poolSets.map(poolLine), ...flows, ...poolRemoves.map(poolGoneLine)]);
  }

  async renderRemove(): Promise<readonly RenderedStep[]> {
    return bpfStep(removalLines(await this.#attachments.survey()));
  }

  /** Another number when somebody else changed the programs where ours are. */
  async generation(): Promise<Generation> {
    return this.#attachments.generation();
  }

  async close(): Promise<void> {
    this.#structure.close();
  }
}

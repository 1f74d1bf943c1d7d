/** The HTB trees of all managed interfaces: read by rtnetlink, changed by `tc`, one batch for all of them. */
import { KernelError } from "../../model/errors.js";
import type { Routing } from "../netlink/routing.js";
import type { ManagedInterface, ObservedClass, ObservedInterface, PoolClass } from "../port.js";
import type { ScratchRunner } from "../probe/scratch.js";
import type { Queueing } from "../queueing.js";
import { batchText, runBatch, runEach } from "./batch.js";
import { chooseLeaf, type LeafChoice } from "./choose-leaf.js";
import { madeTree } from "./made-tree.js";
import { observedClass } from "./observed-class.js";
import { type Planting, planted, plantedCommands, removeCommand } from "./planting.js";
import { type SpeedReader, speedsIn } from "./speed.js";
import {
  devicesDiffer,
  type ObservedDevice,
  type ObservedQueueing,
  observedInterface,
  ownRoot,
  Surveyor,
  treeLink,
} from "./survey.js";
import { classesOf, signatureOf } from "./tree.js";

/** Times that devices may come and go under a change before it fails. */
const ATTEMPTS = 5;

const SIZED_FIFO: LeafChoice = { kind: "bfifo", detail: "best effort is queued by a sized bfifo" };

export interface TreesOptions {
  /** The queue of best effort; a sized bfifo by default, which every kernel with HTB has. */
  readonly leaf?: LeafChoice;
  readonly speedOf?: SpeedReader;
  /** At the root by default. */
  readonly planting?: Planting;
}

/** Trees whose queues were chosen by what this kernel has. @param table its name signs our trees. */
export async function openTrees(
  routing: Routing,
  table: string,
  options: { readonly planting?: Planting; readonly run?: ScratchRunner } = {},
): Promise<Trees> {
  const { planting = "htb", run } = options;
  return new Trees(routing, table, { leaf: await chooseLeaf(run), planting });
}

export class Trees implements Queueing<ObservedQueueing> {
  readonly detail: string;
  readonly #surveyor: Surveyor;
  readonly #signature: number;
  readonly #leaf: LeafChoice;
  readonly #planting: Planting;

  constructor(routing: Routing, table: string, options: TreesOptions = {}) {
    const { leaf = SIZED_FIFO, speedOf = speedsIn("/sys"), planting = "htb" } = options;
    this.#leaf = leaf;
    this.#planting = planting;
    this.#signature = signatureOf(table);
    this.#surveyor = new Surveyor(routing, this.#signature, speedOf);
    this.detail = `${planting === "dsmark" ? "HTB in DSMARK" : "HTB"}; ${leaf.detail}`;
  }

  read(links: readonly ManagedInterface[]): Promise<ObservedQueueing> {
    return this.#surveyor.read(links);
  }

  async check(links: readonly ManagedInterface[]): Promise<void> {
    this.#refuseForeign(await this.#surveyor.devices([]), links);
  }

  matches(found: ObservedQueueing, links: readonly ManagedInterface[], pools: readonly PoolClass[]): boolean {
    return this.#unwanted(found, links).length === 0 && this.#commands(found, links, pools).length === 0;
  }

  async reconcile(links: readonly ManagedInterface[], pools: readonly PoolClass[]): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const found = await this.read(links);
      this.#refuseForeign(found.devices, links);
      try {
        await runEach(this.#unwanted(found, links));
        return await runBatch(this.#commands(found, links, pools));
      } catch (error) {
        // A device that went away after it was read must not keep the others from their trees.
        const now = await this.#surveyor.devices([]);
        if (attempt >= ATTEMPTS || !devicesDiffer(found.devices, now)) throw error;
      }
    }
  }

  remove(): Promise<void> {
    return this.reconcile([], []);
  }

  classesIn(found: ObservedQueueing): readonly ObservedClass[] {
    return [...found.trees].flatMap(([name, tree]) =>
      tree.classes.flatMap((entry) => observedClass(name, entry) ?? []),
    );
  }

  interfacesIn(found: ObservedQueueing, links: readonly ManagedInterface[]): readonly ObservedInterface[] {
    return links.map((link) => observedInterface(found, link));
  }

  async render(
    links: readonly ManagedInterface[],
    pools: readonly PoolClass[],
    from?: readonly PoolClass[],
  ): Promise<string> {
    const read = await this.read(links);
    const found = from === undefined ? read : this.#madeFor(read, links, from);
    return batchText([...this.#unwanted(found, links), ...this.#commands(found, links, pools)]);
  }

  renderRemove(): Promise<string> {
    return this.render([], []);
  }

  #madeFor(found: ObservedQueueing, links: readonly ManagedInterface[], pools: readonly PoolClass[]): ObservedQueueing {
    const trees = links.flatMap((wanted) => {
      const link = treeLink(found, wanted, this.#leaf.kind);
      return link === undefined
        ? []
        : [[wanted.name, planted(this.#planting, madeTree(classesOf(link, pools)))] as const];
    });
    return { devices: found.devices, trees: new Map(trees) };
  }

  /** For devices that have a tree of ours and should have none. */
  #unwanted(found: ObservedQueueing, links: readonly ManagedInterface[]): readonly string[] {
    const wanted = new Set(links.map((link) => link.name));
    const left = [...found.trees].filter(([name]) => !wanted.has(name));
    return left.map(([name, tree]) => removeCommand(name, tree));
  }

  #commands(
    found: ObservedQueueing,
    links: readonly ManagedInterface[],
    pools: readonly PoolClass[],
  ): readonly string[] {
    return links.flatMap((wanted) => {
      const link = treeLink(found, wanted, this.#leaf.kind);
      if (link === undefined) return [];
      const specs = classesOf(link, pools);
      return plantedCommands(this.#planting, wanted.name, this.#signature, specs, found.trees.get(wanted.name));
    });
  }

  /** @throws KernelError KERNEL_FOREIGN_QDISC. */
  #refuseForeign(devices: ReadonlyMap<string, ObservedDevice>, links: readonly ManagedInterface[]): void {
    for (const { name } of links) {
      const device = devices.get(name);
      if (device?.root === undefined || ownRoot(device, this.#signature) !== undefined) continue;
      const { root } = device;
      throw new KernelError(
        "KERNEL_FOREIGN_QDISC",
        `${name} already has a root qdisc (${root.kind} ${(root.handle >>> 16).toString(16)}:) that is not ours`,
        { operation: `manage interface ${name}`, errno: "EEXIST" },
        { remedy: `if nobody needs it, remove it: tc qdisc del dev ${name} root` },
      );
    }
  }
}

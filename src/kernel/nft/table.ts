/** Our table, and its small companion for ARP: their structure by `nft`, elements by netlink. */
import { createHash } from "node:crypto";
import { KernelError } from "../../model/errors.js";
import type { Logger } from "../../model/log.js";
import type { FlowCounters } from "../../model/usage.js";
import type { ElementStore } from "../element-store.js";
import type { EchoedElement, ElementChange } from "../netlink/nf-tables.js";
import { hostU32Octets } from "../netlink/octets.js";
import type { SetElement } from "../netlink/set-element.js";
import { inOrder, renderTransaction } from "../nft-shell/render.js";
import type { DesiredState, FlowId, FlowRule, ManagedInterface, PoolClass } from "../port.js";
import { runTool } from "../tool.js";
import { carryChanges, carryChangesOf, withCarries } from "./carry-elements.js";
import { carrySetsOf } from "./carry-sets.js";
import {
  type AssembledFlows,
  assembleFlows,
  CounterParts,
  counterKeys,
  createFlow,
  type ElementKey,
} from "./flow-elements.js";
import { layoutsOf } from "./layouts.js";
import { type Listings, listingsAfter, listingsIn } from "./listings-after.js";
import { renderArpTable } from "./neighbours.js";
import { createPool, deletePool, readPool, strayPool } from "./pool-elements.js";
import { ensurePorts, missingPorts, type PortUse, type PresentPorts } from "./port-use.js";
import {
  listingComment,
  OWNER_COMMENT,
  parseState,
  type RulesetOptions,
  renderReplacement,
  renderUpdate,
  STATE_KEY,
  type TableState,
  tableComment,
} from "./ruleset.js";
import { COUNTED_SETS, POOL_SET, PORT_SETS, SESSION_SETS, STATE_SET, siblingsOf } from "./sets.js";

export interface TableContents extends AssembledFlows {
  readonly state: TableState;
  readonly pools: readonly PoolClass[];
  /** Elements of the maps of aggregates: those that are strays are not among the strays. */
  readonly carried: readonly EchoedElement[];
}

/** Of a reading, but for flows. */
interface PoolContents {
  readonly pools: readonly PoolClass[];
  readonly strays: readonly ElementChange[];
  readonly carried: readonly EchoedElement[];
}

const FAMILIES = ["inet", "arp"] as const;
/** Single elements asked for together. */
const QUESTIONS = 256;
/** More than could have changed while the maps were read: somebody was at work in our table. */
const MOST_UNSETTLED = 20_000;

/** What is to be done to have the structure, found out without doing it. */
interface Preparation {
  readonly listings: Listings;
  /** For `nft -f`, one transaction. */
  readonly text: string;
  /** After it: those that are none of ours go, or all of ours come back to a table that was made anew. */
  readonly elements: readonly ElementChange[];
}

/** Notes what the structure looks like, so that a later change by others is seen. */
const seal = (digest: string): ElementChange => ({
  action: "create",
  set: STATE_SET,
  element: { key: hostU32Octets(STATE_KEY.listing), comment: listingComment(digest) },
  object: "digest of the structure",
});

function chunksOf<Item>(items: readonly Item[], size: number): readonly (readonly Item[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}

/** Of aggregates. */
const mapsFor = ({ pools, interfaces }: DesiredState): ReadonlySet<string> =>
  new Set(carrySetsOf(pools.values(), interfaces).map(({ name }) => name));

const digestOf = ({ inet, arp }: Listings): string =>
  createHash("sha256").update(`${inet}\n${arp}`).digest("hex").slice(0, 32);

/** What a table is made of. */
export interface TableParts {
  readonly elements: ElementStore;
  readonly options: RulesetOptions;
  /** Told of every reading. */
  readonly ports: PortUse;
  readonly log: Logger;
}

export class Table {
  readonly #elements: ElementStore;
  readonly #options: RulesetOptions;
  readonly #ports: PortUse;
  readonly #log: Logger;

  constructor({ elements, options, ports, log }: TableParts) {
    this.#elements = elements;
    this.#options = options;
    this.#ports = ports;
    this.#log = log;
  }

  /** Everything in the maps. */
  async read(): Promise<TableContents> {
    const state = await this.#state();
    const { pools, strays: poolStrays, carried } = await this.#readPools(state);
    const mark = this.#ports.mark();
    const { flows, strays } = await this.#settled(assembleFlows(await this.#sessionElements()));
    // After the flows: the blocks of a flow come with it.
    const present = await this.#presentPorts();
    const rules = [...flows.values()].map(({ rule }) => rule);
    const missing = this.#ports.isQuiet(mark) ? missingPorts(rules, present) : [];
    this.#ports.take(mark, rules, present);
    return { state, pools, carried, flows, strays: [...strays, ...poolStrays, ...missing] };
  }

  async #state(): Promise<TableState> {
    const elements = await this.#elements.dump(STATE_SET);
    return parseState(
      elements.flatMap((element) => element.comment ?? []),
      this.#options.marking,
    );
  }

  async #readPools({ carryMaps }: TableState): Promise<PoolContents> {
    const elements = (await this.#elements.dump(POOL_SET)).map((element) => ({ element, pool: readPool(element) }));
    const carried: EchoedElement[] = [];
    for (const set of carryMaps) {
      for (const element of await this.#elements.dump(set)) carried.push({ set, element });
    }
    const pools = withCarries(
      elements.flatMap(({ pool }) => pool ?? []),
      carried,
    );
    const strays = elements.filter(({ pool }) => pool === undefined).map(({ element }) => strayPool(element));
    return { pools, strays, carried };
  }

  /**
   * Flows come and go while the maps are read one after the other, and one that did looks like a stray: its elements are
   * asked for again, one by one.
   */
  async #settled(assembled: AssembledFlows): Promise<AssembledFlows> {
    const { flows, strays } = assembled;
    if (strays.length === 0 || strays.length > MOST_UNSETTLED) return assembled;
    const places = new Map<string, ElementKey>();
    for (const { set: name, element } of strays) {
      for (const set of siblingsOf(name))
        places.set(`${set} ${element.key.toString("latin1")}`, { set, key: element.key });
    }
    const again = assembleFlows(await this.#present([...places.values()]));
    return { flows: new Map([...flows, ...again.flows]), strays: again.strays };
  }

  async #presentPorts(): Promise<PresentPorts> {
    const present = new Map<string, readonly SetElement[]>();
    for (const set of Object.values(PORT_SETS)) present.set(set, await this.#elements.dump(set));
    return present;
  }

  async pools(): Promise<readonly PoolClass[]> {
    return (await this.#readPools(await this.#state())).pools;
  }

  /** What makes these pools go and those come, with what they carry. @param structure in which that will be; absent: as it is now */
  async poolChanges(
    gone: readonly PoolClass[],
    come: readonly PoolClass[],
    links: readonly ManagedInterface[],
    structure?: DesiredState,
  ): Promise<readonly ElementChange[]> {
    const { carried } = await this.#readPools(await this.#state());
    const sets = structure && mapsFor(structure);
    const found = sets === undefined ? carried : carried.filter(({ set }) => sets.has(set));
    return [...gone.map(deletePool), ...come.map(createPool), ...carryChangesOf(found, gone, come, links)];
  }

  /** One transaction, but for more than that takes. */
  transact(changes: readonly ElementChange[]): Promise<void> {
    return this.#inChunks(inOrder(changes));
  }

  async #sessionElements(): Promise<readonly EchoedElement[]> {
    const found: EchoedElement[] = [];
    for (const { name } of SESSION_SETS) {
      for (const element of await this.#elements.dump(name)) found.push({ set: name, element });
    }
    return found;
  }

  /** Of every flow. */
  async counters(): Promise<ReadonlyMap<FlowId, FlowCounters>> {
    const parts = new CounterParts();
    for (const { name } of COUNTED_SETS) {
      await this.#elements.visit(name, (element) => parts.add(name, element));
    }
    return parts.totals();
  }

  /** The counting elements of these flows alone: what it costs does not depend on how many others there are. */
  async elementsOf(rules: Iterable<FlowRule>): Promise<readonly EchoedElement[]> {
    return this.#present([...rules].flatMap(counterKeys));
  }

  async #present(places: readonly ElementKey[]): Promise<readonly EchoedElement[]> {
    const found: EchoedElement[] = [];
    for (const chunk of chunksOf(places, QUESTIONS)) {
      const elements = await Promise.all(chunk.map(({ set, key }) => this.#elements.get(set, key)));
      elements.forEach((element, index) => {
        const set = chunk[index]?.set;
        if (element !== undefined && set !== undefined) found.push({ set, element });
      });
    }
    return found;
  }

  /** Whether chains and maps are as they were when we made them. */
  async isIntact(state: TableState): Promise<boolean> {
    return state.listing !== undefined && state.listing === digestOf(await this.#listings());
  }

  /** @throws KernelError KERNEL_FOREIGN_TABLE if a table of our name is not ours. */
  async check(): Promise<void> {
    this.#refuseForeign(await this.#listings());
  }

  /** Makes the structure; elements stay, and are put back with their counters where the maps had to be made anew. */
  async install(desired: DesiredState): Promise<void> {
    const { text, elements } = await this.#prepare(desired);
    this.#ports.forget();
    await runTool("nft", ["-f", "-"], text);
    await this.#inChunks(elements);
    await this.#elements.transact([seal(digestOf(await this.#listings()))]);
  }

  /** What `install` would do: texts for `nft -f`, in order. */
  async renderInstall(desired: DesiredState): Promise<readonly string[]> {
    const { text, elements, listings } = await this.#prepare(desired);
    const after = await listingsAfter(this.#options.table, listings, text);
    return [text, ...this.renderElements(elements), ...this.renderElements([seal(digestOf(after))])];
  }

  /** As many transactions as it takes, as texts for `nft -f`. */
  renderElements(changes: readonly ElementChange[]): readonly string[] {
    const layouts = layoutsOf(this.#options);
    return chunksOf(changes, this.#elements.transactionLimit).map((chunk) =>
      renderTransaction(this.#options.table, layouts, chunk),
    );
  }

  /** Our tables and nothing else; no error if there is none. */
  async remove(): Promise<void> {
    const text = await this.renderRemove();
    if (text !== "") await runTool("nft", ["-f", "-"], text);
  }

  /** What `remove` gives to `nft -f`; empty if there is nothing of ours. */
  async renderRemove(): Promise<string> {
    const listings = await this.#listings();
    this.#refuseForeign(listings);
    const present = FAMILIES.filter((family) => listings[family] !== "");
    return present.map((family) => `delete table ${family} ${this.#options.table}\n`).join("");
  }

  /** Everything that can be refused is refused here; nothing is changed yet. */
  async #prepare(desired: DesiredState): Promise<Preparation> {
    const listings = await this.#listings();
    this.#refuseForeign(listings);
    const listing = listings.inet;
    const arp = await this.#arpText(desired);
    const { flows, pools, strays, carried } = await this.read();
    const sets = mapsFor(desired);
    if (listing === "" || listing.includes(`\tcomment "${tableComment}"\n`)) {
      const text = renderUpdate(this.#options, desired, listing) + arp;
      if (await this.#tryCheck(text, listing === "")) {
        if (strays.length > 0) this.#warn("kernel.table.strays", { elements: strays.length });
        const staying = carried.filter(({ set }) => sets.has(set));
        const mended = carryChanges(staying, pools, desired.interfaces, sets);
        return { listings, text, elements: [...strays, ...mended] };
      }
    }
    const text = renderReplacement(this.#options, desired) + arp;
    await runTool("nft", ["--check", "-f", "-"], text);
    this.#warn("kernel.table.replaced", { flows: flows.size });
    const rules = [...flows.values()].map(({ rule }) => rule);
    const put = [...flows.values()].flatMap((flow) => createFlow(flow.rule, flow.counters));
    const again = [...pools.map(createPool), ...carryChanges([], pools, desired.interfaces, sets)];
    return { listings, text, elements: [...again, ...put, ...ensurePorts(rules)] };
  }

  #warn(event: string, fields: Readonly<Record<string, unknown>>): void {
    this.#log.warn(event, { table: this.#options.table, ...fields });
  }

  /** Empty where the kernel has no tables for ARP: sessions matter more, so the router goes on without. */
  async #arpText(desired: DesiredState): Promise<string> {
    const { table } = this.#options;
    const text = renderArpTable(table, tableComment, desired.interfaces);
    try {
      await runTool("nft", ["--check", "-f", "-"], text);
      return text;
    } catch (error) {
      if (!(error instanceof KernelError) || error.code !== "KERNEL_TOOL_FAILED") throw error;
      const remedy = "use a kernel with CONFIG_NF_TABLES_ARP: in a flood of best effort, next hops may be lost";
      this.#log.warn("kernel.arp.unclassified", { table, stderr: error.detail.stderr, remedy });
      return "";
    }
  }

  async #tryCheck(text: string, mustPass: boolean): Promise<boolean> {
    try {
      await runTool("nft", ["--check", "-f", "-"], text);
      return true;
    } catch (error) {
      const refused = error instanceof KernelError && error.code === "KERNEL_TOOL_FAILED";
      if (mustPass || !refused) throw error;
      this.#log.warn("kernel.table.unfit", { table: this.#options.table, stderr: error.detail.stderr });
      return false;
    }
  }

  async #inChunks(changes: readonly ElementChange[]): Promise<void> {
    for (const chunk of chunksOf(changes, this.#elements.transactionLimit)) await this.#elements.transact(chunk);
  }

  /** The whole ruleset without elements: asked for one table, nft fetches every element of it first. */
  async #listings(): Promise<Listings> {
    const ruleset = await runTool("nft", ["--terse", "list", "ruleset"]);
    return listingsIn(ruleset, this.#options.table);
  }

  #refuseForeign(listings: Listings): void {
    const family = FAMILIES.find((name) => listings[name] !== "" && !OWNER_COMMENT.test(listings[name]));
    if (family === undefined) return;
    const name = `${family} ${this.#options.table}`;
    throw new KernelError(
      "KERNEL_FOREIGN_TABLE",
      `the table ${name} was not made by Sluice`,
      { operation: `own table ${name}`, errno: "EEXIST" },
      { remedy: `choose another table name, or if nobody needs it: nft delete table ${name}` },
    );
  }
}

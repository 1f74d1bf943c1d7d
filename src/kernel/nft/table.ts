/** Our table, and its small companion for ARP: their structure by `nft`, elements by netlink. */
import { createHash } from "node:crypto";
import { KernelError } from "../../model/errors.js";
import type { Logger } from "../../model/log.js";
import { isNotFound } from "../kernel-errors.js";
import type { EchoedElement, ElementChange, NfTables } from "../netlink/nf-tables.js";
import { hostU32Octets } from "../netlink/octets.js";
import type { DesiredState, FlowRule, PoolClass } from "../port.js";
import { runTool } from "../tool.js";
import { type AssembledFlows, assembleFlows, createFlow, elementKeys } from "./flow-elements.js";
import { renderArpTable } from "./neighbours.js";
import { createPool, readPool, strayPool } from "./pool-elements.js";
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
import { POOL_SET, SESSION_SETS, STATE_SET } from "./sets.js";

export interface TableContents extends AssembledFlows {
  readonly state: TableState;
  readonly pools: readonly PoolClass[];
}

const FAMILIES = ["inet", "arp"] as const;
type TableFamily = (typeof FAMILIES)[number];
/** As `nft list` prints the tables, without elements; empty where there is none. */
type Listings = Readonly<Record<TableFamily, string>>;

const digestOf = ({ inet, arp }: Listings): string =>
  createHash("sha256").update(`${inet}\n${arp}`).digest("hex").slice(0, 32);

export class Table {
  readonly #elements: NfTables;
  readonly #options: RulesetOptions;
  readonly #log: Logger;

  constructor(elements: NfTables, options: RulesetOptions, log: Logger) {
    this.#elements = elements;
    this.#options = options;
    this.#log = log;
  }

  /** Everything in the maps. */
  async read(): Promise<TableContents> {
    const state = await this.#elements.dump(STATE_SET);
    const poolElements = await this.#elements.dump(POOL_SET);
    const pools = poolElements.map((element) => ({ element, pool: readPool(element) }));
    const { flows, strays } = assembleFlows(await this.sessionElements());
    const strayPools = pools.filter(({ pool }) => pool === undefined).map(({ element }) => strayPool(element));
    return {
      state: parseState(state.flatMap((element) => element.comment ?? [])),
      pools: pools.flatMap(({ pool }) => pool ?? []),
      flows,
      strays: [...strays, ...strayPools],
    };
  }

  async pools(): Promise<readonly PoolClass[]> {
    return (await this.#elements.dump(POOL_SET)).flatMap((element) => readPool(element) ?? []);
  }

  async sessionElements(): Promise<readonly EchoedElement[]> {
    const found: EchoedElement[] = [];
    for (const { name } of SESSION_SETS) {
      for (const element of await this.#elements.dump(name)) found.push({ set: name, element });
    }
    return found;
  }

  /** The elements of these flows alone: what it costs does not depend on how many others there are. */
  async elementsOf(rules: Iterable<FlowRule>): Promise<readonly EchoedElement[]> {
    const found: EchoedElement[] = [];
    for (const { set, key } of [...rules].flatMap(elementKeys)) {
      const element = await this.#elements.get(set, key);
      if (element !== undefined) found.push({ set, element });
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
    const listings = await this.#listings();
    this.#refuseForeign(listings);
    const listing = listings.inet;
    const arp = await this.#arpText(desired);
    if (listing === "" || listing.includes(`\tcomment "${tableComment}"\n`)) {
      const text = renderUpdate(this.#options, desired, listing) + arp;
      if (await this.#tryCheck(text, listing === "")) {
        await runTool("nft", ["-f", "-"], text);
        await this.#sweep();
        return this.#seal();
      }
    }
    await this.#replace(desired, arp);
    await this.#seal();
  }

  /** Our tables and nothing else; no error if there is none. */
  async remove(): Promise<void> {
    const listings = await this.#listings();
    this.#refuseForeign(listings);
    const present = FAMILIES.filter((family) => listings[family] !== "");
    if (present.length === 0) return;
    const commands = present.map((family) => `delete table ${family} ${this.#options.table}\n`);
    await runTool("nft", ["-f", "-"], commands.join(""));
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

  async #replace(desired: DesiredState, arp: string): Promise<void> {
    const { flows, pools } = await this.read();
    const text = renderReplacement(this.#options, desired) + arp;
    await runTool("nft", ["--check", "-f", "-"], text);
    await runTool("nft", ["-f", "-"], text);
    const put = [...flows.values()].flatMap((flow) => createFlow(flow.rule, flow.counters));
    await this.#inChunks([...pools.map(createPool), ...put]);
    this.#log.warn("kernel.table.replaced", { table: this.#options.table, flows: flows.size });
  }

  async #sweep(): Promise<void> {
    const { strays } = await this.read();
    if (strays.length === 0) return;
    this.#log.warn("kernel.table.strays", { table: this.#options.table, elements: strays.length });
    await this.#inChunks(strays);
  }

  /** Notes what the structure looks like, so that a later change by others is seen. */
  async #seal(): Promise<void> {
    const key = hostU32Octets(STATE_KEY.listing);
    const comment = listingComment(digestOf(await this.#listings()));
    await this.#elements.transact([
      { action: "create", set: STATE_SET, element: { key, comment }, object: "digest of the structure" },
    ]);
  }

  async #inChunks(changes: readonly ElementChange[]): Promise<void> {
    const size = this.#elements.transactionLimit;
    for (let at = 0; at < changes.length; at += size) await this.#elements.transact(changes.slice(at, at + size));
  }

  async #listings(): Promise<Listings> {
    const [inet, arp] = await Promise.all([this.#listing("inet"), this.#listing("arp")]);
    return { inet, arp };
  }

  async #listing(family: TableFamily): Promise<string> {
    try {
      return await runTool("nft", ["--terse", "list", "table", family, this.#options.table]);
    } catch (error) {
      if (isNotFound(error)) return "";
      throw error;
    }
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

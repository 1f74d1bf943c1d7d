/**
 * The elements of our table through nft as text: for machines where the netlink package cannot be had. Slower, and
 * as sure: one line is one transaction of the kernel.
 */
import type { Clock } from "../../model/clock.js";
import { KernelError } from "../../model/errors.js";
import type { Logger } from "../../model/log.js";
import type { ElementStore } from "../element-store.js";
import type { EchoedElement, ElementChange } from "../netlink/nf-tables.js";
import type { SetElement } from "../netlink/set-element.js";
import { errnoOfText, permissionError, runTool } from "../tool.js";
import { InteractiveNft } from "./interactive.js";
import { parseListing } from "./listing.js";
import { Removals } from "./removals.js";
import { inOrder, renderChange } from "./render.js";
import { keyText, type SetLayouts } from "./set-layout.js";

const TRANSACTION_LIMIT = 400;
const SEPARATOR = "; ";
/** A refused line is printed once for each of its errors: the first is enough. */
const KEPT_REFUSAL = 1024 * 1024;
/** Some 250 characters an element. */
const LISTING_MAX = 256 * 1024 * 1024;
/** After a listing of more than this, the process that made it is not worth its memory. */
const RETIRE_AFTER = 1024 * 1024;
const FAILURE = /(?:^|: )Error: (.*)|Operation not permitted/;

export interface NftShellOptions {
  readonly table: string;
  /** Of the table as it is declared now. */
  readonly layouts: SetLayouts;
  readonly clock: Clock;
  readonly log: Logger;
}

export class NftShell implements ElementStore {
  readonly transactionLimit = TRANSACTION_LIMIT;
  readonly #options: NftShellOptions;
  readonly #writer: InteractiveNft;
  /** Of its own: a listing takes seconds where there are many elements, and transactions go on meanwhile. */
  readonly #reader: InteractiveNft;
  readonly #removals: Removals;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(options: NftShellOptions, removals: Removals) {
    const { clock } = options;
    this.#options = options;
    this.#writer = new InteractiveNft({ clock, keptAnswer: KEPT_REFUSAL });
    this.#reader = new InteractiveNft({ clock, keptAnswer: LISTING_MAX });
    this.#removals = removals;
  }

  /** @throws KernelError KERNEL_PERMISSION without CAP_NET_ADMIN, KERNEL_TOOL_MISSING without nft. */
  static async open(options: NftShellOptions): Promise<NftShell> {
    await runTool("nft", ["list", "tables"]);
    const { table, layouts, clock, log } = options;
    const removals = new Removals(table, layouts, clock, log);
    await removals.listen();
    return new NftShell(options, removals);
  }

  async transact(changes: readonly ElementChange[]): Promise<readonly EchoedElement[]> {
    if (changes.length === 0) return [];
    const { table, layouts } = this.#options;
    const ordered = inOrder(changes);
    const commands = ordered.map((change) => renderChange(table, layouts, change));
    const line = commands.join(SEPARATOR);
    const removed = ordered
      .filter(({ action }) => action === "delete")
      .map(({ set, element }) => ({ set, key: element.key }));
    const work = async (): Promise<void> => {
      const answer = await this.#writer.run(`transaction of ${changes.length} elements`, line);
      const failure = failureIn(answer);
      if (failure === undefined) return;
      const change = changeAt(failure.column, commands, ordered);
      const what = change === undefined ? "transaction" : `${change.action} ${change.object} in ${change.set}`;
      throw refusal(`${what} of table ${table}`, failure);
    };
    // What goes is listened for by one transaction at a time.
    const done = this.#turn.then(() => this.#removals.during(removed, work));
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async dump(set: string): Promise<readonly SetElement[]> {
    const kind = this.#options.layouts.get(set)?.data === undefined ? "set" : "map";
    return this.#list(set, `list ${kind} inet ${this.#options.table} ${set}`);
  }

  async visit(set: string, take: (element: SetElement) => void): Promise<void> {
    for (const element of await this.dump(set)) take(element);
  }

  async get(set: string, key: Buffer): Promise<SetElement | undefined> {
    const { table, layouts } = this.#options;
    const layout = layouts.get(set);
    if (layout === undefined) return undefined;
    return (await this.#list(set, `get element inet ${table} ${set} { ${keyText(layout, key)} }`))[0];
  }

  async close(): Promise<void> {
    this.#removals.close();
    await Promise.all([this.#writer.close(), this.#reader.close()]);
  }

  /** None where there is no such object. */
  async #list(set: string, command: string): Promise<readonly SetElement[]> {
    const answer = await this.#reader.run(command, command);
    if (answer.length > RETIRE_AFTER) await this.#reader.retire();
    if (answer.length >= LISTING_MAX)
      throw refusal(command, { stderr: "too many elements", errno: "EMSGSIZE", column: -1 });
    const failure = failureIn(answer);
    if (failure === undefined) return parseListing(answer, set);
    if (failure.errno === "ENOENT") return [];
    throw refusal(command, failure);
  }
}

interface Failure {
  readonly stderr: string;
  readonly errno: string | undefined;
  /** Column of the line at which nft points. */
  readonly column: number;
}

/** nft says what is wrong, repeats the line, and puts marks below the place. Undefined where it says nothing. */
function failureIn(answer: string): Failure | undefined {
  // A listing begins with its table: no need to search in millions of characters.
  if (answer === "" || answer.startsWith("table ")) return undefined;
  const lines = answer.split("\n");
  const at = lines.findIndex((line) => FAILURE.test(line));
  if (at < 0) return undefined;
  const stderr = lines[at] ?? "";
  return { stderr, errno: errnoOfText(stderr), column: (lines[at + 2] ?? "").indexOf("^") };
}

function refusal(operation: string, { stderr, errno }: Failure): KernelError {
  const detail = { operation, stderr, ...(errno === undefined ? {} : { errno }) };
  if (errno === "EPERM") return permissionError(detail);
  return new KernelError("KERNEL_REFUSED", `the kernel refused ${operation}: ${errno ?? stderr}`, detail, {
    ...(errno === "ENFILE" ? { remedy: "the map is full: raise the limit of flows" } : {}),
  });
}

/** The change that a column of the line belongs to. */
function changeAt(column: number, commands: readonly string[], changes: readonly ElementChange[]) {
  let end = 0;
  const index = commands.findIndex((command) => {
    end += command.length + SEPARATOR.length;
    return column >= 0 && column < end;
  });
  return changes[index];
}

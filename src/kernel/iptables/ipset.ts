/** Runs ipset. `restore` is no transaction: it stops at the first line that the kernel refuses, and the lines before it stay. */
import { KernelError } from "../../model/errors.js";
import { runTool } from "../tool.js";
import { parseSaved, type SavedSet } from "./set-text.js";

/** A set of 65536 flows of IPv6, saved. */
const MAX_SAVED = 128 * 1024 * 1024;

const ERRORS: readonly (readonly [string, string])[] = [
  ["it's already added", "EEXIST"],
  ["with the same name already exists", "EEXIST"],
  ["it's not added", "ENOENT"],
  ["does not exist", "ENOENT"],
  ["is full", "ENOSPC"],
  ["in use by a kernel component", "EBUSY"],
  ["Kernel error received: set type not supported", "EOPNOTSUPP"],
];

export interface SetCommand {
  /** As `ipset restore` reads it. */
  readonly line: string;
  /** Takes it back; absent where nothing has to be. */
  readonly undo?: string;
  /** For error messages. */
  readonly object: string;
}

export interface Outcome {
  /** How many commands were carried out, from the first on. */
  readonly done: number;
  readonly error?: KernelError;
}

const textOf = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join("");

function refusal(error: KernelError, command: SetCommand | undefined): KernelError {
  const text = error.detail.stderr ?? error.message;
  const errno = ERRORS.find(([words]) => text.includes(words))?.[1] ?? error.detail.errno;
  const operation = `ipset ${command?.line.split(" ")[0] ?? "restore"} ${command?.object ?? ""}`.trim();
  const reason = text.replace(/^.*Error in line \d+: /, "");
  const detail = { operation, stderr: text, ...(errno === undefined ? {} : { errno }) };
  return new KernelError("KERNEL_REFUSED", `the kernel refused ${operation}: ${reason}`, detail, { cause: error });
}

/** Carries the commands out up to the first that is refused. @throws KernelError only where ipset cannot be run at all. */
export async function tryRestore(commands: readonly SetCommand[]): Promise<Outcome> {
  if (commands.length === 0) return { done: 0 };
  try {
    await runTool("ipset", ["restore"], textOf(commands.map((command) => command.line)));
    return { done: commands.length };
  } catch (error) {
    if (!(error instanceof KernelError) || error.code !== "KERNEL_TOOL_FAILED") throw error;
    const line = Number(/Error in line (\d+):/.exec(error.detail.stderr ?? "")?.[1] ?? 1);
    return { done: line - 1, error: refusal(error, commands[line - 1]) };
  }
}

/** Adding what is there, and deleting what is not, is no error. @throws KernelError. */
export async function restoreAnyway(lines: readonly string[]): Promise<void> {
  if (lines.length > 0) await runTool("ipset", ["-exist", "restore"], textOf(lines));
}

/**
 * Those of these sets that are there, all by one process where none is missing.
 * @param only keys of elements, where not all are wanted: the kernel tells a whole set all the same.
 */
export async function saveSets(
  names: readonly string[],
  only?: ReadonlySet<string>,
): Promise<ReadonlyMap<string, SavedSet>> {
  const commands = [...names.map((name) => `save ${name}`), "quit"];
  const output = await runTool("ipset", ["-"], textOf(commands), { maxOutput: MAX_SAVED });
  const sets = parseSaved(output, only);
  // What comes after the name of a set that is not there is not to be relied on.
  return names.every((name) => sets.has(name)) ? sets : saveOneByOne(names, only);
}

async function saveOneByOne(
  names: readonly string[],
  only?: ReadonlySet<string>,
): Promise<ReadonlyMap<string, SavedSet>> {
  const present = new Set((await runTool("ipset", ["list", "-name"])).split("\n"));
  const sets = new Map<string, SavedSet>();
  for (const name of names) {
    const set = present.has(name) ? await saveSet(name, only) : undefined;
    if (set !== undefined) sets.set(name, set);
  }
  return sets;
}

/** Undefined if the set has gone in the meantime. */
async function saveSet(name: string, only: ReadonlySet<string> | undefined): Promise<SavedSet | undefined> {
  try {
    return parseSaved(await runTool("ipset", ["save", name], "", { maxOutput: MAX_SAVED }), only).get(name);
  } catch (error) {
    if (error instanceof KernelError && error.detail.stderr?.includes("does not exist") === true) return undefined;
    throw error;
  }
}

/** Adds and removes flows, all or nothing, although ipset has no transactions: what was done is undone. */
import { KernelError } from "../../model/errors.js";
import { describeFlow } from "../../model/flow.js";
import type { Logger } from "../../model/log.js";
import type { FlowCounters } from "../../model/usage.js";
import type { FlowAddition } from "../plan.js";
import type { FlowId, FlowRule } from "../port.js";
import type { FlowIndex } from "./flow-index.js";
import {
  countersIn,
  flowFamily,
  installLines,
  looseKey,
  portLine,
  removeLines,
  type SetContents,
} from "./flow-lines.js";
import { restoreAnyway, type SetCommand, tryRestore } from "./ipset.js";
import type { Names } from "./names.js";

const objectOf = (rule: FlowRule): string => `flow ${rule.id} (${describeFlow(rule.key)})`;

/** Packets no longer meet these flows. */
export function unlinkCommands(names: Names, removes: readonly FlowRule[], index: FlowIndex): readonly SetCommand[] {
  return removes.map((rule) => ({
    line: removeLines(names, rule).matching,
    undo: installLines(names, rule, index.classOf(rule) ?? 0).matching,
    object: objectOf(rule),
  }));
}

/** What is left of them goes. @param finals their counters, to put them back with. */
export function forgetCommands(
  names: Names,
  removes: readonly FlowRule[],
  finals: ReadonlyMap<FlowId, FlowCounters>,
): readonly SetCommand[] {
  return removes.flatMap((rule) => {
    const back = installLines(names, rule, 0, finals.get(rule.id)).counting;
    return removeLines(names, rule).counting.map((line, at) => {
      const undo = back[at];
      return { line, object: objectOf(rule), ...(undo === undefined ? {} : { undo }) };
    });
  });
}

/** Counting before matching: no packet is met that is not counted. */
export function addCommands(
  names: Names,
  adds: readonly FlowAddition[],
  numbers: ReadonlyMap<FlowRule, number>,
  ports: ReadonlySet<number>,
): readonly SetCommand[] {
  const known = new Set(ports);
  return adds.flatMap(({ rule, counters }): readonly SetCommand[] => {
    const object = objectOf(rule);
    const come = installLines(names, rule, numbers.get(rule) ?? 0, counters);
    const go = removeLines(names, rule);
    const port = rule.key.source.port;
    const fresh = port !== undefined && !known.has(port);
    if (fresh) known.add(port);
    // An element of the port set says nothing about a flow, so it may stay.
    const portLines = fresh ? [{ line: portLine(names, port).replace(/^add /, "add -exist "), object }] : [];
    const lines = [...come.counting, come.matching];
    const undos = [...go.counting, go.matching];
    return [
      ...portLines,
      ...lines.map((line, at) => {
        const undo = undos[at];
        return { line, object, ...(undo === undefined ? {} : { undo }) };
      }),
    ];
  });
}

export interface TransactionParts {
  readonly names: Names;
  readonly index: FlowIndex;
  /** Elements of these keys in these sets, as they are now. */
  readonly read: (sets: readonly string[], keys: ReadonlySet<string>) => Promise<SetContents>;
  readonly log: Logger;
}

/**
 * Flows that go are first taken out of the set that packets are matched by, then read, then forgotten: nothing is counted
 * after the reading. A packet that another processor had already matched takes microseconds to be counted, and the
 * reading is by a process that starts afterwards.
 * @param numbers classes of the flows that come; their chains are there.
 * @throws KernelError naming the flow and the errno.
 */
export async function applyFlows(
  parts: TransactionParts,
  removes: readonly FlowRule[],
  adds: readonly FlowAddition[],
  numbers: ReadonlyMap<FlowRule, number>,
): Promise<ReadonlyMap<FlowId, FlowCounters>> {
  const { names, index, log } = parts;
  const done: SetCommand[] = [];
  const carryOut = async (commands: readonly SetCommand[]): Promise<void> => {
    const outcome = await tryRestore(commands);
    done.push(...commands.slice(0, outcome.done));
    if (outcome.error !== undefined) throw outcome.error;
  };
  try {
    await carryOut(unlinkCommands(names, removes, index));
    const finals = await readFinals(parts, removes);
    await carryOut([...forgetCommands(names, removes, finals), ...addCommands(names, adds, numbers, index.ports)]);
    return finals;
  } catch (error) {
    await undo(done, log);
    throw error;
  }
}

async function readFinals(
  { names, read, log }: TransactionParts,
  removes: readonly FlowRule[],
): Promise<ReadonlyMap<FlowId, FlowCounters>> {
  if (removes.length === 0) return new Map();
  const families = new Set(removes.map(flowFamily));
  const sets = [...families].flatMap((family) => [names.flowSet("in", family), names.flowSet("out", family)]);
  const finals = countersIn(names, await read(sets, new Set(removes.map(looseKey))));
  const lost = removes.filter((rule) => !finals.has(rule.id));
  if (lost.length > 0) log.warn("kernel.flows.noCounters", { flows: lost.map((rule) => rule.id) });
  return finals;
}

async function undo(done: readonly SetCommand[], log: Logger): Promise<void> {
  try {
    await restoreAnyway([...done].reverse().flatMap((command) => command.undo ?? []));
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    log.error("kernel.flows.undo", { commands: done.length, error });
  }
}

/** Adds and removes flows, all or nothing, however many they are. */
import type { Logger } from "../../model/log.js";
import type { FlowCounters } from "../../model/usage.js";
import type { EchoedElement, ElementChange, NfTables } from "../netlink/nf-tables.js";
import type { FlowAddition } from "../plan.js";
import type { FlowId, FlowRule } from "../port.js";
import { countersOf, createFlow, deleteFlow } from "./flow-elements.js";

interface Part {
  readonly changes: readonly ElementChange[];
  readonly removes: readonly FlowRule[];
  readonly adds: readonly FlowAddition[];
}

/** As many flows to a part as one transaction may hold; removals come first, so that keys are free. */
function partsOf(removes: readonly FlowRule[], adds: readonly FlowAddition[], limit: number): readonly Part[] {
  const perPart = Math.floor(limit / 2);
  const parts: Part[] = [];
  const total = removes.length + adds.length;
  for (let at = 0; at < total; at += perPart) {
    const gone = removes.slice(at, at + perPart);
    const begin = Math.max(0, at - removes.length);
    const come = adds.slice(begin, Math.max(0, at + perPart - removes.length));
    parts.push({
      removes: gone,
      adds: come,
      changes: [...gone.flatMap(deleteFlow), ...come.flatMap(({ rule, counters }) => createFlow(rule, counters))],
    });
  }
  return parts;
}

/**
 * One kernel transaction where the flows fit into one; else one after the other, undone in reverse if one is refused.
 * Gives the final counters of what was removed, as the kernel echoed them in the removing transaction.
 * @throws KernelError naming the flow and the errno.
 */
export async function applyFlows(
  elements: NfTables,
  removes: readonly FlowRule[],
  adds: readonly FlowAddition[],
  log: Logger,
): Promise<Map<FlowId, FlowCounters>> {
  const done: { readonly part: Part; readonly echoes: readonly EchoedElement[] }[] = [];
  try {
    for (const part of partsOf(removes, adds, elements.transactionLimit)) {
      done.push({ part, echoes: await elements.transact(part.changes) });
    }
  } catch (error) {
    for (const { part, echoes } of done.reverse()) await undo(elements, part, echoes, log);
    throw error;
  }
  const counters = countersOf(done.flatMap(({ echoes }) => echoes));
  const lost = removes.filter((rule) => !counters.has(rule.id));
  if (lost.length > 0) log.warn("kernel.flows.noCounters", { flows: lost.map((rule) => rule.id) });
  return counters;
}

/** Removed flows come back with the counters that they had. */
async function undo(elements: NfTables, part: Part, echoes: readonly EchoedElement[], log: Logger): Promise<void> {
  const counters = countersOf(echoes);
  try {
    await elements.transact([
      ...part.adds.flatMap(({ rule }) => deleteFlow(rule)),
      ...part.removes.flatMap((rule) => createFlow(rule, counters.get(rule.id))),
    ]);
  } catch (error) {
    log.error("kernel.flows.undo", { removes: part.removes.length, adds: part.adds.length, error });
  }
}

/** Adds and removes flows, all or nothing, however many they are. */
import type { Logger } from "../../model/log.js";
import type { FlowCounters } from "../../model/usage.js";
import type { ElementStore } from "../element-store.js";
import type { EchoedElement, ElementChange } from "../netlink/nf-tables.js";
import type { FlowAddition } from "../plan.js";
import type { FlowId, FlowRule } from "../port.js";
import { countersOf, createFlow, deleteFlow } from "./flow-elements.js";
import { ensurePorts, type PortUse } from "./port-use.js";

/** Elements of one flow and blocks of its port, at most. */
const MOST_CHANGES = 8;

interface Part {
  readonly removes: readonly FlowRule[];
  readonly adds: readonly FlowAddition[];
}

const rulesOf = (adds: readonly FlowAddition[]): readonly FlowRule[] => adds.map(({ rule }) => rule);

function elementChanges({ removes, adds }: Part): readonly ElementChange[] {
  return [...removes.flatMap(deleteFlow), ...adds.flatMap(({ rule, counters }) => createFlow(rule, counters))];
}

/** Removals first. */
export const flowChanges = (removes: readonly FlowRule[], adds: readonly FlowAddition[]): readonly ElementChange[] => [
  ...elementChanges({ removes, adds }),
  ...ensurePorts(rulesOf(adds)),
];

/** As many flows to a part as one transaction may hold; removals come first, so that keys are free. */
function partsOf(removes: readonly FlowRule[], adds: readonly FlowAddition[], limit: number): readonly Part[] {
  const total = removes.length + adds.length;
  // Exactly only where it matters: a call has few flows.
  const most =
    total * MOST_CHANGES <= limit ? 0 : elementChanges({ removes, adds }).length + ensurePorts(rulesOf(adds)).length;
  const perPart = most <= limit ? Math.max(1, total) : Math.max(1, Math.floor(limit / MOST_CHANGES));
  const parts: Part[] = [];
  for (let at = 0; at < total; at += perPart) {
    const begin = Math.max(0, at - removes.length);
    const end = Math.max(0, at + perPart - removes.length);
    parts.push({ removes: removes.slice(at, at + perPart), adds: adds.slice(begin, end) });
  }
  return parts;
}

/** What flows are written with. */
export interface FlowWriter {
  readonly elements: ElementStore;
  readonly ports: PortUse;
  readonly log: Logger;
}

async function transact({ elements, ports }: FlowWriter, part: Part): Promise<readonly EchoedElement[]> {
  const added = rulesOf(part.adds);
  const blocks = ports.begin(added);
  try {
    const echoes = await elements.transact([...elementChanges(part), ...blocks]);
    ports.end(true, added, part.removes);
    return echoes;
  } catch (error) {
    ports.end(false, added, part.removes);
    // Refused or not known to be: the next flows ensure their blocks in either case.
    ports.forget();
    throw error;
  }
}

/**
 * One kernel transaction where the flows fit into one; else one after the other, undone in reverse if one is refused.
 * Gives the final counters of what was removed, as the kernel echoed them in the removing transaction.
 * @throws KernelError naming the flow and the errno.
 */
export async function applyFlows(
  writer: FlowWriter,
  removes: readonly FlowRule[],
  adds: readonly FlowAddition[],
): Promise<Map<FlowId, FlowCounters>> {
  const { elements, log } = writer;
  const done: { readonly part: Part; readonly echoes: readonly EchoedElement[] }[] = [];
  try {
    for (const part of partsOf(removes, adds, elements.transactionLimit)) {
      done.push({ part, echoes: await transact(writer, part) });
    }
  } catch (error) {
    for (const { part, echoes } of done.reverse()) await undo(writer, part, echoes);
    throw error;
  }
  await removeIdlePorts(writer);
  const counters = countersOf(done.flatMap(({ echoes }) => echoes));
  const lost = removes.filter((rule) => !counters.has(rule.id));
  if (lost.length > 0) log.warn("kernel.flows.noCounters", { flows: lost.map((rule) => rule.id) });
  return counters;
}

/** Removed flows come back with the counters that they had. */
async function undo(writer: FlowWriter, part: Part, echoes: readonly EchoedElement[]): Promise<void> {
  const counters = countersOf(echoes);
  const adds = part.removes.map((rule): FlowAddition => {
    const last = counters.get(rule.id);
    return last === undefined ? { rule } : { rule, counters: last };
  });
  try {
    await transact(writer, { removes: rulesOf(part.adds), adds });
  } catch (error) {
    writer.log.error("kernel.flows.undo", { removes: part.removes.length, adds: part.adds.length, error });
  }
}

/** The flows are in the kernel already, and a block too many does no harm: a failure here is none of theirs. */
async function removeIdlePorts({ elements, ports, log }: FlowWriter): Promise<void> {
  const idle = ports.takeIdle().slice(0, elements.transactionLimit);
  if (idle.length === 0) return;
  try {
    await elements.transact(idle);
  } catch (error) {
    ports.forget();
    log.debug("kernel.ports.idle", { blocks: idle.length, error });
  }
}

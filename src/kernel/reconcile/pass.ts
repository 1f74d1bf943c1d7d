/** One comparison of the kernel with what is wanted, and the repair of the difference. */
import { setImmediate } from "node:timers/promises";
import type { FlowId, KernelPort, ObservedState } from "../port.js";
import { structureId } from "../structure-id.js";
import type { CounterMemory } from "./counter-memory.js";
import { describeError } from "./describe.js";
import type { Intent } from "./intent.js";
import { type RepairUnits, repairUnits } from "./repair-units.js";
import { isLost, type Transactions } from "./transactions.js";
import type { Turns } from "./turns.js";

export interface PassParts {
  readonly kernel: KernelPort;
  readonly intent: Intent;
  readonly memory: CounterMemory;
  readonly turns: Turns;
  readonly transactions: Transactions;
}

export type ReadingParts = Pick<PassParts, "kernel" | "intent" | "memory">;

/** What was not as wanted. */
export interface Difference {
  readonly structure: boolean;
  readonly pools: number;
  readonly tunnels: number;
  /** Gone, there though nobody wants them, there but otherwise. */
  readonly flows: { readonly missing: number; readonly unwanted: number; readonly otherwise: number };
  /** Some of these flows. */
  readonly examples: readonly FlowId[];
}

export interface PassResult {
  readonly difference: Difference;
  /** Objects that were not as wanted. */
  readonly differences: number;
  /** Text by object: what could not be repaired, and interfaces that are not there. */
  readonly troubles: ReadonlyMap<string, string>;
  /** Nothing failed; what was left alone is no failure. */
  readonly ok: boolean;
  /** Something was left alone, because a decision about everything is under way. */
  readonly left: boolean;
  /** The structure was made for an interface that the reading knew nothing of: another reading tells whether it is there. */
  readonly unseen: boolean;
}

/** After so many refused transactions in one pass the rest waits for the next. */
const MAX_REFUSED = 64;
const MAX_EXAMPLES = 10;
const NOTHING: RepairUnits = { going: [], coming: [] };

/**
 * Reads, and believes what was read. Decisions go on meanwhile: what they touch is left out. Where the connection to the
 * kernel is lost in it, it is taken `again` over a new one.
 * @throws KernelError
 */
export async function takeReading(parts: ReadingParts, again = true): Promise<ObservedState> {
  const { kernel, intent, memory } = parts;
  const reading = intent.begin();
  const moment = memory.moment();
  let observed: ObservedState;
  try {
    observed = await kernel.read();
  } catch (error) {
    intent.abandon(reading);
    if (again && isLost(error)) return takeReading(parts, false);
    throw error;
  }
  await intent.end(reading, observed, ({ rule, counters }) => {
    if (intent.flows.desired.has(rule.id)) memory.note(rule.id, counters, moment);
  });
  return observed;
}

export const structureDiffers = ({ desired }: Intent, { structure, structureId: madeFor }: ObservedState): boolean =>
  !structure || (madeFor !== undefined && madeFor !== structureId(desired));

/** Made for one pass. */
export class Pass {
  readonly #parts: PassParts;
  readonly #troubles = new Map<string, string>();
  #ok = true;
  #left = false;
  #refused = 0;

  constructor(parts: PassParts) {
    this.#parts = parts;
  }

  /**
   * @param mended - called when what was read is believed, and whatever could stand in the way of a decision is mended;
   *   flows that only have to come back may still be missing.
   * @throws KernelError if the kernel cannot be read.
   */
  async run(mended: () => void): Promise<PassResult> {
    const { intent } = this.#parts;
    const observed = await takeReading(this.#parts);
    for (const { name, present } of observed.interfaces) {
      if (!present) this.#troubles.set(`interface ${name}`, `the interface ${name} is not there`);
    }
    const structure = structureDiffers(intent, observed);
    // Of an interface that the structure was not made for nothing is known before the next reading.
    const known = new Set(observed.interfaces.map(({ name }) => name));
    const unseen = structure && intent.desired.interfaces.some(({ name }) => !known.has(name));
    const units = this.#isLeft() ? NOTHING : repairUnits(intent.flows);
    const difference = differenceOf(this.#parts, structure);
    if (structure) await this.#try("the structure", () => this.#makeStructure());
    await this.#carriers("set");
    await this.#repair(units.going);
    mended();
    await this.#repair(units.coming);
    await this.#carriers("all");
    return {
      difference,
      differences: sizeOf(difference),
      troubles: this.#troubles,
      ok: this.#ok,
      left: this.#left,
      unseen,
    };
  }

  async #makeStructure(): Promise<void> {
    const { kernel, intent } = this.#parts;
    await kernel.apply({ ...intent.desired, flows: new Map() }, [{ kind: "structure" }]);
  }

  /** Whoever has the turn for everything sees to pools and tunnels; whoever wants it waits for us. */
  async #carriers(carriers: "set" | "all"): Promise<void> {
    const { intent, turns, transactions } = this.#parts;
    if (intent.pools.pending + intent.tunnels.pending === 0 || this.#isLeft()) return;
    const turn = turns.take([]);
    try {
      await this.#try("pools and tunnels", () => transactions.carryOut({ flows: [], carriers }));
    } finally {
      turn.end();
    }
  }

  /** Who has the turn for everything sees only to its own flows. */
  #isLeft(): boolean {
    const { exclusive } = this.#parts.turns;
    this.#left ||= exclusive;
    return exclusive;
  }

  async #repair(chunks: RepairUnits["going"]): Promise<void> {
    for (const [at, chunk] of chunks.entries()) {
      if (this.#isLeft()) return;
      if (at > 0) await setImmediate();
      await this.#repairChunk(chunk);
    }
  }

  /** A flow that the kernel does not take must not keep the others out: what is refused is halved until it is alone. */
  async #repairChunk(chunk: readonly FlowId[]): Promise<void> {
    const { intent, turns, transactions } = this.#parts;
    const ids = chunk.filter((id) => !turns.isTaken(id) && intent.flows.isPending(id));
    if (ids.length === 0 || this.#refused >= MAX_REFUSED || this.#isLeft()) return;
    const turn = turns.take(ids);
    let failure: { readonly error: unknown } | undefined;
    try {
      await transactions.carryOut({ flows: ids, carriers: "used" });
    } catch (error) {
      failure = { error };
    } finally {
      turn.end();
    }
    if (failure === undefined) return;
    if (ids.length > 1 && !isLost(failure.error) && this.#refused < MAX_REFUSED) {
      this.#refused += 1;
      await this.#repairChunk(ids.slice(0, ids.length >> 1));
      await this.#repairChunk(ids.slice(ids.length >> 1));
      return;
    }
    // With the connection to the kernel the rest of the pass is lost, too: the next one reads and decides.
    this.#refused = isLost(failure.error) ? MAX_REFUSED : this.#refused + 1;
    const object = ids.length === 1 ? `flow ${ids[0]}` : `${ids.length} flows`;
    this.#fail(object, failure.error);
  }

  async #try(object: string, repair: () => Promise<unknown>): Promise<void> {
    try {
      await repair();
    } catch (error) {
      this.#fail(object, error);
    }
  }

  #fail(object: string, error: unknown): void {
    this.#ok = false;
    this.#troubles.set(object, `${object} cannot be repaired: ${describeError(error)}`);
  }
}

/** What a decision is about to change is none of it. */
function differenceOf({ intent, turns }: PassParts, structure: boolean): Difference {
  const { flows, pools, tunnels } = intent;
  const open = (id: FlowId): boolean => !turns.exclusive && !turns.isTaken(id);
  const wrong = [...flows.pendingDeletions.keys()].filter(open);
  const missing = [...flows.pendingUpdates.keys()].filter((id) => open(id) && !flows.pendingDeletions.has(id));
  const unwanted = wrong.filter((id) => !flows.pendingUpdates.has(id));
  return {
    structure,
    pools: turns.exclusive ? 0 : pools.pending,
    tunnels: turns.exclusive ? 0 : tunnels.pending,
    flows: { missing: missing.length, unwanted: unwanted.length, otherwise: wrong.length - unwanted.length },
    examples: [...wrong.slice(0, MAX_EXAMPLES), ...missing].slice(0, MAX_EXAMPLES),
  };
}

const sizeOf = ({ structure, pools, tunnels, flows }: Difference): number =>
  (structure ? 1 : 0) + pools + tunnels + flows.missing + flows.unwanted + flows.otherwise;

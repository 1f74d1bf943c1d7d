/**
 * Which blocks of destination ports have sessions: a packet to any other block is none, which one look into a bitmap
 * tells, before its addresses are looked up anywhere.
 *
 * A block too many costs its packets a lookup, a block too few takes sessions their class. So a block is ensured with
 * every flow unless it is known to be there, and given up only when the flows were counted from a reading of the kernel
 * that no change overlapped, and none is left.
 */
import type { ElementChange } from "../netlink/nf-tables.js";
import type { SetElement } from "../netlink/set-element.js";
import type { FlowRule } from "../port.js";
import { isTight } from "./policer.js";
import { PORT_SETS } from "./sets.js";

/** Ports of a block. The kernel walks a bitmap's elements whenever one is added, so there should be few. */
const BLOCK_PORTS = 16;
/** As the rules write it. */
export const BLOCK_MASK = 0x10000 - BLOCK_PORTS;
/** Idle blocks that are worth a transaction. */
const IDLE_LIMIT = 64;

interface Block {
  readonly set: string;
  readonly port: number;
}

function blocksOf(rule: FlowRule): readonly Block[] {
  const port = rule.key.destination.port & BLOCK_MASK;
  const sets: string[] = [PORT_SETS.all];
  if (isTight(rule)) sets.push(PORT_SETS.tight);
  if (rule.key.source.port === undefined) sets.push(PORT_SETS.any);
  if (rule.tunnel !== undefined) sets.push(PORT_SETS.steer);
  return sets.map((set) => ({ set, port }));
}

const nameOf = ({ set, port }: Block): string => `${set} ${port}`;

function changeOf(action: "ensure" | "delete", block: Block): ElementChange {
  const key = Buffer.alloc(2);
  key.writeUInt16BE(block.port);
  return { action, set: block.set, element: { key }, object: `ports ${block.port} to ${block.port + BLOCK_PORTS - 1}` };
}

/** Each of them once. */
function distinct(rules: Iterable<FlowRule>): ReadonlyMap<string, Block> {
  const blocks = new Map<string, Block>();
  for (const rule of rules) for (const block of blocksOf(rule)) blocks.set(nameOf(block), block);
  return blocks;
}

/** The changes that make all of their blocks present. */
export const ensurePorts = (rules: Iterable<FlowRule>): readonly ElementChange[] =>
  [...distinct(rules).values()].map((block) => changeOf("ensure", block));

/** The blocks that are there, by name of the set. */
export type PresentPorts = ReadonlyMap<string, readonly SetElement[]>;

const presentNames = (present: PresentPorts): ReadonlySet<string> =>
  new Set(
    [...present].flatMap(([set, elements]) =>
      elements.filter(({ key }) => key.length === 2).map(({ key }) => nameOf({ set, port: key.readUInt16BE() })),
    ),
  );

/** The changes that bring back the blocks that these flows miss. */
export function missingPorts(rules: Iterable<FlowRule>, present: PresentPorts): readonly ElementChange[] {
  const names = presentNames(present);
  return [...distinct(rules)].filter(([name]) => !names.has(name)).map(([, block]) => changeOf("ensure", block));
}

export class PortUse {
  /** Flows of each block: in the kernel, on their way in, or on their way out. */
  readonly #flows = new Map<string, number>();
  /** Blocks that the kernel has. */
  #known = new Map<string, Block>();
  #counted = false;
  #changes = 0;
  #underWay = 0;

  /** Gives what must go into the transaction that adds these flows. Every call is followed by one of `end`. */
  begin(adds: readonly FlowRule[]): readonly ElementChange[] {
    this.#changes++;
    this.#underWay++;
    this.#count(adds, 1);
    return [...distinct(adds)].filter(([name]) => !this.#known.has(name)).map(([, block]) => changeOf("ensure", block));
  }

  end(committed: boolean, adds: readonly FlowRule[], removes: readonly FlowRule[]): void {
    this.#underWay--;
    if (committed) for (const [name, block] of distinct(adds)) this.#known.set(name, block);
    this.#count(committed ? removes : adds, -1);
  }

  /** Takes up what a transaction of its own should remove; none while that is not worth it. */
  takeIdle(): readonly ElementChange[] {
    if (!this.#counted) return [];
    const idle = this.#known.size - this.#flows.size;
    if (idle < IDLE_LIMIT && (this.#flows.size > 0 || idle === 0)) return [];
    const gone = [...this.#known].filter(([name]) => !this.#flows.has(name));
    for (const [name] of gone) this.#known.delete(name);
    return gone.map(([, block]) => changeOf("delete", block));
  }

  /** Before the kernel is read; the result belongs to `take`. */
  mark(): number {
    return this.#underWay > 0 ? -1 : this.#changes;
  }

  /** Whether nothing was changed since the mark. */
  isQuiet(mark: number): boolean {
    return mark === this.#changes && this.#underWay === 0;
  }

  /** After it was read: counts anew, unless something was changed meanwhile. */
  take(mark: number, rules: Iterable<FlowRule>, present: PresentPorts): void {
    const names = presentNames(present);
    for (const name of [...this.#known.keys()]) if (!names.has(name)) this.#known.delete(name);
    if (!this.isQuiet(mark)) return;
    this.#flows.clear();
    this.#count(rules, 1);
    this.#known = new Map(
      [...present].flatMap(([set, elements]) =>
        elements
          .filter(({ key }) => key.length === 2)
          .map(({ key }): [string, Block] => {
            const block = { set, port: key.readUInt16BE() };
            return [nameOf(block), block];
          }),
      ),
    );
    this.#counted = true;
  }

  /** The table was made anew, or the outcome of a change is not known. */
  forget(): void {
    this.#known.clear();
    this.#counted = false;
    this.#changes++;
  }

  #count(rules: Iterable<FlowRule>, by: number): void {
    for (const rule of rules) {
      for (const block of blocksOf(rule)) {
        const name = nameOf(block);
        const flows = (this.#flows.get(name) ?? 0) + by;
        if (flows > 0) this.#flows.set(name, flows);
        else this.#flows.delete(name);
      }
    }
  }
}

/**
 * Classes of the kernel that several reservations share: each has the sum of their rates. A class is raised before a
 * reservation counts on it and lowered afterwards, so what is asked for here is worked out when its turn comes.
 */
import type { AggregateMatch } from "../../../kernel/port.js";
import type { BitsPerSecond } from "../../../model/units.js";
import type { ReservedClass } from "./reserved-pools.js";

/** Pools of the kernel by name. */
export interface TransitClasses {
  /** Makes the pool, or changes it in place. @throws KernelError, SystemError: nothing changed */
  reserve(wanted: ReservedClass): Promise<void>;
  /** @throws KernelError: then it goes with the next change */
  release(name: string): Promise<void>;
}

/** What one reservation takes of a class. */
export interface Share {
  /** Of the class. */
  readonly name: string;
  /** The outgoing interface. */
  readonly interface: string;
  /** Layer 2. */
  readonly rate: BitsPerSecond;
  readonly carries: readonly AggregateMatch[];
}

const keyOf = (match: AggregateMatch): string => JSON.stringify(match);

/** All shares of a class as one; undefined without any. */
export function sumOf(shares: readonly Share[]): ReservedClass | undefined {
  const [first] = shares;
  if (first === undefined) return undefined;
  const matches = new Map(shares.flatMap(({ carries }) => carries.map((match) => [keyOf(match), match] as const)));
  return {
    name: first.name,
    // Whole numbers: nothing drifts.
    rate: shares.reduce((sum, { rate }) => sum + rate, 0) as BitsPerSecond,
    only: first.interface,
    carries: [...matches.entries()].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, match]) => match),
  };
}

export class ClassSums {
  readonly #classes: TransitClasses;
  readonly #sharesOf: (name: string) => readonly Share[];
  /** By name: two settings of one class come one after the other. */
  readonly #turns = new Map<string, Promise<void>>();

  /** @param sharesOf those that there are now, of reservations that were answered and of those that wait. */
  constructor(classes: TransitClasses, sharesOf: (name: string) => readonly Share[]) {
    this.#classes = classes;
    this.#sharesOf = sharesOf;
  }

  /** Resolves when the kernel has what is wanted by then. @throws KernelError, SystemError: the class is as it was */
  settle(name: string): Promise<void> {
    const before = this.#turns.get(name) ?? Promise.resolve();
    const turn = before.then(() => this.#set(name));
    const ended = turn.then(
      () => undefined,
      () => undefined,
    );
    this.#turns.set(name, ended);
    void ended.then(() => {
      if (this.#turns.get(name) === ended) this.#turns.delete(name);
    });
    return turn;
  }

  #set(name: string): Promise<void> {
    const wanted = sumOf(this.#sharesOf(name));
    return wanted === undefined ? this.#classes.release(name) : this.#classes.reserve(wanted);
  }
}

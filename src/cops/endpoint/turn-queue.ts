/** Work on handles: for one handle strictly one after the other, different handles side by side. */

/** Told whether the handle is still the one that the work was queued for. Must not reject. */
export type TurnWork = (isCurrent: () => boolean) => Promise<void>;

interface Turn {
  tail: Promise<void>;
  depth: number;
  /** Counts up whenever the handle is deleted. */
  life: number;
}

export class TurnQueue {
  readonly #turns = new Map<string, Turn>();
  #size = 0;

  /** Work that has not ended, of all handles. */
  get size(): number {
    return this.#size;
  }

  /** Work that has not ended, of this handle. */
  depth(key: string): number {
    return this.#turns.get(key)?.depth ?? 0;
  }

  run(key: string, work: TurnWork): void {
    const turn = this.#turns.get(key) ?? { tail: Promise.resolve(), depth: 0, life: 0 };
    this.#turns.set(key, turn);
    const { life } = turn;
    turn.depth += 1;
    this.#size += 1;
    turn.tail = turn.tail
      .then(() => work(() => turn.life === life))
      .finally(() => {
        turn.depth -= 1;
        this.#size -= 1;
        if (turn.depth === 0) this.#turns.delete(key);
      });
  }

  /** The work that was queued so far finds out that it is no longer current. */
  outdate(key: string): void {
    const turn = this.#turns.get(key);
    if (turn !== undefined) turn.life += 1;
  }
}

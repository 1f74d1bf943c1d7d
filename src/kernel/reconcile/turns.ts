/** Who may change a flow now: changes to one flow are made one after the other, in the order in which they were asked for. */
import type { FlowId } from "../port.js";

export interface Turn {
  /** Resolves when all that was asked for earlier and touches the same is done. */
  readonly ready: Promise<unknown>;
  /** Must be called once, whatever happened. */
  end(): void;
}

/** A turn for some flows waits for those with a flow in common; a turn for everything waits for all, and all wait for it. */
export class Turns {
  /** The last turn asked for, by flow. */
  readonly #last = new Map<FlowId, Promise<void>>();
  readonly #open = new Set<Promise<void>>();
  #everything: Promise<void> | undefined;

  /** Whether a turn for everything is taken or waited for. */
  get exclusive(): boolean {
    return this.#everything !== undefined;
  }

  isTaken(id: FlowId): boolean {
    return this.#last.has(id);
  }

  /** Resolves when nobody has a turn or waits for one. */
  async idle(): Promise<void> {
    while (this.#open.size > 0) await Promise.all(this.#open);
  }

  take(ids: Iterable<FlowId>): Turn {
    const { promise, resolve } = deferred();
    const mine = [...ids];
    const before = new Set<Promise<void>>();
    if (this.#everything !== undefined) before.add(this.#everything);
    for (const id of mine) {
      const last = this.#last.get(id);
      if (last !== undefined) before.add(last);
      this.#last.set(id, promise);
    }
    this.#open.add(promise);
    const end = (): void => {
      this.#open.delete(promise);
      for (const id of mine) if (this.#last.get(id) === promise) this.#last.delete(id);
      resolve();
    };
    return { ready: Promise.all(before), end };
  }

  takeEverything(): Turn {
    const { promise, resolve } = deferred();
    const before = [...this.#open];
    this.#open.add(promise);
    this.#everything = promise;
    const end = (): void => {
      this.#open.delete(promise);
      if (this.#everything === promise) this.#everything = undefined;
      resolve();
    };
    return { ready: Promise.all(before), end };
  }
}

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

/** A heap of deadlines: setting one costs O(log n), and taking those that are due does not look at the others. */

interface Entry<Key> {
  readonly at: number;
  readonly key: Key;
}

/** One deadline for each key. Entries of earlier settings stay in the heap and are passed over. */
export class Deadlines<Key> {
  readonly #heap: Entry<Key>[] = [];
  readonly #current = new Map<Key, number>();

  /** The earliest deadline, or Infinity. */
  next(): number {
    this.#dropStale();
    return this.#heap[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  /** Infinity is no deadline. */
  set(key: Key, at: number): void {
    if (this.#current.get(key) === at) return;
    if (at === Number.POSITIVE_INFINITY) {
      this.#current.delete(key);
      return;
    }
    this.#current.set(key, at);
    this.#push({ at, key });
    if (this.#heap.length > 4 * this.#current.size + 64) this.#rebuild();
  }

  delete(key: Key): void {
    this.#current.delete(key);
  }

  /** Takes out one key that is due. */
  takeDue(now: number): Key | undefined {
    if (this.next() > now) return undefined;
    const top = this.#pop();
    if (top !== undefined) this.#current.delete(top.key);
    return top?.key;
  }

  #dropStale(): void {
    for (let top = this.#heap[0]; top !== undefined; top = this.#heap[0]) {
      if (this.#current.get(top.key) === top.at) return;
      this.#pop();
    }
  }

  /** Whoever makes deadlines change all the time shall not make the heap grow. */
  #rebuild(): void {
    this.#heap.length = 0;
    for (const [key, at] of this.#current) this.#push({ at, key });
  }

  #push(entry: Entry<Key>): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(entry);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || above.at <= entry.at) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = entry;
  }

  #pop(): Entry<Key> | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return top;
    let index = 0;
    for (;;) {
      const left = 2 * index + 1;
      const right = left + 1;
      const child = (heap[right]?.at ?? Number.POSITIVE_INFINITY) < (heap[left]?.at ?? 0) ? right : left;
      const below = heap[child];
      if (below === undefined || below.at >= last.at) break;
      heap[index] = below;
      index = child;
    }
    heap[index] = last;
    return top;
  }
}

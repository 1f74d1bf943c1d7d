/** Deadlines in the order in which they come up, as each entry waits equally long. Adding and taking cost O(1). */

interface Waiting<Item> {
  readonly due: number;
  readonly item: Item;
}

export class RetryQueue<Item> {
  #items: Waiting<Item>[] = [];
  #head = 0;

  add(due: number, item: Item): void {
    this.#items.push({ due, item });
  }

  /** The first one that `isCurrent`; the others before it are forgotten. */
  next(isCurrent: (item: Item, due: number) => boolean): number {
    for (let first = this.#items[this.#head]; first !== undefined; first = this.#items[this.#head]) {
      if (isCurrent(first.item, first.due)) return first.due;
      this.#drop();
    }
    return Number.POSITIVE_INFINITY;
  }

  takeDue(now: number, isCurrent: (item: Item, due: number) => boolean): Item | undefined {
    if (this.next(isCurrent) > now) return undefined;
    const item = this.#items[this.#head]?.item;
    this.#drop();
    return item;
  }

  #drop(): void {
    this.#head += 1;
    if (this.#head < 1024 && this.#head < this.#items.length) return;
    this.#items = this.#items.slice(this.#head);
    this.#head = 0;
  }
}

/** Two maps without a common key, seen as one. */
export class MergedMap<Key, Value> implements ReadonlyMap<Key, Value> {
  readonly #first: ReadonlyMap<Key, Value>;
  readonly #second: ReadonlyMap<Key, Value>;

  constructor(first: ReadonlyMap<Key, Value>, second: ReadonlyMap<Key, Value>) {
    this.#first = first;
    this.#second = second;
  }

  get size(): number {
    return this.#first.size + this.#second.size;
  }

  get(key: Key): Value | undefined {
    return this.#first.get(key) ?? this.#second.get(key);
  }

  has(key: Key): boolean {
    return this.#first.has(key) || this.#second.has(key);
  }

  forEach(visit: (value: Value, key: Key, map: ReadonlyMap<Key, Value>) => void): void {
    for (const [key, value] of this.entries()) visit(value, key, this);
  }

  *entries(): Generator<[Key, Value], undefined, unknown> {
    yield* this.#first.entries();
    yield* this.#second.entries();
  }

  *keys(): Generator<Key, undefined, unknown> {
    yield* this.#first.keys();
    yield* this.#second.keys();
  }

  *values(): Generator<Value, undefined, unknown> {
    yield* this.#first.values();
    yield* this.#second.values();
  }

  [Symbol.iterator](): Generator<[Key, Value], undefined, unknown> {
    return this.entries();
  }
}

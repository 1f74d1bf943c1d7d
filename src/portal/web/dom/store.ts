/** A value and those who want to know when it changes. */

export type Unsubscribe = () => void;

export interface Readable<Value> {
  readonly value: Value;
  /** Called at every change, and once now. */
  subscribe(listener: (value: Value) => void): Unsubscribe;
}

export class Store<Value> implements Readable<Value> {
  #value: Value;
  readonly #listeners = new Set<(value: Value) => void>();

  constructor(value: Value) {
    this.#value = value;
  }

  get value(): Value {
    return this.#value;
  }

  set(value: Value): void {
    this.#value = value;
    for (const listener of [...this.#listeners]) listener(value);
  }

  update(change: (value: Value) => Value): void {
    this.set(change(this.#value));
  }

  subscribe(listener: (value: Value) => void): Unsubscribe {
    this.#listeners.add(listener);
    listener(this.#value);
    return () => this.#listeners.delete(listener);
  }
}

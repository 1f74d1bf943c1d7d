/** What goes on being wrong, and since when: for health. */
import type { Timestamp } from "../../model/units.js";

/** More are counted, not told one by one. */
const MAX_TOLD = 8;

interface Trouble {
  readonly since: Timestamp;
  readonly text: string;
}

export class Troubles {
  #now: ReadonlyMap<string, Trouble> = new Map();

  /** @param found - all that is wrong now, by what it is about; what is not named has ended. */
  set(found: ReadonlyMap<string, string>, now: Timestamp): void {
    this.#now = new Map([...found].map(([key, text]) => [key, { since: this.#now.get(key)?.since ?? now, text }]));
  }

  /** One more; the others go on. */
  add(key: string, text: string, now: Timestamp): void {
    this.#now = new Map([...this.#now, [key, { since: this.#now.get(key)?.since ?? now, text }]]);
  }

  /** One sentence each. */
  list(): readonly string[] {
    const all = [...this.#now.values()];
    const told = all.slice(0, MAX_TOLD).map(({ text, since }) => `${text}, since ${new Date(since).toISOString()}`);
    return all.length > MAX_TOLD
      ? [...told, `${all.length - MAX_TOLD} more things in the kernel are not as wanted`]
      : told;
  }
}

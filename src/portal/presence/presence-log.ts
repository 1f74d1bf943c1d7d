/**
 * Who is on-line, in the order of the last change, so that each reader is told from where it has come to: one that comes, of
 * everybody; one that reads slowly, of what is so now and not of what was meanwhile.
 */
import { type Millis, seconds, type Timestamp } from "../../model/units.js";
import type { PresenceEntry } from "../api/shapes.js";
import { type Frame, frameOfJson } from "../http/event-streams.js";

interface Item {
  readonly at: number;
  readonly aor: string;
  readonly json: string;
  readonly octets: number;
  /** When the user went; undefined of one who is on-line. */
  readonly gone: Timestamp | undefined;
  /** Another item says how it is now. */
  isPast: boolean;
}

/** Where a reader has come to. */
export interface LogPlace {
  /** Where it began: who had gone by then is nothing to tell. */
  readonly begin: number;
  readonly at: number;
}

export interface LogPart {
  readonly frame: Frame;
  readonly place: LogPlace;
}

/** Octets of a frame, but for what is said of one user. */
const PART_MAX = 60 * 1024;
/** Readers that are slower than this begin anew. */
const GONE_FOR: Millis = seconds(300);
/** Who has gone, of a network in which users come and go without end. */
const GONE_MAX = 50_000;

export class PresenceLog {
  /** In the order of `at`. */
  #items: Item[] = [];
  readonly #now = new Map<string, Item>();
  /** Those who have gone and are still told of, the first first. */
  readonly #gone = new Set<Item>();
  #past = 0;
  #last = 0;
  /** Up to here, who has gone is not told of any more. */
  #forgotten = 0;
  /** What most readers are told, since they have come to the same place. */
  #made: (LogPart & { readonly from: number; readonly last: number }) | undefined;

  /** Where a reader begins who knows nothing. */
  begin(): LogPlace {
    return { begin: this.#last, at: 0 };
  }

  /** Is another as soon as there is something to tell. */
  get last(): number {
    return this.#last;
  }

  put(entry: PresenceEntry): void {
    const { aor, state, since } = entry;
    const before = this.#now.get(aor);
    if (before !== undefined) this.#pass(before);
    const json = JSON.stringify(entry);
    this.#last += 1;
    const gone = state === "offline" ? since : undefined;
    const item: Item = { at: this.#last, aor, json, octets: Buffer.byteLength(json), gone, isPast: false };
    this.#items.push(item);
    this.#now.set(aor, item);
    if (gone !== undefined) this.#gone.add(item);
    if (this.#past > this.#items.length / 2) this.#shrink();
  }

  /** Forgets those who have been gone for long, and the first of too many. */
  prune(now: Timestamp): void {
    for (const item of this.#gone) {
      if (now - (item.gone ?? now) < GONE_FOR && this.#gone.size <= GONE_MAX) return;
      this.#pass(item);
      this.#now.delete(item.aor);
      this.#forgotten = Math.max(this.#forgotten, item.at);
    }
  }

  /** Whether the reader has missed somebody's going. */
  isLost({ begin, at }: LogPlace): boolean {
    return Math.max(begin, at) < this.#forgotten;
  }

  /** What comes after `place`: undefined if there is nothing. */
  next(place: LogPlace): LogPart | undefined {
    const { begin, at: from } = place;
    if (from >= this.#last) return undefined;
    const made = this.#made;
    if (from >= begin && made?.from === from && made.last === this.#last) return made;
    const parts: string[] = [];
    let [octets, at] = [0, from];
    for (let index = this.#indexAfter(from); index < this.#items.length && octets < PART_MAX; index += 1) {
      const item = this.#items[index];
      if (item === undefined) break;
      at = item.at;
      if (item.isPast || (item.gone !== undefined && item.at <= begin)) continue;
      parts.push(item.json);
      octets += item.octets + 1;
    }
    if (parts.length === 0) return undefined;
    const part: LogPart = { frame: frameOfJson("presence", `[${parts.join(",")}]`), place: { begin, at } };
    if (from >= begin) this.#made = { ...part, from, last: this.#last };
    return part;
  }

  /** By halves: items are in order, but some are missing. */
  #indexAfter(at: number): number {
    let [low, high] = [0, this.#items.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#items[middle]?.at ?? 0) <= at) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #pass(item: Item): void {
    item.isPast = true;
    this.#past += 1;
    this.#gone.delete(item);
  }

  #shrink(): void {
    this.#items = this.#items.filter(({ isPast }) => !isPast);
    this.#past = 0;
  }
}

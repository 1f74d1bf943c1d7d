/**
 * Which ports have flows or servers, one bit each: to any other port a packet is none of a session's, which the program sees
 * by one look, before any address is looked up. A bit too many costs its packets a lookup, one too few takes sessions
 * their class; so a bit is set before the flow and cleared after it.
 */
import { indexKey, LITTLE } from "./host-octets.js";

export const PORT_ENTRIES = 1024;
export const PORT_ENTRY_LENGTH = 32;
const PORTS = 0x10000;
const PORTS_PER_ENTRY = 64;

/** `exact` and `any`: destination ports of flows by their source port; `signalling`: ports of servers. */
export type PortKind = "exact" | "any" | "signalling";
const WORD: Readonly<Record<PortKind, number>> = { exact: 0, any: 8, signalling: 16 };
const KINDS = ["exact", "any", "signalling"] as const;

/** The map that the words are in. */
export interface PortStore {
  get(key: Uint8Array): Uint8Array | undefined;
  set(key: Uint8Array, value: Uint8Array): void;
}

/** How many flows or servers have each port. */
export class PortCounts {
  readonly #counts: Readonly<Record<PortKind, Uint32Array>> = {
    exact: new Uint32Array(PORTS),
    any: new Uint32Array(PORTS),
    signalling: new Uint32Array(PORTS),
  };

  of(kind: PortKind, port: number): number {
    return this.#counts[kind][port] ?? 0;
  }

  /** Gives the new count. */
  add(kind: PortKind, port: number, by: 1 | -1): number {
    const count = Math.max(0, this.of(kind, port) + by);
    this.#counts[kind][port] = count;
    return count;
  }

  /** An entry as it should be. */
  entry(index: number): Uint8Array {
    const octets = new Uint8Array(PORT_ENTRY_LENGTH);
    for (const kind of KINDS) {
      for (let bit = 0; bit < PORTS_PER_ENTRY; bit += 1) {
        if (this.of(kind, index * PORTS_PER_ENTRY + bit) > 0) setBit(octets, kind, bit);
      }
    }
    return octets;
  }
}

/** Words are in the machine's order: octet 0 of one has its lowest bits, or its highest. */
function setBit(octets: Uint8Array, kind: PortKind, bit: number): void {
  const at = WORD[kind] + (LITTLE ? bit >> 3 : 7 - (bit >> 3));
  octets[at] = (octets[at] ?? 0) | (1 << (bit & 7));
}

const sameOctets = (left: Uint8Array, right: Uint8Array): boolean => Buffer.compare(left, right) === 0;

/** Whether each bit of `needed` is among those of `present`. */
const holds = (present: Uint8Array, needed: Uint8Array): boolean =>
  needed.every((octet, at) => ((present[at] ?? 0) & octet) === octet);

export class PortWords {
  readonly #store: PortStore;
  #counts: PortCounts;

  /** @param counts of what the maps hold now. */
  constructor(store: PortStore, counts: PortCounts) {
    this.#store = store;
    this.#counts = counts;
  }

  /** Before the flow is set. @throws KernelError */
  acquire(kind: PortKind, port: number): void {
    if (this.#counts.add(kind, port, 1) > 1) return;
    try {
      this.#write(Math.floor(port / PORTS_PER_ENTRY));
    } catch (error) {
      this.#counts.add(kind, port, -1);
      throw error;
    }
  }

  /** After the flow is gone. @throws KernelError; a bit that stays does no harm. */
  release(kind: PortKind, port: number): void {
    if (this.#counts.add(kind, port, -1) === 0) this.#write(Math.floor(port / PORTS_PER_ENTRY));
  }

  /** From a reading of the maps that no change overlapped. */
  recount(counts: PortCounts): void {
    this.#counts = counts;
  }

  /** Whether every port that is needed has its bit. */
  isWhole(): boolean {
    for (let index = 0; index < PORT_ENTRIES; index += 1) {
      const present = this.#store.get(indexKey(index));
      if (present === undefined || !holds(present, this.#counts.entry(index))) return false;
    }
    return true;
  }

  /** Writes what is not as it should be. @throws KernelError */
  mend(): void {
    for (let index = 0; index < PORT_ENTRIES; index += 1) {
      const present = this.#store.get(indexKey(index));
      if (present === undefined || !sameOctets(present, this.#counts.entry(index))) this.#write(index);
    }
  }

  #write(index: number): void {
    this.#store.set(indexKey(index), this.#counts.entry(index));
  }
}

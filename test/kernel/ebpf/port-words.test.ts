import { endianness } from "node:os";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PortCounts, type PortKind, type PortStore, PortWords } from "../../../src/kernel/ebpf/port-words.js";

const OFFSET = { exact: 0, any: 8, signalling: 16 } as const;
const LITTLE = endianness() === "LE";

/** An array of the kernel: every entry is there. */
class Entries implements PortStore {
  readonly octets = new Uint8Array(1024 * 32);
  writes = 0;
  fails = false;

  get(key: Uint8Array): Uint8Array {
    return this.octets.slice(this.#at(key), this.#at(key) + 32);
  }

  set(key: Uint8Array, value: Uint8Array): void {
    if (this.fails) throw new Error("refused");
    this.writes += 1;
    this.octets.set(value, this.#at(key));
  }

  /** As the program looks. */
  has(kind: PortKind, port: number): boolean {
    const view = new DataView(this.octets.buffer);
    return ((view.getBigUint64((port >> 6) * 32 + OFFSET[kind], LITTLE) >> BigInt(port & 63)) & 1n) === 1n;
  }

  #at(key: Uint8Array): number {
    return new DataView(key.buffer, key.byteOffset).getUint32(0, LITTLE) * 32;
  }
}

const kinds = fc.constantFrom<PortKind>("exact", "any", "signalling");
/** Few of them, so that they meet. */
const ports = fc.constantFrom(1, 62, 63, 64, 5060, 20_000, 20_031, 20_032, 65_535);

describe("port words", () => {
  it("have exactly the bits of a plain set, whatever comes and goes", () => {
    const steps = fc.array(fc.tuple(kinds, ports, fc.boolean()), { maxLength: 60 });
    fc.assert(
      fc.property(steps, (taken) => {
        const store = new Entries();
        const words = new PortWords(store, new PortCounts());
        const plain = new Map<string, number>();
        for (const [kind, port, comes] of taken) {
          const name = `${kind} ${port}`;
          const count = plain.get(name) ?? 0;
          if (comes) words.acquire(kind, port);
          else if (count > 0) words.release(kind, port);
          plain.set(name, Math.max(0, count + (comes ? 1 : -1)));
        }
        for (const kind of ["exact", "any", "signalling"] as const) {
          for (const port of [1, 2, 62, 63, 64, 5060, 20_000, 20_031, 20_032, 65_535]) {
            expect(store.has(kind, port)).toBe((plain.get(`${kind} ${port}`) ?? 0) > 0);
          }
        }
        expect(words.isWhole()).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  it("are written only when a port gets its first flow or loses its last", () => {
    const store = new Entries();
    const words = new PortWords(store, new PortCounts());
    words.acquire("exact", 20_000);
    words.acquire("exact", 20_000);
    words.release("exact", 20_000);
    expect(store.writes).toBe(1);
    words.release("exact", 20_000);
    expect(store.writes).toBe(2);
  });

  it("tell what is missing and mend it, and clear what nobody has", () => {
    const store = new Entries();
    const words = new PortWords(store, new PortCounts());
    words.acquire("any", 700);
    words.acquire("signalling", 5060);
    store.octets.fill(0, 0, 32 * 12);
    expect(words.isWhole()).toBe(false);
    words.mend();
    expect(words.isWhole()).toBe(true);
    store.octets.fill(0xff, 32, 64);
    // Bits too many do no harm.
    expect(words.isWhole()).toBe(true);
    words.mend();
    expect([store.has("exact", 64), store.has("any", 700), store.has("signalling", 5060)]).toEqual([false, true, true]);
  });

  it("count a port again that could not be written", () => {
    const store = new Entries();
    const words = new PortWords(store, new PortCounts());
    store.fails = true;
    expect(() => words.acquire("exact", 9)).toThrow("refused");
    store.fails = false;
    words.acquire("exact", 9);
    expect(store.has("exact", 9)).toBe(true);
  });
});

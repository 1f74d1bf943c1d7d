/** Maps in the kernel: octets in, octets out. What they mean is said elsewhere. */
import { closeSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import { InternalError, KernelError } from "../../model/errors.js";
import { Attributes, bpf, bpfError, COMMAND, errnoName, tryBpf } from "./bpf-call.js";
import { nameIn, objectInfo } from "./object-info.js";

export interface MapShape {
  /** At most 15 octets. */
  readonly name: string;
  readonly type: "hash" | "array";
  /** Octets; 4 for an array, whose keys are indices. */
  readonly keyLength: number;
  /** Octets. */
  readonly valueLength: number;
  readonly maxEntries: number;
}

/** `new`: EEXIST where the key is there; `existing`: ENOENT where it is not. */
export type SetMode = "any" | "new" | "existing";

/** Entries that a batch found, packed one after the other. */
export interface MapBatch {
  readonly count: number;
  readonly keys: Uint8Array;
  readonly values: Uint8Array;
}

/** linux/bpf.h, enum bpf_map_type. */
const TYPE_NUMBERS = { hash: 1, array: 2 } as const;
const MODE_FLAGS: Readonly<Record<SetMode, bigint>> = { any: 0n, new: 1n, existing: 2n };
/** BPF_F_NO_PREALLOC: memory for entries that are there alone. */
const NO_PREALLOCATION = 1;
const BATCH = 4096;
const INFO_LENGTH = 40;

/** Octets of `struct bpf_map_info`. */
const INFO = { type: 0, id: 4, keyLength: 8, valueLength: 12, maxEntries: 16, name: 24 } as const;

export class BpfMap {
  readonly id: number;
  readonly shape: MapShape;
  readonly #fd: number;
  readonly #key: Buffer;
  readonly #value: Buffer;
  /** Made once: it takes half of the time of a call. */
  readonly #element = new Attributes(32);
  /** Of the key alone: the kernel refuses what it does not read. */
  readonly #deletion = new Attributes(16);
  #isClosed = false;

  private constructor(fd: number) {
    const info = objectInfo(fd, INFO_LENGTH, "map");
    this.#fd = fd;
    this.id = info.readUInt32LE(INFO.id);
    const type = info.readUInt32LE(INFO.type);
    const name = nameIn(info, INFO.name);
    if (type !== TYPE_NUMBERS.hash && type !== TYPE_NUMBERS.array) {
      const detail = { operation: `open the map ${name}` };
      throw new KernelError("KERNEL_UNSUPPORTED", `the map ${name} is of the unknown type ${type}`, detail, {
        remedy: "use a name that no other program uses for its maps",
      });
    }
    this.shape = {
      name,
      type: type === TYPE_NUMBERS.hash ? "hash" : "array",
      keyLength: info.readUInt32LE(INFO.keyLength),
      valueLength: info.readUInt32LE(INFO.valueLength),
      maxEntries: info.readUInt32LE(INFO.maxEntries),
    };
    this.#key = Buffer.alloc(this.shape.keyLength);
    this.#value = Buffer.alloc(this.shape.valueLength);
    this.#element.setPointer(8, this.#key).setPointer(16, this.#value);
    this.#deletion.setPointer(8, this.#key);
  }

  /** @throws KernelError KERNEL_UNSUPPORTED, KERNEL_PERMISSION, KERNEL_REFUSED with the errno. */
  static create({ name, type, keyLength, valueLength, maxEntries }: MapShape): BpfMap {
    const attributes = new Attributes(48)
      .setU32(0, TYPE_NUMBERS[type])
      .setU32(4, keyLength)
      .setU32(8, valueLength)
      .setU32(12, maxEntries)
      .setU32(16, type === "hash" ? NO_PREALLOCATION : 0)
      .setName(28, name);
    return BpfMap.#of(bpf(COMMAND.mapCreate, attributes, `make the map ${name}`));
  }

  /** The map of that number, and its shape as the kernel has it. @throws KernelError as `create`; ENOENT for none. */
  static byId(id: number): BpfMap {
    return BpfMap.#of(bpf(COMMAND.mapById, new Attributes(16).setU32(0, id), `open the map ${id}`));
  }

  static #of(fd: number): BpfMap {
    try {
      return new BpfMap(fd);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /** For the kernel, until `close`. */
  get fd(): number {
    if (this.#isClosed) throw new InternalError("INTERNAL_BPF_MAP", `the map ${this.shape.name} is closed`);
    return this.#fd;
  }

  /** A copy of the value. @throws KernelError KERNEL_REFUSED with the errno. */
  get(key: Uint8Array): Uint8Array | undefined {
    return this.#found(COMMAND.mapLookup, key, "look up in");
  }

  /** Its final value, which no packet changes any more. @throws KernelError KERNEL_REFUSED with the errno. */
  take(key: Uint8Array): Uint8Array | undefined {
    return this.#found(COMMAND.mapTake, key, "take from");
  }

  /** Packets meet the old value or the new one. @throws KernelError KERNEL_REFUSED: ENOENT, EEXIST, E2BIG when full, ENOMEM. */
  set(key: Uint8Array, value: Uint8Array, mode: SetMode = "any"): void {
    if (value.length !== this.#value.length) throw this.#wrongLength("value", value, this.#value);
    this.#value.set(value);
    this.#element.setU64(24, MODE_FLAGS[mode]);
    const result = this.#do(COMMAND.mapUpdate, key);
    if (result < 0) throw bpfError(result, `set in the map ${this.shape.name}`);
  }

  /** Whether it was there. @throws KernelError KERNEL_REFUSED with the errno. */
  delete(key: Uint8Array): boolean {
    const result = this.#do(COMMAND.mapDelete, key, this.#deletion);
    if (result < 0 && errnoName(-result) !== "ENOENT") throw bpfError(result, `delete from the map ${this.shape.name}`);
    return result >= 0;
  }

  /**
   * Every entry that is there all the while, once; the event loop has a turn between batches.
   * @param size entries of a batch; more where one bucket of the hash has more.
   * @throws KernelError KERNEL_REFUSED with the errno.
   */
  async *batches(size: number = BATCH): AsyncGenerator<MapBatch> {
    let room = Math.min(size, this.shape.maxEntries);
    let place: Buffer | undefined;
    for (;;) {
      const { result, next, ...batch } = this.#batch(room, place);
      const errno = result < 0 ? errnoName(-result) : "";
      if (errno === "ENOSPC" && room < this.shape.maxEntries) {
        room *= 2;
        continue;
      }
      // ENOENT: these were the last.
      if (errno !== "" && errno !== "ENOENT") throw bpfError(result, `read the map ${this.shape.name}`);
      if (batch.count > 0) yield batch;
      if (errno === "ENOENT") return;
      place = next;
      await nextTurn();
    }
  }

  #batch(room: number, place: Buffer | undefined): MapBatch & { readonly result: number; readonly next: Buffer } {
    const { keyLength, valueLength } = this.shape;
    const [keys, values] = [Buffer.allocUnsafe(room * keyLength), Buffer.allocUnsafe(room * valueLength)];
    const next = Buffer.alloc(Math.max(8, keyLength));
    const attributes = new Attributes(56)
      .setPointer(8, next)
      .setPointer(16, keys)
      .setPointer(24, values)
      .setU32(32, room)
      .setU32(36, this.fd);
    if (place !== undefined) attributes.setPointer(0, place);
    const result = tryBpf(COMMAND.mapLookupBatch, attributes);
    const count = result < 0 && errnoName(-result) !== "ENOENT" ? 0 : attributes.u32(32);
    return {
      result,
      next,
      count,
      keys: keys.subarray(0, count * keyLength),
      values: values.subarray(0, count * valueLength),
    };
  }

  #found(command: number, key: Uint8Array, action: string): Uint8Array | undefined {
    this.#element.setU64(24, 0n);
    const result = this.#do(command, key);
    if (result >= 0) return new Uint8Array(this.#value);
    if (errnoName(-result) === "ENOENT") return undefined;
    throw bpfError(result, `${action} the map ${this.shape.name}`);
  }

  #do(command: number, key: Uint8Array, attributes: Attributes = this.#element): number {
    if (key.length !== this.#key.length) throw this.#wrongLength("key", key, this.#key);
    this.#key.set(key);
    // A number that is closed may be another object's by now.
    attributes.setU32(0, this.fd);
    return tryBpf(command, attributes);
  }

  #wrongLength(part: string, got: Uint8Array, own: Uint8Array): InternalError {
    const { name } = this.shape;
    return new InternalError("INTERNAL_BPF_MAP", `a ${part} of ${got.length} octets for ${own.length} in ${name}`);
  }

  /** The map goes on for as long as a program or another descriptor holds it. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    closeSync(this.#fd);
  }
}

/**
 * Reading and writing netlink's octets. Headers are in host order, what nf_tables nests is in network order;
 * every length is checked, for a kernel may be newer than this code.
 */
import { endianness } from "node:os";
import { DecodeError } from "../../model/errors.js";

const LITTLE = endianness() === "LE";
const NESTED = 0x8000;
const TYPE_MASK = 0x3fff;
export const ATTRIBUTE_HEADER = 4;
const TWO_TO_32 = 0x1_0000_0000;

export const hostU16 = (octets: Buffer, at: number): number =>
  LITTLE ? (octets[at] ?? 0) | ((octets[at + 1] ?? 0) << 8) : octets.readUInt16BE(at);
export const hostU32 = (octets: Buffer, at: number): number =>
  LITTLE ? octets.readUInt32LE(at) : octets.readUInt32BE(at);
export const hostI32 = (octets: Buffer, at: number): number => hostU32(octets, at) | 0;
export const hostU64 = (octets: Buffer, at: number): number =>
  Number(LITTLE ? octets.readBigUInt64LE(at) : octets.readBigUInt64BE(at));

/** A u32 in host order, as nf_tables keeps marks and class ids. */
export function hostU32Octets(value: number): Buffer {
  const octets = Buffer.alloc(4);
  if (LITTLE) octets.writeUInt32LE(value);
  else octets.writeUInt32BE(value);
  return octets;
}

export const align4 = (length: number): number => (length + 3) & ~3;

/** Larger values are copied by the engine: calling it costs as much as so many octets. */
const COPIED_AT_ONCE = 128;

/** Names of tables, sets and statements: there are few, and each is written thousands of times a second. */
const MAX_WORDS = 256;
const words = new Map<string, Uint8Array>();

/** With its terminating NUL. */
function wordOctets(value: string): Uint8Array {
  const known = words.get(value);
  if (known !== undefined) return known;
  if (words.size >= MAX_WORDS) words.clear();
  const octets = Buffer.from(`${value}\0`);
  words.set(value, octets);
  return octets;
}

/** A buffer for each message would cost more than writing it: they are cut from one, whose rest is zero. */
const SLAB = 256 * 1024;
let slab = Buffer.alloc(0);
let slabUsed = 0;

/** Grows as needed; attributes are padded to four octets. */
export class OctetWriter {
  #octets: Buffer;
  #length = 0;

  constructor(size = 2048) {
    if (slabUsed + size > slab.length) {
      slab = Buffer.alloc(Math.max(SLAB, size));
      slabUsed = 0;
    }
    this.#octets = slab.subarray(slabUsed, slabUsed + size);
    slabUsed += size;
  }

  get length(): number {
    return this.#length;
  }

  /** Room for `size` zero octets; gives the offset of the first. */
  reserve(size: number): number {
    const at = this.#length;
    const end = at + align4(size);
    if (end > this.#octets.length) {
      const grown = Buffer.alloc(Math.max(end, this.#octets.length * 2));
      this.#octets.copy(grown, 0, 0, at);
      this.#octets = grown;
    }
    this.#length = end;
    return at;
  }

  u8At(at: number, value: number): void {
    this.#octets[at] = value;
  }

  // Octet by octet: Buffer's own writers check what is known here, and take several times as long.
  u16At(at: number, value: number): void {
    this.#octets[LITTLE ? at : at + 1] = value;
    this.#octets[LITTLE ? at + 1 : at] = value >>> 8;
  }

  u32At(at: number, value: number): void {
    this.u16At(LITTLE ? at : at + 2, value & 0xffff);
    this.u16At(LITTLE ? at + 2 : at, value >>> 16);
  }

  u16beAt(at: number, value: number): void {
    this.#octets[at] = value >>> 8;
    this.#octets[at + 1] = value;
  }

  #u32beAt(at: number, value: number): void {
    this.u16beAt(at, value >>> 16);
    this.u16beAt(at + 2, value & 0xffff);
  }

  /** An attribute; gives the offset of its value. */
  attribute(type: number, size: number): number {
    const at = this.reserve(ATTRIBUTE_HEADER + size);
    this.u16At(at, ATTRIBUTE_HEADER + size);
    this.u16At(at + 2, type);
    return at + ATTRIBUTE_HEADER;
  }

  octets(type: number, value: Uint8Array): void {
    const at = this.attribute(type, value.length);
    const { length } = value;
    if (length > COPIED_AT_ONCE) this.#octets.set(value, at);
    else for (let index = 0; index < length; index++) this.#octets[at + index] = value[index] ?? 0;
  }

  /** A string with its terminating NUL. */
  text(type: number, value: string): void {
    this.octets(type, wordOctets(value));
  }

  u32be(type: number, value: number): void {
    this.#u32beAt(this.attribute(type, 4), value);
  }

  u64be(type: number, value: number): void {
    const at = this.attribute(type, 8);
    // No BigInt: what is counted fits into 53 bits, and this runs for each counter of each element.
    this.#u32beAt(at, Math.floor(value / TWO_TO_32));
    this.#u32beAt(at + 4, value % TWO_TO_32);
  }

  nested(type: number, content: () => void): void {
    const at = this.reserve(ATTRIBUTE_HEADER);
    this.u16At(at + 2, type | NESTED);
    content();
    this.u16At(at, this.#length - at);
  }

  /** Once, at the end. */
  finish(): Buffer {
    const octets = this.#octets;
    const unused = octets.length - this.#length;
    const isLast = octets.buffer === slab.buffer && octets.byteOffset + octets.length === slab.byteOffset + slabUsed;
    if (isLast) slabUsed -= unused;
    return octets.subarray(0, this.#length);
  }
}

export interface Attribute {
  readonly type: number;
  readonly value: Buffer;
}

/** @throws DecodeError if a length does not fit. */
export function readAttributes(octets: Buffer, object: string): readonly Attribute[] {
  const attributes: Attribute[] = [];
  for (let at = 0; octets.length - at >= ATTRIBUTE_HEADER; at = nextAttribute(octets, at)) {
    const end = attributeEnd(octets, at, octets.length, object);
    attributes.push({ type: attributeType(octets, at), value: octets.subarray(at + ATTRIBUTE_HEADER, end) });
  }
  return attributes;
}

/** Where the value of the attribute at `at` ends. @throws DecodeError if that is not before `limit`. */
export function attributeEnd(octets: Buffer, at: number, limit: number, object: string): number {
  const length = hostU16(octets, at);
  if (length >= ATTRIBUTE_HEADER && at + length <= limit) return at + length;
  const detail = { offset: at, object, need: length, have: limit - at };
  throw new DecodeError("NETLINK_ATTRIBUTE", `${object}: an attribute's length does not fit`, detail);
}

export const attributeType = (octets: Buffer, at: number): number => hostU16(octets, at + 2) & TYPE_MASK;
export const nextAttribute = (octets: Buffer, at: number): number => at + align4(hostU16(octets, at));

/** Where the first attribute of a type begins, between `start` and `end`; -1 if there is none. @throws DecodeError */
export function findAttributeAt(octets: Buffer, start: number, end: number, type: number, object: string): number {
  for (let at = start; end - at >= ATTRIBUTE_HEADER; at = nextAttribute(octets, at)) {
    attributeEnd(octets, at, end, object);
    if (attributeType(octets, at) === type) return at;
  }
  return -1;
}

/** Where the value of an attribute of at least `size` octets begins. @throws DecodeError if there is none. */
export function sizedAt(
  octets: Buffer,
  start: number,
  end: number,
  type: number,
  size: number,
  object: string,
): number {
  const at = findAttributeAt(octets, start, end, type, object);
  const have = at < 0 ? 0 : hostU16(octets, at) - ATTRIBUTE_HEADER;
  if (have < size) throw tooShort(object, size, have);
  return at + ATTRIBUTE_HEADER;
}

/** In network order. */
export const u64At = (octets: Buffer, at: number): number =>
  octets.readUInt32BE(at) * TWO_TO_32 + octets.readUInt32BE(at + 4);

/** The string from `start`, before its NUL or `end`. */
export function textAt(octets: Buffer, start: number, end: number): string {
  let stop = start;
  while (stop < end && octets[stop] !== 0) stop++;
  return octets.toString("utf8", start, stop);
}

export const findAttribute = (attributes: readonly Attribute[], type: number): Buffer | undefined =>
  attributes.find((attribute) => attribute.type === type)?.value;

/** @throws DecodeError if the value is shorter than `size`. */
export function sized(value: Buffer, size: number, object: string): Buffer {
  if (value.length >= size) return value;
  throw tooShort(object, size, value.length);
}

function tooShort(object: string, need: number, have: number): DecodeError {
  const detail = { offset: 0, object, need, have };
  return new DecodeError("NETLINK_SHORT", `${object}: ${have} octets where ${need} are needed`, detail);
}

/** The string before its NUL. */
export const textOf = (value: Buffer): string => textAt(value, 0, value.length);

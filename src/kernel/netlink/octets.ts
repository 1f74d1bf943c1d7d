/**
 * Reading and writing netlink's octets. Headers are in host order, what nf_tables nests is in network order;
 * every length is checked, for a kernel may be newer than this code.
 */
import { endianness } from "node:os";
import { DecodeError } from "../../model/errors.js";

const LITTLE = endianness() === "LE";
const NESTED = 0x8000;
const TYPE_MASK = 0x3fff;
const ATTRIBUTE_HEADER = 4;

export const hostU16 = (octets: Buffer, at: number): number =>
  LITTLE ? octets.readUInt16LE(at) : octets.readUInt16BE(at);
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

/** Grows as needed; attributes are padded to four octets. */
export class OctetWriter {
  #octets: Buffer;
  #length = 0;

  constructor(size = 2048) {
    this.#octets = Buffer.alloc(size);
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

  u16At(at: number, value: number): void {
    if (LITTLE) this.#octets.writeUInt16LE(value, at);
    else this.#octets.writeUInt16BE(value, at);
  }

  u32At(at: number, value: number): void {
    if (LITTLE) this.#octets.writeUInt32LE(value, at);
    else this.#octets.writeUInt32BE(value, at);
  }

  u16beAt(at: number, value: number): void {
    this.#octets.writeUInt16BE(value, at);
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
    this.#octets.set(value, at);
  }

  /** A string with its terminating NUL. */
  text(type: number, value: string): void {
    const size = Buffer.byteLength(value) + 1;
    const at = this.attribute(type, size);
    this.#octets.write(value, at, "utf8");
  }

  u32be(type: number, value: number): void {
    const at = this.attribute(type, 4);
    this.#octets.writeUInt32BE(value, at);
  }

  u64be(type: number, value: number): void {
    const at = this.attribute(type, 8);
    this.#octets.writeBigUInt64BE(BigInt(value), at);
  }

  nested(type: number, content: () => void): void {
    const at = this.reserve(ATTRIBUTE_HEADER);
    this.u16At(at + 2, type | NESTED);
    content();
    this.u16At(at, this.#length - at);
  }

  finish(): Buffer {
    return this.#octets.subarray(0, this.#length);
  }
}

export interface Attribute {
  readonly type: number;
  readonly value: Buffer;
}

/** @throws DecodeError if a length does not fit. */
export function readAttributes(octets: Buffer, object: string): readonly Attribute[] {
  const attributes: Attribute[] = [];
  let at = 0;
  while (octets.length - at >= ATTRIBUTE_HEADER) {
    const length = hostU16(octets, at);
    if (length < ATTRIBUTE_HEADER || at + length > octets.length) {
      const detail = { offset: at, object, need: length, have: octets.length - at };
      throw new DecodeError("NETLINK_ATTRIBUTE", `${object}: an attribute's length does not fit`, detail);
    }
    attributes.push({
      type: hostU16(octets, at + 2) & TYPE_MASK,
      value: octets.subarray(at + ATTRIBUTE_HEADER, at + length),
    });
    at += align4(length);
  }
  return attributes;
}

export const findAttribute = (attributes: readonly Attribute[], type: number): Buffer | undefined =>
  attributes.find((attribute) => attribute.type === type)?.value;

/** @throws DecodeError if the value is shorter than `size`. */
export function sized(value: Buffer, size: number, object: string): Buffer {
  if (value.length >= size) return value;
  const detail = { offset: 0, object, need: size, have: value.length };
  throw new DecodeError("NETLINK_SHORT", `${object}: ${value.length} octets where ${size} are needed`, detail);
}

/** The string before its NUL. */
export function textOf(value: Buffer): string {
  const end = value.indexOf(0);
  return value.toString("utf8", 0, end < 0 ? value.length : end);
}

/** The part of BER that PIB attributes need (see ber.ts). Writing: one buffer for many values. */
import { InternalError } from "../../model/errors.js";
import { BER_TAG, type BerValue } from "./ber.js";
import type { Oid } from "./oid.js";

const FIRST_ALLOCATION = 1024;
/** Tag, and the longest length field. */
const MAX_HEAD = 4;
/** Contents below this length have a length field of one octet (X.690 §8.1.3.4). */
const SHORT_FORM = 0x80;
/** Octets of the longest number, an Unsigned64 with its leading zero; and then some. */
const MAX_NUMBER = 16;
/** Of the types that are numbers here. */
const MAX_INTEGER = 0xffffffff;

/** Writes runs of values into one buffer that is used again and again. */
export class BerWriter {
  #octets = Buffer.allocUnsafe(FIRST_ALLOCATION);
  #length = 0;

  /** The values as they travel, one after the other. @throws InternalError for a number that no PIB type holds */
  encode(values: readonly BerValue[]): Buffer {
    this.#write(values);
    return Buffer.from(this.#octets.subarray(0, this.#length));
  }

  /** The same as a string, one character an octet: beside its octets a Buffer costs five times as much. */
  encodeText(values: readonly BerValue[]): string {
    this.#write(values);
    return this.#octets.toString("latin1", 0, this.#length);
  }

  #write(values: readonly BerValue[]): void {
    this.#length = 0;
    for (const value of values) {
      this.#reserve(MAX_HEAD + contentsLimit(value));
      const head = this.#length;
      this.#length += 2;
      this.#contents(value);
      this.#octets[head] = BER_TAG[value.type];
      this.#lengthField(head + 1);
    }
  }

  /** Contents were written after a length field of one octet; longer ones move. */
  #lengthField(at: number): void {
    const length = this.#length - at - 1;
    if (length < SHORT_FORM) {
      this.#octets[at] = length;
      return;
    }
    if (length > 0xffff) throw new InternalError("BER_TOO_LONG", `a value of ${length} octets`);
    const extra = length <= 0xff ? 1 : 2;
    this.#octets.copyWithin(at + 1 + extra, at + 1, this.#length);
    this.#octets[at] = 0x80 | extra;
    this.#octets.writeUIntBE(length, at + 1, extra);
    this.#length += extra;
  }

  #contents(value: BerValue): void {
    switch (value.type) {
      case "integer":
      case "unsigned32":
      case "timeTicks":
        this.#integer(value.value);
        return;
      case "integer64":
      case "unsigned64":
        this.#bigInteger(value.value);
        return;
      case "octets":
      case "ipAddress":
      case "opaque":
        this.#octets.set(value.value, this.#length);
        this.#length += value.value.length;
        return;
      case "oid":
        this.#oid(value.value);
        return;
      case "null":
        return;
    }
  }

  /** Two's complement in as few octets as hold it: unsigned values with the top bit set get a leading zero. */
  #integer(value: number): void {
    if (!Number.isInteger(value) || Math.abs(value) > MAX_INTEGER) {
      throw new InternalError("BER_INTEGER", `${value} is no 32-bit number`);
    }
    let [size, limit] = [1, 0x80];
    while (value >= limit || value < -limit) {
      size += 1;
      limit *= 0x100;
    }
    this.#octets.writeIntBE(value, this.#length, size);
    this.#length += size;
  }

  #bigInteger(value: bigint): void {
    let size = 1;
    while (BigInt.asIntN(size * 8, value) !== value) size += 1;
    for (let index = size - 1; index >= 0; index -= 1) {
      this.#octets[this.#length + size - 1 - index] = Number((value >> BigInt(index * 8)) & 0xffn);
    }
    this.#length += size;
  }

  /** Reads the dotted text digit by digit: a row has several of them, and splitting costs more than all else. */
  #oid(oid: Oid): void {
    let [arcs, arc, root] = [0, 0, 0];
    for (let at = 0; at <= oid.length; at += 1) {
      const digit = oid.charCodeAt(at) - 0x30;
      if (digit >= 0 && digit <= 9) {
        arc = arc * 10 + digit;
        continue;
      }
      if (at < oid.length && oid[at] !== ".") throw new InternalError("OID", `not an object identifier: ${oid}`);
      // X.690 §8.19.4: the first two arcs travel as one number.
      if (arcs === 0) root = arc;
      else this.#arc(arcs === 1 ? root * 40 + arc : arc);
      arcs += 1;
      arc = 0;
    }
  }

  #arc(arc: number): void {
    let size = 1;
    for (let rest = arc; rest >= 128; rest = Math.floor(rest / 128)) size += 1;
    let rest = arc;
    for (let index = size - 1; index >= 0; index -= 1) {
      this.#octets[this.#length + index] = (rest % 128) | (index === size - 1 ? 0 : 0x80);
      rest = Math.floor(rest / 128);
    }
    this.#length += size;
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#octets.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#length + count, this.#octets.length * 2));
    this.#octets.copy(grown, 0, 0, this.#length);
    this.#octets = grown;
  }
}

/** Most octets that the contents of a value take: no arc takes more than its digits. */
function contentsLimit(value: BerValue): number {
  switch (value.type) {
    case "octets":
    case "ipAddress":
    case "opaque":
    case "oid":
      return value.value.length;
    default:
      return MAX_NUMBER;
  }
}

const WRITER = new BerWriter();

export const encodeBer = (...values: readonly BerValue[]): Buffer => WRITER.encode(values);

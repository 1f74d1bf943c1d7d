/** The part of BER that PIB attributes need: definite lengths, primitive types (RFC 3159, RFC 3084 §4.3). */
import { InternalError } from "../../model/errors.js";
import { GPERR, PrDecodeError } from "./errors.js";
import { type Oid, ZERO_OID } from "./oid.js";

/** SPPI tags, RFC 3159 appendix A. */
export const BER_TAG = {
  integer: 0x02,
  octets: 0x04,
  null: 0x05,
  oid: 0x06,
  ipAddress: 0x40,
  unsigned32: 0x42,
  timeTicks: 0x43,
  opaque: 0x44,
  integer64: 0x4a,
  unsigned64: 0x4b,
} as const;

export type BerValue =
  | { readonly type: "integer" | "unsigned32" | "timeTicks"; readonly value: number }
  | { readonly type: "integer64" | "unsigned64"; readonly value: bigint }
  | { readonly type: "octets" | "ipAddress" | "opaque"; readonly value: Buffer }
  | { readonly type: "oid"; readonly value: Oid }
  | { readonly type: "null" };

export type BerType = BerValue["type"];

const TYPE_OF = new Map<number, BerType>(Object.entries(BER_TAG).map(([type, tag]) => [tag, type as BerType]));

export function encodeBer(value: BerValue): Buffer {
  const contents = encodeContents(value);
  return Buffer.concat([Buffer.from([BER_TAG[value.type]]), encodeLength(contents.length), contents]);
}

function encodeContents(value: BerValue): Buffer {
  switch (value.type) {
    case "integer":
    case "unsigned32":
    case "timeTicks":
    case "integer64":
    case "unsigned64":
      return encodeInteger(BigInt(value.value));
    case "octets":
    case "ipAddress":
    case "opaque":
      return value.value;
    case "oid":
      return encodeOid(value.value);
    case "null":
      return Buffer.alloc(0);
  }
}

function encodeLength(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  if (length <= 0xff) return Buffer.from([0x81, length]);
  return Buffer.from([0x82, length >> 8, length & 0xff]);
}

/** Two's complement in as few octets as hold it: unsigned values with the top bit set get a leading zero. */
function encodeInteger(value: bigint): Buffer {
  const octets: number[] = [];
  let rest = value;
  for (;;) {
    octets.unshift(Number(rest & 0xffn));
    const negative = (rest & 0x80n) !== 0n;
    rest >>= 8n;
    if ((rest === 0n && !negative) || (rest === -1n && negative)) return Buffer.from(octets);
  }
}

function encodeOid(value: Oid): Buffer {
  const [root = 0, branch = 0, ...arcs] = value.split(".").map(Number);
  return Buffer.from([root * 40 + branch, ...arcs].flatMap(encodeArc));
}

function encodeArc(arc: number): number[] {
  if (!Number.isInteger(arc) || arc < 0) throw new InternalError("OID", `arc ${arc} is not a whole number`);
  const groups = [arc % 128];
  for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) groups.unshift(0x80 | (rest % 128));
  return groups;
}

/** Reads TLVs until the end. @throws PrDecodeError with GPERR 3 (unknown tag) or 7 (length) */
export function decodeBer(octets: Buffer): BerValue[] {
  const values: BerValue[] = [];
  let offset = 0;
  while (offset < octets.length) {
    const tag = octets.readUInt8(offset);
    const type = TYPE_OF.get(tag);
    if (type === undefined) {
      const detail = { offset, object: "BER tag" };
      throw new PrDecodeError(`unknown ASN.1 tag ${tag}`, detail, { code: GPERR.unknownAsn1Tag, subCode: tag });
    }
    const { start, end } = contentsPlace(octets, offset + 1);
    values.push(decodeContents(type, octets.subarray(start, end), offset));
    offset = end;
  }
  return values;
}

/** Exactly one OID and nothing after it: the contents of PRID, PPRID and ErrorPRID. */
export function decodeOidTlv(octets: Buffer): Oid {
  const [value, ...rest] = decodeBer(octets);
  if (value?.type !== "oid" || rest.length > 0) throw badLength("PRID is not one object identifier", 0);
  return value.value;
}

function contentsPlace(octets: Buffer, at: number): { start: number; end: number } {
  if (at >= octets.length) throw badLength("tag without a length", at);
  const first = octets.readUInt8(at);
  const extra = first < 0x80 ? 0 : first & 0x7f;
  // 0x80, the indefinite form, has no place in primitive types; an object holds no more than two octets can count.
  if (first === 0x80 || extra > 2 || at + 1 + extra > octets.length) throw badLength("BER length", at);
  const start = at + 1 + extra;
  const length = extra === 0 ? first : octets.readUIntBE(at + 1, extra);
  if (start + length > octets.length) throw badLength("value ends after its object", at, length, octets.length - start);
  return { start, end: start + length };
}

function decodeContents(type: BerType, contents: Buffer, offset: number): BerValue {
  switch (type) {
    case "integer":
      // Up to five octets: RFC 3084 §4.3 shows an Unsigned32 under this tag.
      return { type, value: Number(decodeInteger(contents, 5, offset)) };
    case "unsigned32":
    case "timeTicks":
      return { type, value: Number(inRange(decodeInteger(contents, 5, offset), 0n, 0xffffffffn, offset)) };
    case "integer64":
      return { type, value: decodeInteger(contents, 8, offset) };
    case "unsigned64":
      return { type, value: inRange(decodeInteger(contents, 9, offset), 0n, 0xffffffffffffffffn, offset) };
    case "octets":
    case "opaque":
      return { type, value: contents };
    case "ipAddress":
      if (contents.length !== 4) throw badLength("IpAddress", offset, 4, contents.length);
      return { type, value: contents };
    case "oid":
      return { type, value: decodeOid(contents, offset) };
    case "null":
      if (contents.length !== 0) throw badLength("NULL with contents", offset, 0, contents.length);
      return { type };
  }
}

function decodeInteger(contents: Buffer, max: number, offset: number): bigint {
  if (contents.length === 0 || contents.length > max) throw badLength("integer", offset, max, contents.length);
  return BigInt.asIntN(contents.length * 8, BigInt(`0x${contents.toString("hex")}`));
}

function inRange(value: bigint, low: bigint, high: bigint, offset: number): bigint {
  if (value < low || value > high) throw badLength("number outside of its type", offset);
  return value;
}

/** Longest identifier that SMI allows, in arcs. */
const MAX_ARCS = 128;

function decodeOid(contents: Buffer, offset: number): Oid {
  const arcs: number[] = [];
  let arc = 0;
  for (const [index, octet] of contents.entries()) {
    arc = arc * 128 + (octet & 0x7f);
    if (arc > 0xffffffff || arcs.length >= MAX_ARCS) throw badLength("object identifier too long", offset);
    if ((octet & 0x80) === 0) {
      arcs.push(arc);
      arc = 0;
    } else if (index === contents.length - 1) throw badLength("object identifier cut off", offset);
  }
  const [first] = arcs;
  if (first === undefined) throw badLength("empty object identifier", offset);
  const root = Math.min(2, Math.floor(first / 40));
  const text = [root, first - root * 40, ...arcs.slice(1)].join(".");
  return text === ZERO_OID ? ZERO_OID : (text as Oid);
}

function badLength(what: string, offset: number, need?: number, have?: number): PrDecodeError {
  const lengths = need === undefined || have === undefined ? {} : { need, have };
  return new PrDecodeError(
    `${what}: invalid ASN.1 length or value`,
    { offset, object: "BER", ...lengths },
    { code: GPERR.invalidAsn1Length, subCode: 0 },
  );
}

/** The part of BER that PIB attributes need: definite lengths, primitive types (RFC 3159, RFC 3084 §4.3). Reading. */
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
    const length = contentsLength(octets, offset + 1);
    const start = offset + 1 + lengthOfLength(octets, offset + 1);
    if (start + length > octets.length) {
      throw badLength("value ends after its object", offset + 1, length, octets.length - start);
    }
    values.push(decodeContents(type, octets, { start, end: start + length, offset }));
    offset = start + length;
  }
  return values;
}

/** Exactly one OID and nothing after it: the contents of PRID, PPRID and ErrorPRID. */
export function decodeOidTlv(octets: Buffer): Oid {
  const [value, ...rest] = decodeBer(octets);
  if (value?.type !== "oid" || rest.length > 0) throw badLength("PRID is not one object identifier", 0);
  return value.value;
}

/** Octets of the length field at `at`. */
function lengthOfLength(octets: Buffer, at: number): number {
  const first = octets.readUInt8(at);
  return first < 0x80 ? 1 : 1 + (first & 0x7f);
}

/** What the length field at `at` says. */
function contentsLength(octets: Buffer, at: number): number {
  if (at >= octets.length) throw badLength("tag without a length", at);
  const first = octets.readUInt8(at);
  if (first < 0x80) return first;
  const extra = first & 0x7f;
  // 0x80, the indefinite form, has no place in primitive types; an object holds no more than two octets can count.
  if (extra === 0 || extra > 2 || at + 1 + extra > octets.length) throw badLength("BER length", at);
  return octets.readUIntBE(at + 1, extra);
}

/** The contents of one TLV, and where it begins: for the error. */
interface Span {
  readonly start: number;
  readonly end: number;
  readonly offset: number;
}

function decodeContents(type: BerType, octets: Buffer, span: Span): BerValue {
  const { start, end, offset } = span;
  switch (type) {
    case "integer":
      // Up to five octets: RFC 3084 §4.3 shows an Unsigned32 under this tag.
      return { type, value: decodeInteger(octets, span, 5) };
    case "unsigned32":
    case "timeTicks": {
      const value = decodeInteger(octets, span, 5);
      if (value < 0 || value > 0xffffffff) throw badLength("number outside of its type", offset);
      return { type, value };
    }
    case "integer64":
      return { type, value: decodeBigInteger(octets, span, 8) };
    case "unsigned64": {
      const value = decodeBigInteger(octets, span, 9);
      if (value < 0n || value > 0xffffffffffffffffn) throw badLength("number outside of its type", offset);
      return { type, value };
    }
    case "octets":
    case "opaque":
      return { type, value: octets.subarray(start, end) };
    case "ipAddress":
      if (end - start !== 4) throw badLength("IpAddress", offset, 4, end - start);
      return { type, value: octets.subarray(start, end) };
    case "oid":
      return { type, value: decodeOid(octets, span) };
    case "null":
      if (end !== start) throw badLength("NULL with contents", offset, 0, end - start);
      return { type };
  }
}

function decodeInteger(octets: Buffer, { start, end, offset }: Span, max: number): number {
  const length = end - start;
  if (length === 0 || length > max) throw badLength("integer", offset, max, length);
  return octets.readIntBE(start, length);
}

function decodeBigInteger(octets: Buffer, { start, end, offset }: Span, max: number): bigint {
  const length = end - start;
  if (length === 0 || length > max) throw badLength("integer", offset, max, length);
  return BigInt.asIntN(length * 8, BigInt(`0x${octets.toString("hex", start, end)}`));
}

/** Longest identifier that SMI allows, in arcs. */
const MAX_ARCS = 128;

function decodeOid(octets: Buffer, { start, end, offset }: Span): Oid {
  if (start === end) throw badLength("empty object identifier", offset);
  if ((octets.readUInt8(end - 1) & 0x80) !== 0) throw badLength("object identifier cut off", offset);
  let arcs = 0;
  let arc = 0;
  let length = 0;
  for (let at = start; at < end; at += 1) {
    const octet = octets.readUInt8(at);
    arc = arc * 128 + (octet & 0x7f);
    if (arc > 0xffffffff || arcs >= MAX_ARCS) throw badLength("object identifier too long", offset);
    if ((octet & 0x80) !== 0) continue;
    // X.690 §8.19.4: the first two arcs travel as one number.
    const root = Math.min(2, Math.floor(arc / 40));
    length = arcs === 0 ? writeArc(writeArc(0, root), arc - root * 40) : writeArc(length, arc);
    arcs += 1;
    arc = 0;
  }
  const text = OID_TEXT.toString("latin1", 1, length);
  return text === ZERO_OID ? ZERO_OID : (text as Oid);
}

/**
 * The text of an identifier while it is read, each arc behind its dot. A string that grows arc by arc is a chain of
 * eleven, and it is kept so until somebody compares it.
 */
const OID_TEXT = Buffer.alloc((MAX_ARCS + 1) * ".4294967295".length);

function writeArc(at: number, arc: number): number {
  let digits = 1;
  for (let rest = arc; rest >= 10; rest = Math.floor(rest / 10)) digits += 1;
  OID_TEXT[at] = 0x2e;
  let rest = arc;
  for (let index = at + digits; index > at; index -= 1) {
    OID_TEXT[index] = 0x30 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
  return at + 1 + digits;
}

function badLength(what: string, offset: number, need?: number, have?: number): PrDecodeError {
  const lengths = need === undefined || have === undefined ? {} : { need, have };
  return new PrDecodeError(
    `${what}: invalid ASN.1 length or value`,
    { offset, object: "BER", ...lengths },
    { code: GPERR.invalidAsn1Length, subCode: 0 },
  );
}

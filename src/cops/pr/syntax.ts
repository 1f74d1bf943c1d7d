/** Attribute syntaxes of SPPI (RFC 3159) and of the textual conventions that the PIBs use. */
import type { BerValue } from "./ber.js";
import { CPERR } from "./errors.js";
import { type Oid, type Prid, ZERO_OID } from "./oid.js";

/** Why a value is not of its syntax: a CPERR code (RFC 3084 §4.5). */
export class SyntaxProblem {
  readonly cperr: number;
  readonly text: string;

  constructor(cperr: number, text: string) {
    this.cperr = cperr;
    this.text = text;
  }
}

/** How a value of type `T` travels, and what it may be. */
export interface Syntax<T> {
  readonly name: string;
  encode(value: T): BerValue;
  decode(value: BerValue): T | SyntaxProblem;
  /** Set for attributes that point to another instance of the same request state. */
  reference?(value: T): Prid | undefined;
}

const wrongType = (name: string, value: BerValue) =>
  new SyntaxProblem(CPERR.invalidAttrType, `${value.type} where ${name} belongs`);

const U32_MAX = 0xffffffff;

/** Unsigned32. @param min - lowest value the PIB allows; `max` likewise */
export function unsigned32(min = 0, max = U32_MAX): Syntax<number> {
  return whole("unsigned32", min, max);
}

/** Integer32. */
export function integer(min = -0x80000000, max = 0x7fffffff): Syntax<number> {
  return whole("integer", min, max);
}

/** RFC 3084 §4.3 shows an Unsigned32 with the tag of INTEGER, so either tag is read for either. */
function whole(type: "unsigned32" | "integer", min: number, max: number): Syntax<number> {
  return {
    name: type,
    encode: (value) => ({ type, value }),
    decode: (value) => {
      if (value.type !== "unsigned32" && value.type !== "integer") return wrongType(type, value);
      if (value.value >= min && value.value <= max) return value.value;
      return new SyntaxProblem(CPERR.attrValueInvalid, `${value.value} is not within ${min}..${max}`);
    },
  };
}

export const unsigned64: Syntax<bigint> = {
  name: "unsigned64",
  encode: (value) => ({ type: "unsigned64", value }),
  decode: (value) => (value.type === "unsigned64" ? value.value : wrongType("unsigned64", value)),
};

/** TruthValue: 1 true, 2 false. */
export const truth: Syntax<boolean> = {
  name: "TruthValue",
  encode: (value) => ({ type: "integer", value: value ? 1 : 2 }),
  decode: (value) => {
    if (value.type !== "integer") return wrongType("TruthValue", value);
    if (value.value === 1 || value.value === 2) return value.value === 1;
    return new SyntaxProblem(CPERR.attrValueInvalid, `${value.value} is no TruthValue`);
  },
};

/** An enumerated INTEGER, by label. */
export function enumerated<const Labels extends Readonly<Record<string, number>>>(
  labels: Labels,
): Syntax<keyof Labels & string> {
  type Label = keyof Labels & string;
  const byNumber = new Map(Object.entries(labels).map(([label, number]) => [number, label as Label]));
  return {
    name: "INTEGER",
    encode: (label) => ({ type: "integer", value: labels[label] ?? 0 }),
    decode: (value) => {
      if (value.type !== "integer" && value.type !== "unsigned32") return wrongType("INTEGER", value);
      const label = byNumber.get(value.value);
      return label ?? new SyntaxProblem(CPERR.attrEnumSupLimited, `${value.value} is not one of the named numbers`);
    },
  };
}

/** OCTET STRING. @param max - octets */
export function octetString(min = 0, max = 0xffff): Syntax<Buffer> {
  return {
    name: "OCTET STRING",
    encode: (value) => ({ type: "octets", value }),
    decode: (value) => (value.type === "octets" ? sized(value.value, min, max) : wrongType("OCTET STRING", value)),
  };
}

/** SnmpAdminString, RoleCombination: UTF-8 text. @param max - octets */
export function text(min = 0, max = 255): Syntax<string> {
  return {
    name: "SnmpAdminString",
    encode: (value) => ({ type: "octets", value: Buffer.from(value, "utf8") }),
    decode: (value) => {
      if (value.type !== "octets") return wrongType("SnmpAdminString", value);
      const octets = sized(value.value, min, max);
      if (octets instanceof SyntaxProblem) return octets;
      const decoded = octets.toString("utf8");
      // What ends up on an operator's screen holds no control characters and no half characters.
      const clean = !decoded.includes("\ufffd") && [...decoded].every((char) => char >= " " && char !== "\x7f");
      return clean ? decoded : new SyntaxProblem(CPERR.attrValueInvalid, "not printable UTF-8");
    },
  };
}

function sized(octets: Buffer, min: number, max: number): Buffer | SyntaxProblem {
  if (octets.length > max) {
    return new SyntaxProblem(CPERR.attrMaxLengthExceeded, `${octets.length} octets, at most ${max}`);
  }
  return octets.length >= min
    ? octets
    : new SyntaxProblem(CPERR.attrValueInvalid, `${octets.length} octets, at least ${min}`);
}

/** BITS: numbers of the bits that are set, in rising order; bit 0 is the first bit of the first octet. */
export const bits: Syntax<readonly number[]> = {
  name: "BITS",
  encode: (set) => {
    const octets = Buffer.alloc(set.length === 0 ? 0 : (Math.max(...set) >> 3) + 1);
    for (const bit of set) octets[bit >> 3] = (octets[bit >> 3] ?? 0) | (0x80 >> (bit & 7));
    return { type: "octets", value: octets };
  },
  decode: (value) => {
    if (value.type !== "octets") return wrongType("BITS", value);
    if (value.value.length > 64) return new SyntaxProblem(CPERR.attrMaxLengthExceeded, "more than 512 bits");
    return [...value.value].flatMap((octet, index) =>
      [0, 1, 2, 3, 4, 5, 6, 7].filter((bit) => (octet & (0x80 >> bit)) !== 0).map((bit) => index * 8 + bit),
    );
  },
};

/** OBJECT IDENTIFIER, PrcIdentifierOid, AutonomousType. */
export const objectIdentifier: Syntax<Oid> = {
  name: "OBJECT IDENTIFIER",
  encode: (value) => ({ type: "oid", value }),
  decode: (value) => (value.type === "oid" ? value.value : wrongType("OBJECT IDENTIFIER", value)),
};

/** Prid: points to another instance, which must be there when the transaction is over; 0.0 points to nothing. */
export const prid: Syntax<Prid> = {
  ...objectIdentifier,
  name: "Prid",
  reference: (value) => (value === ZERO_OID ? undefined : value),
};

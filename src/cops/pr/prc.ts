/** Provisioning classes as descriptors, and rows typed from them. */
import { InternalError } from "../../model/errors.js";
import type { BerValue } from "./ber.js";
import type { Binding } from "./bindings.js";
import { CPERR, type PriError } from "./errors.js";
import { childOid, type Oid, type Prid } from "./oid.js";
import { type Syntax, SyntaxProblem } from "./syntax.js";

export interface Attribute<T> {
  readonly number: number;
  readonly syntax: Syntax<T>;
  /** Stands in for NULL and for attributes missing at the end (RFC 3084 §2.2); `null` travels as NULL. */
  readonly whenAbsent?: T;
}

export type Attributes = Readonly<Record<string, Attribute<unknown>>>;

/** PIB-ACCESS, RFC 3159. Only `install` and `install-notify` classes are installed by a PDP. */
export type PibAccess = "install" | "notify" | "install-notify" | "report-only";

/** One class: attribute 1 of a base class is the InstanceId and is not listed among `attributes`. */
export interface Prc<A extends Attributes = Attributes> {
  readonly name: string;
  /** OID of the entry; an instance's PRID is this and the instance number. */
  readonly entry: Oid;
  readonly access: PibAccess;
  /** Entry of the class that this one EXTENDS: same instance numbers, removed together. */
  readonly extends?: Oid;
  readonly attributes: A;
}

/** A row of a class, typed by its descriptor. */
export type RowOf<P extends Prc> = { readonly [K in keyof P["attributes"]]: AttributeValue<P["attributes"][K]> };
type AttributeValue<A> = A extends Attribute<infer T> ? T : never;

export const attribute = <T>(number: number, syntax: Syntax<T>): Attribute<T> => ({ number, syntax });

/** An attribute that came to its class later: a row without it is read as if it said `whenAbsent`. */
export const optional = <T>(number: number, syntax: Syntax<T>, whenAbsent: T): Attribute<T> => ({
  number,
  syntax,
  whenAbsent,
});

/** An attribute that a device may leave out: `null` then, NULL on the wire. */
export function nullable<T>(number: number, syntax: Syntax<T>): Attribute<T | null> {
  return {
    number,
    whenAbsent: null,
    syntax: {
      name: syntax.name,
      encode: (value) => (value === null ? { type: "null" } : syntax.encode(value)),
      decode: (value) => syntax.decode(value),
      reference: (value) => (value === null ? undefined : syntax.reference?.(value)),
    },
  };
}

/** An instance number, InstanceId of RFC 3318: 1..2^32-1. */
export const isInstance = (value: number): boolean => Number.isInteger(value) && value >= 1 && value <= 0xffffffff;

/** Names an instance of a class. @throws InternalError if `instance` is none */
export function pridOf(prc: Prc, instance: number): Prid {
  if (!isInstance(instance)) throw new InternalError("PRI_INSTANCE", `${prc.name}.${instance}: not an InstanceId`);
  return childOid(prc.entry, instance);
}

export type NamedAttribute = readonly [name: string, attribute: Attribute<unknown>];

/** What is worked out once of a class. */
interface Layout {
  readonly ordered: readonly NamedAttribute[];
  readonly pointing: readonly NamedAttribute[];
}

const LAYOUTS = new WeakMap<Prc, Layout>();

function layoutOf(prc: Prc): Layout {
  const known = LAYOUTS.get(prc);
  if (known !== undefined) return known;
  const ordered = Object.entries(prc.attributes).sort(([, left], [, right]) => left.number - right.number);
  const layout = { ordered, pointing: ordered.filter(([, { syntax }]) => syntax.reference !== undefined) };
  LAYOUTS.set(prc, layout);
  return layout;
}

/** The attributes in ascending number, as the wire wants them. */
export const attributesInOrder = (prc: Prc): readonly NamedAttribute[] => layoutOf(prc).ordered;

/** Those of them that may point to other instances. */
export const pointingAttributes = (prc: Prc): readonly NamedAttribute[] => layoutOf(prc).pointing;

/**
 * PRID and EPD of one row.
 * @throws InternalError if a value is not of its attribute's syntax: that would be our mistake
 */
export function encodeRow<P extends Prc>(prc: P, instance: number, row: RowOf<P>): Binding {
  const prid = pridOf(prc, instance);
  const values: BerValue[] = prc.extends === undefined ? [{ type: "unsigned32", value: instance }] : [];
  for (const [name, { syntax }] of attributesInOrder(prc)) {
    const encoded = syntax.encode((row as Readonly<Record<string, unknown>>)[name]);
    const problem = encoded.type === "null" ? undefined : syntax.decode(encoded);
    if (problem instanceof SyntaxProblem) {
      throw new InternalError("PRI_VALUE", `${prc.name}.${instance}, ${name}: ${problem.text}`);
    }
    values.push(encoded);
  }
  return { prid, values };
}

/** A decoded row, or why it is none. Warnings are reported with Success (RFC 3084 §5.3.1). */
export type DecodedRow<P extends Prc> =
  | { readonly ok: true; readonly row: RowOf<P>; readonly warnings: readonly PriError[] }
  | { readonly ok: false; readonly errors: readonly PriError[] };

/** Reads the EPD of an instance by its class's descriptor. Never throws: what is wrong goes into a report. */
export function decodeRow<P extends Prc>(prc: P, instance: number, values: readonly BerValue[]): DecodedRow<P> {
  const prid = childOid(prc.entry, instance);
  const problems: PriError[] = [];
  const fail = (code: number, subCode: number, text: string) =>
    problems.push({ prid, cperr: { code, subCode }, text: `${prc.name}.${instance}: ${text}` });
  const attributes = attributesInOrder(prc);
  const first = prc.extends === undefined ? 1 : 0;
  if (!isInstance(instance)) fail(CPERR.priInstanceInvalid, 0, "not an InstanceId");
  if (first === 1 && !isInstanceIdOf(values[0], instance)) {
    fail(CPERR.priInstanceInvalid, 0, "attribute 1 is not the instance that the PRID names");
  }
  const row: Record<string, unknown> = {};
  attributes.forEach(([name, { number, syntax, whenAbsent }], index) => {
    const value = values[index + first];
    const absent = value === undefined || value.type === "null";
    const decoded = absent ? whenAbsent : syntax.decode(value);
    if (decoded instanceof SyntaxProblem) fail(decoded.cperr, number, `${name}: ${decoded.text}`);
    // RFC 3084 §2.2: no value and no default is an error.
    else if (decoded === undefined) {
      if (value === undefined) fail(CPERR.tooFewAttrs, 0, `${name} is missing`);
      else fail(CPERR.attrValueInvalid, number, `${name} is NULL and has no default`);
    } else row[name] = decoded;
  });
  if (problems.length > 0) return { ok: false, errors: problems };
  // RFC 3084 §2.2: more attributes than expected are ignored, with a warning.
  const known = attributes.length + first;
  if (values.length > known) fail(CPERR.attrValueSupLimited, known + 1, "attributes after the last known one");
  return { ok: true, row: row as RowOf<P>, warnings: problems };
}

function isInstanceIdOf(value: BerValue | undefined, instance: number): boolean {
  return (value?.type === "unsigned32" || value?.type === "integer") && value.value === instance;
}

/** An instance that a row points to, with the number of the pointing attribute. */
export interface Reference {
  readonly number: number;
  readonly prid: Prid;
}

export function referencesOf(prc: Prc, row: Readonly<Record<string, unknown>>): readonly Reference[] {
  const references: Reference[] = [];
  for (const [name, { number, syntax }] of pointingAttributes(prc)) {
    const prid = syntax.reference?.(row[name]);
    if (prid !== undefined) references.push({ number, prid });
  }
  return references;
}

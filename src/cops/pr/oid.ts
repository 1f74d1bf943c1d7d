/** Object identifiers as dotted text: cheap to compare, to key maps with, and to read in a log. */
import { InternalError } from "../../model/errors.js";

/** Dotted decimal, such as `1.3.6.1.2.2.4.2.4.1`. */
export type Oid = string & { readonly __oid: true };

/** Names one provisioning instance: the class's entry OID and the instance number (RFC 3084 §4.1). */
export type Prid = Oid;

/** 0.0, the reference to nothing (RFC 3159). */
export const ZERO_OID = "0.0" as Oid;

const OID_TEXT = /^[0-2](\.(0|[1-9]\d{0,9}))+$/;

/** @throws InternalError if `text` is no object identifier that BER can carry. */
export function oid(text: string): Oid {
  const [root = 0, branch = 0, ...rest] = text.split(".").map(Number);
  const fits = (root === 2 || branch < 40) && rest.every((arc) => arc <= 0xffffffff) && branch <= 0xffffffff - 80;
  if (!OID_TEXT.test(text) || !fits) throw new InternalError("OID", `not an object identifier: ${text}`);
  return text as Oid;
}

export const childOid = (parent: Oid, arc: number): Oid => `${parent}.${arc}` as Oid;

/** True if `prefix` is `whole` or an ancestor of it. */
export const isPrefixOf = (prefix: Oid, whole: Oid): boolean => whole === prefix || whole.startsWith(`${prefix}.`);

/** Cuts the last arc off: class entry and instance. Undefined if there is only one level. */
export function splitPrid(prid: Prid): { readonly entry: Oid; readonly instance: number } | undefined {
  const dot = prid.lastIndexOf(".");
  if (dot <= 0) return undefined;
  return { entry: prid.slice(0, dot) as Oid, instance: Number(prid.slice(dot + 1)) };
}

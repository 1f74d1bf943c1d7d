/** Short hands for writing down a PIB's classes. */
import { oid } from "../oid.js";
import type { Attributes, PibAccess, Prc } from "../prc.js";

/** @param root - OID of the PIB module; `table` below is relative to it, and `.1` makes it the entry */
export function baseClass(root: string) {
  return <A extends Attributes>(name: string, table: string, access: PibAccess, attributes: A): Prc<A> => ({
    name,
    entry: oid(`${root}.${table}.1`),
    access,
    attributes,
  });
}

/** A class that EXTENDS another: it has no InstanceId of its own (RFC 3159). */
export function extendingClass(root: string) {
  const base = baseClass(root);
  return <A extends Attributes>(
    name: string,
    table: string,
    of: Prc,
    ...[access, attributes]: [access: PibAccess, attributes: A]
  ): Prc<A> => ({ ...base(name, table, access, attributes), extends: of.entry });
}

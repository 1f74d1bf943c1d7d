/** Reads what roles answer on their control sockets, from outside: each field is checked. */
import { SystemError } from "../../src/model/errors.js";

export function fieldIn(item: unknown, name: string): unknown {
  if (typeof item === "object" && item !== null && name in item) return (item as Record<string, unknown>)[name];
  throw new SystemError("LAB_VIEW", `an answer has no '${name}'`);
}

export function numberIn(item: unknown, name: string): number {
  const value = fieldIn(item, name);
  if (typeof value === "number") return value;
  throw new SystemError("LAB_VIEW", `'${name}' in an answer is not a number`);
}

export function listIn(item: unknown, name: string): readonly unknown[] {
  const value = fieldIn(item, name);
  if (Array.isArray(value)) return value;
  throw new SystemError("LAB_VIEW", `'${name}' in an answer is not a list`);
}

/** The pool's row of `show pools`. */
export function poolIn(pools: readonly unknown[], name: string): unknown {
  const pool = pools.find((item) => fieldIn(item, "name") === name);
  if (pool === undefined) throw new SystemError("LAB_VIEW", `'show pools' has no pool '${name}'`);
  return pool;
}

/** Bit/s that a router holds for each direction, of `show rsvp`. */
export const grantedIn = (view: unknown): readonly number[] =>
  listIn(view, "sessions").map((session) => numberIn(session, "granted"));

/** Bit/s of the pools' classes on these interfaces, of `show kernel`. */
export const poolClassesIn = (view: unknown, interfaces: readonly string[]): readonly number[] =>
  listIn(view, "classes")
    .filter((found) => fieldIn(found, "kind") === "pool" && interfaces.includes(String(fieldIn(found, "interface"))))
    .map((found) => numberIn(found, "rate"));

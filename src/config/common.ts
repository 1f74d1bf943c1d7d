/** Keys that every role has. */
import { z } from "zod";
import { type PathContext, pathValue, socketPath } from "./paths.js";
import { domainName } from "./scalars.js";

export const ROLES = ["pdp", "proxy", "router", "clearinghouse", "portal"] as const;
export type Role = (typeof ROLES)[number];

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;

/** Where a role keeps its state when the file does not say. */
const STATE_ROOT = "/var/lib/sluice";
/** Where the control sockets are when the file does not say: where `sluice show` looks for them. */
const RUN_ROOT = "/run/sluice";

export function commonKeys<R extends Role>(role: R, context: PathContext) {
  return {
    role: z.literal(role).describe("What this process is."),
    name: domainName().describe("This device's name to its peers: COPS PEP identity, OSP device, log field."),
    state: pathValue(context)
      .default(`${STATE_ROOT}/${role}`)
      .describe("Directory of the durable state: database and event log. Made if missing."),
    control: socketPath(context)
      .default(`${RUN_ROOT}/${role}.sock`)
      .describe("Unix socket that `sluice show`, `explain` and `trace` ask."),
    log: z
      .strictObject({
        level: z.enum(LOG_LEVELS).default("info").describe("Least severity that is written."),
      })
      .default({ level: "info" })
      .describe("What is written to standard error."),
  };
}

/** A mistake that shows only when several values are seen together. */
export interface CrossProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
  readonly remedy: string;
}

/** Problems for the second and later of equal values; `path` leads to the value of an item. */
export function duplicates<T>(
  items: readonly T[],
  what: string,
  value: (item: T) => string | number,
  path: (index: number) => readonly (string | number)[],
): CrossProblem[] {
  const seen = new Set<string | number>();
  return items.flatMap((item, index) => {
    const key = value(item);
    if (!seen.has(key)) {
      seen.add(key);
      return [];
    }
    return [{ path: path(index), message: `${what} "${key}" is already taken`, remedy: "choose another" }];
  });
}

/** The same for things that have names; `path` leads to their list. */
export const duplicateNames = (
  items: readonly { readonly name: string }[],
  what: string,
  path: readonly (string | number)[],
): CrossProblem[] =>
  duplicates(
    items,
    what,
    ({ name }) => name,
    (index) => [...path, index, "name"],
  );

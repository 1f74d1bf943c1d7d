/** A name that stands for nothing in the file. */
import type { CrossProblem } from "./common.js";
import { nearest } from "./nearest.js";

/** How many names are listed before the reader is left to look them up. */
const LISTED = 12;

/** A problem at `path` unless `name` is one of `known`. */
export function unknownName(
  what: string,
  name: string,
  known: Iterable<string>,
  path: CrossProblem["path"],
): readonly CrossProblem[] {
  const names = known instanceof Set ? known : new Set(known);
  if (names.has(name)) return [];
  return [{ path, message: `there is no ${what} "${name}"`, remedy: remedyOf(name, [...names]) }];
}

function remedyOf(name: string, known: readonly string[]): string {
  const near = nearest(name, known);
  if (near !== undefined) return `did you mean "${near}"?`;
  if (known.length === 0) return "there are none";
  return `there are ${known.slice(0, LISTED).join(", ")}${known.length > LISTED ? " …" : ""}`;
}

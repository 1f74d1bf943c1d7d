/** zod's issues in this project's words, with places in the file. */
import type { z } from "zod";
import type { ConfigProblem } from "../model/errors.js";
import { type ConfigDocument, formatPath, type KeyPath } from "./document.js";
import { nearest } from "./nearest.js";
import { keysAt, metaOf, type Schema, schemaAt } from "./schema-walk.js";

type Issue = z.core.$ZodIssue;

interface Context {
  readonly document: ConfigDocument;
  readonly schema: Schema;
}

/** All problems that zod found, in the order of the file. */
export function problemsOf(issues: readonly Issue[], document: ConfigDocument, schema: Schema): ConfigProblem[] {
  const problems = issues.flatMap((issue) => problemsOfIssue(issue, [], { document, schema }));
  return problems.sort((a, b) => a.place.line - b.place.line || a.place.column - b.place.column);
}

function keyPath(issue: Issue, prefix: KeyPath): KeyPath {
  return [...prefix, ...issue.path.map((part) => (typeof part === "symbol" ? String(part) : part))];
}

function problemsOfIssue(issue: Issue, prefix: KeyPath, context: Context): ConfigProblem[] {
  const path = keyPath(issue, prefix);
  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unknownKey([...path, key], context));
  if (issue.code === "invalid_key") return issue.issues.flatMap((inner) => badName(inner, path, context));
  if (!context.document.has(path)) return [missingKey(path, context)];
  if (issue.code === "invalid_union") {
    const branch = fittingBranch(issue.errors);
    if (branch !== undefined) return branch.flatMap((inner) => problemsOfIssue(inner, path, context));
  }
  return [{ ...at(path, context), ...wrongValue(issue, path, context) }];
}

/** The alternative that was meant: the one whose own type fits, so that its trouble lies deeper. */
function fittingBranch(branches: readonly Issue[][]): Issue[] | undefined {
  return branches.find((issues) =>
    issues.every((issue) => issue.path.length > 0 || issue.code === "unrecognized_keys"),
  );
}

function at(path: KeyPath, { document }: Context): Pick<ConfigProblem, "place" | "path"> {
  return { place: document.placeOf(path), path: formatPath(path) };
}

function unknownKey(path: KeyPath, { document, schema }: Context): ConfigProblem {
  const key = String(path.at(-1));
  const group = path.slice(0, -1);
  const known = keysAt(schema, group);
  const near = nearest(key, known);
  const where = group.length === 0 ? "" : ` in ${formatPath(group)}`;
  return {
    place: document.placeOfKey(path),
    path: formatPath(path),
    message: `unknown key "${key}"${where}`,
    remedy: near === undefined ? `known are ${known.join(", ")}` : `did you mean "${near}"?`,
  };
}

function badName(issue: Issue, path: KeyPath, { document }: Context): ConfigProblem[] {
  const remedy = remedyOf(issue);
  const problem = { place: document.placeOfKey(path), path: formatPath(path), message: issue.message };
  return [remedy === undefined ? problem : { ...problem, remedy }];
}

function missingKey(path: KeyPath, context: Context): ConfigProblem {
  const found = schemaAt(context.schema, path);
  const example = found === undefined ? undefined : metaOf(found, "example");
  const key = String(path.at(-1));
  const meaning = found === undefined ? undefined : metaOf(found, "description");
  const written = example === undefined ? `add "${key}:"` : `add "${key}: ${example}"`;
  const remedy = meaning === undefined ? written : `${written}. ${meaning}`;
  return { ...at(path, context), message: `${formatPath(path)} is missing`, remedy };
}

function remedyOf(issue: Issue): string | undefined {
  const remedy = issue.code === "custom" ? issue.params?.remedy : undefined;
  return typeof remedy === "string" ? remedy : undefined;
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a group of keys",
  record: "a group of keys",
};

function wrongValue(issue: Issue, path: KeyPath, { schema }: Context): { message: string; remedy: string } {
  const name = formatPath(path) || "the file";
  const found = schemaAt(schema, path);
  const kind = found === undefined ? undefined : metaOf(found, "kind");
  const meaning = found === undefined ? undefined : metaOf(found, "description");
  const explained = meaning === undefined ? "see docs/config.md" : `meaning: ${meaning}`;
  switch (issue.code) {
    case "custom":
      return { message: `${name}: ${issue.message}`, remedy: remedyOf(issue) ?? explained };
    case "invalid_type": {
      const wanted = kind ?? TYPE_WORDS[issue.expected] ?? issue.expected;
      return { message: `${name} must be ${wanted}`, remedy: explained };
    }
    case "invalid_value": {
      const values = issue.values.map(String);
      return {
        message: `${name} must be ${values.length > 1 ? "one of " : ""}${values.join(", ")}`,
        remedy: explained,
      };
    }
    case "too_small":
    case "too_big":
      return { message: outOfRange(issue, name), remedy: kind === undefined ? explained : `write ${kind}` };
    case "invalid_union": {
      const values = issue.errors.flat().flatMap((inner) => (inner.code === "invalid_value" ? inner.values : []));
      return { message: `${name} must be ${values.map(String).join(", ")} or a group of keys`, remedy: explained };
    }
    default:
      return { message: `${name}: ${issue.message}`, remedy: explained };
  }
}

function outOfRange(issue: Extract<Issue, { code: "too_small" | "too_big" }>, name: string): string {
  const limit = issue.code === "too_small" ? `at least ${issue.minimum}` : `at most ${issue.maximum}`;
  const number = issue.code === "too_small" ? issue.minimum : issue.maximum;
  const items = number === 1 ? "item" : "items";
  return issue.origin === "array" ? `${name} must have ${limit} ${items}` : `${name} must be ${limit}`;
}

/** A YAML file with the place of every value. Refuses what could surprise: duplicates, aliases, odd tags. */
import { readFileSync, statSync } from "node:fs";
import { type Document, isAlias, isMap, isNode, isScalar, LineCounter, parseDocument, visit } from "yaml";
import { ConfigError, type ConfigProblem, type SourcePlace } from "../model/errors.js";

/** Longest file that is read: some ten thousand users. */
const FILE_MAX = 1024 * 1024;
/** Deepest nesting that any schema needs is 6. */
const DEPTH_MAX = 32;

export type KeyPath = readonly (string | number)[];

export interface ConfigDocument {
  readonly file: string;
  /** The document as plain values. */
  readonly value: unknown;
  /** Where the value at `path` stands; if it is missing, where the nearest group around it stands. */
  placeOf(path: KeyPath): SourcePlace;
  /** Where the key itself stands, for a key that should not be there. */
  placeOfKey(path: KeyPath): SourcePlace;
  /** Whether there is a value at `path`. */
  has(path: KeyPath): boolean;
}

/** @throws ConfigError that names everything wrong with the file or its syntax */
export function readDocument(file: string): ConfigDocument {
  return parseConfigText(file, readText(file));
}

function readText(file: string): string {
  try {
    const stat = statSync(file);
    if (stat.isDirectory()) throw fileError(file, "this is a directory", "name the file in it");
    if (stat.size > FILE_MAX) throw fileError(file, `the file is larger than ${FILE_MAX} octets`, "split it up");
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(file));
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw unreadable(file, error);
  }
}

function unreadable(file: string, error: unknown): ConfigError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return fileError(file, "there is no such file", "check the path given with -c");
    case "EACCES":
    case "EPERM":
      return fileError(file, "the file may not be read by this user", "change its owner or mode");
    case "ERR_ENCODING_INVALID_ENCODED_DATA":
      return fileError(file, "the file is not UTF-8 text", "save it as UTF-8");
    default:
      return fileError(file, `the file cannot be read (${code || String(error)})`, "check the disk and the path");
  }
}

function fileError(file: string, message: string, remedy: string): ConfigError {
  return new ConfigError("CONFIG_FILE", [{ place: { file, line: 1, column: 1 }, path: "", message, remedy }]);
}

/** @throws ConfigError that names everything wrong with the syntax */
export function parseConfigText(file: string, text: string): ConfigDocument {
  const lines = new LineCounter();
  const placeAt = (offset: number): SourcePlace => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(1, line), column: Math.max(1, col) };
  };
  const document = parse(file, text, lines);
  const problems: ConfigProblem[] = [...document.errors, ...document.warnings].map((error) => ({
    place: placeAt(error.pos[0]),
    path: "",
    message: error.message.split("\n")[0] ?? "this is not YAML",
    remedy: "correct the YAML",
  }));
  if (problems.length === 0) problems.push(...surprises(document, placeAt));
  if (problems.length > 0) throw new ConfigError("CONFIG_SYNTAX", problems);
  return {
    file,
    value: document.toJS({ maxAliasCount: 0 }),
    placeOf: (path) => placeAt(offsetOf(document, path)),
    placeOfKey: (path) => placeAt(keyOffsetOf(document, path)),
    has: (path) => document.hasIn(path),
  };
}

function parse(file: string, text: string, lines: LineCounter): Document.Parsed {
  try {
    // Duplicate keys are found in `surprises`: the library's own search takes quadratic time.
    return parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false });
  } catch (error) {
    const remedy = "nest it less deeply";
    throw fileError(file, `the file cannot be parsed (${error instanceof Error ? error.name : "unknown"})`, remedy);
  }
}

/** Legal YAML that is refused: it reads as something else than it is, or grows without bound. */
function surprises(document: Document.Parsed, placeAt: (offset: number) => SourcePlace): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const say = (offset: number | undefined, message: string, remedy: string): void => {
    problems.push({ place: placeAt(offset ?? 0), path: "", message, remedy });
  };
  visit(document, {
    Node(_key, node, ancestors) {
      if (isAlias(node)) say(node.range?.[0], `alias "*${node.source}" is not allowed`, "write the value out");
      else if (node.anchor !== undefined)
        say(node.range?.[0], `anchor "&${node.anchor}" is not allowed`, "take it away");
      if (ancestors.length <= DEPTH_MAX * 2) return undefined;
      say(node.range?.[0], "this is nested too deeply", `at most ${DEPTH_MAX} levels`);
      return visit.BREAK;
    },
    Map(_key, map) {
      const seen = new Set<string>();
      for (const { key } of map.items) {
        const offset = isNode(key) ? key.range?.[0] : undefined;
        if (!isScalar(key)) say(offset, "a key must be one word", "write it without brackets");
        else if (seen.has(String(key.value))) say(offset, `key "${key.value}" is here twice`, "take one away");
        else seen.add(String(key.value));
      }
    },
  });
  return problems;
}

function offsetOf(document: Document.Parsed, path: KeyPath): number {
  for (let length = path.length; length > 0; length -= 1) {
    const node = document.getIn(path.slice(0, length), true);
    // An empty value has no place of its own worth showing: its key has.
    const isEmpty = isScalar(node) && node.value === null;
    if (isNode(node) && node.range) return isEmpty ? keyOffsetOf(document, path.slice(0, length)) : node.range[0];
  }
  return document.contents?.range[0] ?? 0;
}

function keyOffsetOf(document: Document.Parsed, path: KeyPath): number {
  const group = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  const last = String(path.at(-1));
  const pair = isMap(group)
    ? group.items.find((item) => isScalar(item.key) && String(item.key.value) === last)
    : undefined;
  if (pair !== undefined && isNode(pair.key) && pair.key.range) return pair.key.range[0];
  return path.length > 1 ? offsetOf(document, path.slice(0, -1)) : 0;
}

/** `pools[0].rate`. */
export function formatPath(path: KeyPath): string {
  return path.map((part, index) => (typeof part === "number" ? `[${part}]` : index === 0 ? part : `.${part}`)).join("");
}

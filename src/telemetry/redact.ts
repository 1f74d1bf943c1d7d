/** Makes any value fit for a log line: bounded in size, without cycles, and without secrets. */
import { SluiceError } from "../model/errors.js";

export const REDACTED = "[redacted]";

const DEPTH_MAX = 6;
const ITEMS_MAX = 100;
const TEXT_MAX = 4096;

// Last word of a field's name. "key" alone is a secret, "flowKey" is not: see SECRET_KEYS.
const SECRET_WORDS = new Set([
  "token",
  "tokens",
  "password",
  "passwd",
  "passphrase",
  "secret",
  "crypto",
  "authorization",
  "credential",
  "credentials",
  "cookie",
]);
const SECRET_KEYS = new Set([
  "key",
  "keys",
  "privatekey",
  "signingkey",
  "masterkey",
  "apikey",
  "secretkey",
  "sessionkey",
]);

// SDP key material (RFC 4568 crypto, RFC 4567 key-mgmt, RFC 4566 k=), SIP credentials and OSP tokens inside texts.
const SECRET_TEXTS: readonly (readonly [RegExp, string])[] = [
  [/(\ba=(?:crypto|key-mgmt):)[^\r\n]*/gi, `$1${REDACTED}`],
  [/(^|[\r\n])(k=)[^\r\n]*/g, `$1$2${REDACTED}`],
  [/(\b(?:p-osp-auth-token|p-media-authorization|(?:proxy-)?authorization)\s*:\s*)[^\r\n]*/gi, `$1${REDACTED}`],
  [/(<Token\b[^>]*>)[^<]*/gi, `$1${REDACTED}`],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g, REDACTED],
];

/** "key" may also be structure, such as the key of a flow: then its own fields are looked at. */
type Secrecy = "secret" | "secretUnlessStructure" | "open";

function secrecyOf(name: string, extra: ReadonlySet<string>): Secrecy {
  if (extra.has(name.toLowerCase())) return "secret";
  const words = name
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z0-9]+/);
  if (SECRET_WORDS.has(words.at(-1) ?? "")) return "secret";
  return SECRET_KEYS.has(words.join("")) ? "secretUnlessStructure" : "open";
}

function cleanText(text: string): string {
  // Cut first: patterns then run over a bounded text. A secret cut in half still begins like one.
  const short = text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}… (${text.length} characters)` : text;
  return SECRET_TEXTS.reduce((result, [pattern, replacement]) => result.replace(pattern, replacement), short);
}

/** A value that JSON can write, for `value`. @param extra - further names of secret fields, in lower case */
export function loggable(value: unknown, extra: ReadonlySet<string> = new Set()): unknown {
  return visit(value, { extra, above: [] });
}

interface Visit {
  readonly extra: ReadonlySet<string>;
  readonly above: readonly object[];
}

function visit(value: unknown, state: Visit): unknown {
  switch (typeof value) {
    case "string":
      return cleanText(value);
    case "bigint":
      return value.toString();
    case "function":
    case "symbol":
      return `[${typeof value}]`;
    case "number":
      return Number.isFinite(value) ? value : String(value);
    case "object":
      return value === null ? null : visitObject(value, state);
    default:
      return value;
  }
}

function visitObject(value: object, state: Visit): unknown {
  if (state.above.includes(value)) return "[circular]";
  if (state.above.length >= DEPTH_MAX) return "[deep]";
  const below = { ...state, above: [...state.above, value] };
  if (value instanceof Error) return visitError(value, below);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "[invalid date]" : value.toISOString();
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} octets]`;
  if (value instanceof Set) return visitList([...value], below);
  if (Array.isArray(value)) return visitList(value, below);
  const entries: readonly (readonly [unknown, unknown])[] =
    value instanceof Map ? [...value.entries()] : Object.entries(value);
  return visitEntries(entries, below);
}

function visitList(items: readonly unknown[], state: Visit): unknown[] {
  const shown = items.slice(0, ITEMS_MAX).map((item) => visit(item, state));
  return items.length > ITEMS_MAX ? [...shown, `… ${items.length - ITEMS_MAX} more`] : shown;
}

function visitEntries(entries: readonly (readonly [unknown, unknown])[], state: Visit): Record<string, unknown> {
  const pairs = entries.slice(0, ITEMS_MAX).map(([key, item]): [string, unknown] => {
    const name = cleanText(nameOf(key));
    const secrecy = item === undefined || item === null ? "open" : secrecyOf(name, state.extra);
    const isHidden = secrecy === "secret" || (secrecy === "secretUnlessStructure" && !isStructure(item));
    return [name, isHidden ? REDACTED : visit(item, state)];
  });
  if (entries.length > ITEMS_MAX) pairs.push(["…", `${entries.length - ITEMS_MAX} more`]);
  return Object.fromEntries(pairs);
}

/** Keys of a Map may be anything; an object's own toString is not to be trusted with a log line. */
function nameOf(key: unknown): string {
  return typeof key === "object" || typeof key === "function" ? `[${key === null ? "null" : typeof key}]` : String(key);
}

const isStructure = (item: unknown): boolean =>
  typeof item === "object" &&
  item !== null &&
  !ArrayBuffer.isView(item) &&
  Object.getPrototypeOf(item) === Object.prototype;

function visitError(error: Error, state: Visit): Record<string, unknown> {
  const typed = error instanceof SluiceError ? { code: error.code, remedy: error.remedy } : {};
  const code = "code" in error && typeof error.code === "string" ? { code: error.code } : {};
  const cause = error.cause === undefined ? {} : { cause: visit(error.cause, state) };
  return { name: error.name, message: cleanText(error.message), ...code, ...typed, ...cause };
}

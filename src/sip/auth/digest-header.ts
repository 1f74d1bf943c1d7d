/** Digest challenges and credentials as header values (RFC 7616 §3.3, §3.4, RFC 3261 §25.1). Pure. */
import { endOfQuoted, isToken } from "../message/grammar.js";
import { type DigestAlgorithm, type DigestInput, digestAlgorithmOf, digestDigits } from "./algorithms.js";

export interface DigestChallenge {
  readonly realm: string;
  readonly nonce: string;
  readonly algorithm: DigestAlgorithm;
  /** The credentials were right, only their nonce has had its time: no person need be asked. */
  readonly stale: boolean;
}

export function formatChallenge({ realm, nonce, algorithm, stale }: DigestChallenge): string {
  const late = stale ? ", stale=true" : "";
  return `Digest realm="${realm}", nonce="${nonce}", algorithm=${algorithm}, qop="auth"${late}`;
}

export interface DigestCredentials extends Omit<DigestInput, "method"> {
  readonly user: string;
  readonly realm: string;
  readonly algorithm: DigestAlgorithm;
  /** Lower case. */
  readonly response: string;
}

/** Octets of one value; more is no credential of any agent. */
const MAX_VALUE = 2048;

/** Undefined for another scheme, for what cannot be read, and for what was never offered (no qop, userhash). */
export function parseCredentials(value: string): DigestCredentials | undefined {
  const scheme = /^digest[ \t]+/i.exec(value);
  if (scheme === null || value.length > MAX_VALUE) return undefined;
  const fields = parseFields(value.slice(scheme[0].length));
  if (fields === undefined) return undefined;
  const algorithm = digestAlgorithmOf(fields.get("algorithm"));
  const [user, realm, nonce, uri] = ["username", "realm", "nonce", "uri"].map((name) => fields.get(name));
  const [nc, cnonce, response] = [fields.get("nc"), fields.get("cnonce"), fields.get("response")?.toLowerCase()];
  if (algorithm === undefined || fields.get("qop")?.toLowerCase() !== "auth") return undefined;
  if (user === undefined || realm === undefined || nonce === undefined || uri === undefined) return undefined;
  if (nc === undefined || cnonce === undefined || response === undefined) return undefined;
  if (!/^[0-9a-f]{8}$/i.test(nc) || !isHex(response, digestDigits(algorithm))) return undefined;
  return { user, realm, nonce, uri, nc, cnonce, response, algorithm };
}

const isHex = (text: string, digits: number): boolean => text.length === digits && /^[0-9a-f]+$/.test(text);

/** `name=value` joined by commas; lower-case names, values unquoted. A name that comes twice is a trick. */
function parseFields(text: string): ReadonlyMap<string, string> | undefined {
  const fields = new Map<string, string>();
  for (let at = 0; at < text.length; ) {
    const equals = text.indexOf("=", at);
    const name = text.slice(at, Math.max(at, equals)).trim().toLowerCase();
    if (!isToken(name) || fields.has(name)) return undefined;
    const start = equals + 1 + spacesAt(text, equals + 1);
    const isQuoted = text[start] === '"';
    const end = isQuoted ? endOfQuoted(text, start) : endOfPlain(text, start);
    if (end < 0) return undefined;
    const raw = text.slice(start, end).trim();
    fields.set(name, isQuoted ? raw.slice(1, -1).replaceAll(/\\(.)/g, "$1") : raw);
    const next = end + spacesAt(text, end);
    if (next < text.length && text[next] !== ",") return undefined;
    at = next + 1;
  }
  return fields.size === 0 ? undefined : fields;
}

function spacesAt(text: string, from: number): number {
  let at = from;
  while (text[at] === " " || text[at] === "\t") at += 1;
  return at - from;
}

function endOfPlain(text: string, start: number): number {
  const comma = text.indexOf(",", start);
  return comma < 0 ? text.length : comma;
}

/** The lexical ground of RFC 3261 §25.1. Every function here is linear in its input. */

const TOKEN = /^[A-Za-z0-9\-.!%*_+`'~]+$/;

export const isToken = (text: string): boolean => TOKEN.test(text);

/** `1*DIGIT` within bounds, or undefined. Eleven digits are enough for every number in SIP. */
export function parseNumber(text: string, low: number, high: number): number | undefined {
  if (!/^\d{1,11}$/.test(text)) return undefined;
  const value = Number(text);
  return value >= low && value <= high ? value : undefined;
}

/** Index just after the quoted string that opens at `start`, or -1 if it never closes. */
export function endOfQuoted(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at += 1) {
    const char = text[at];
    if (char === "\\") at += 1;
    else if (char === '"') return at + 1;
  }
  return -1;
}

/**
 * Cuts at `separator` outside quoted strings and outside `<…>`. The pieces keep their spaces; undefined if
 * a quote or a bracket never closes.
 */
export function splitOutside(text: string, separator: "," | ";"): string[] | undefined {
  const pieces: string[] = [];
  let from = 0;
  let bracket = false;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (char === '"' && !bracket) {
      const end = endOfQuoted(text, at);
      if (end < 0) return undefined;
      at = end - 1;
    } else if (char === "<") bracket = true;
    else if (char === ">") bracket = false;
    else if (char === separator && !bracket) {
      pieces.push(text.slice(from, at));
      from = at + 1;
    }
  }
  if (bracket) return undefined;
  pieces.push(text.slice(from));
  return pieces;
}

export type Parameters = ReadonlyMap<string, string | undefined>;

/** `;name=value;flag` to a map with lower-case names; undefined if a piece is no parameter. The first of two wins. */
export function parseParameters(text: string): Parameters | undefined {
  const parameters = new Map<string, string | undefined>();
  const trimmed = text.trim();
  if (trimmed === "") return parameters;
  const pieces = trimmed.startsWith(";") ? splitOutside(trimmed.slice(1), ";") : undefined;
  if (pieces === undefined) return undefined;
  for (const piece of pieces) {
    const equals = piece.indexOf("=");
    const name = (equals < 0 ? piece : piece.slice(0, equals)).trim();
    const value = equals < 0 ? undefined : piece.slice(equals + 1).trim();
    if (!isToken(name) || !isParameterValue(value)) return undefined;
    const key = name.toLowerCase();
    if (!parameters.has(key)) parameters.set(key, value);
  }
  return parameters;
}

/** §25.1 gen-value: token, host (IPv6 in brackets too) or quoted string; a flag has none. */
function isParameterValue(value: string | undefined): boolean {
  if (value === undefined) return true;
  if (value.startsWith('"')) return endOfQuoted(value, 0) === value.length;
  return /^[^\s",;<>@]+$/.test(value);
}

export interface HostPort {
  /** Lower case; an IPv6 address without its brackets. */
  readonly host: string;
  readonly port: number | undefined;
}

/** `host[:port]` with the host a name, an IPv4 address or a bracketed IPv6 address. */
export function parseHostPort(text: string): HostPort | undefined {
  const bracketed = /^\[([0-9A-Fa-f:.]{2,45})\](?:\s*:\s*(\d{1,5}))?$/.exec(text);
  const plain = bracketed ?? /^([A-Za-z0-9_][A-Za-z0-9_.-]{0,254})(?:\s*:\s*(\d{1,5}))?$/.exec(text);
  const host = plain?.[1];
  if (plain === null || host === undefined) return undefined;
  if (plain[2] === undefined) return { host: host.toLowerCase(), port: undefined };
  const port = parseNumber(plain[2], 1, 65_535);
  return port === undefined ? undefined : { host: host.toLowerCase(), port };
}

/** A host for a URI or a Via: brackets around IPv6. */
export const bracketHost = (host: string): string => (host.includes(":") ? `[${host}]` : host);

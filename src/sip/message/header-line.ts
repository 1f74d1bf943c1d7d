/** A header field as it came, and its names. */
import { ProtocolError } from "../../model/errors.js";
import { isToken } from "./grammar.js";

export interface HeaderLine {
  /** All its octets (latin1), folds included, without the last CRLF. This is what is forwarded. */
  readonly raw: string;
  /** Lower-case long form: what it is found by. */
  readonly key: string;
  /** Unfolded and trimmed. */
  readonly value: string;
}

/** RFC 3261 §7.3.3 and the extensions that registered a letter. */
const COMPACT_FORMS: Readonly<Record<string, string>> = {
  a: "accept-contact",
  b: "referred-by",
  c: "content-type",
  d: "request-disposition",
  e: "content-encoding",
  f: "from",
  i: "call-id",
  j: "reject-contact",
  k: "supported",
  l: "content-length",
  m: "contact",
  n: "identity-info",
  o: "event",
  r: "refer-to",
  s: "subject",
  t: "to",
  u: "allow-events",
  v: "via",
  x: "session-expires",
  y: "identity",
};

/** The lower-case long form of a header's name. */
export function headerKey(name: string): string {
  const lower = name.toLowerCase();
  return lower.length === 1 ? (COMPACT_FORMS[lower] ?? lower) : lower;
}

/** A lone CR or LF could be read as a line end by the next hop: two views of one message. Quoted pairs may hide NUL. */
export const hasControl = (line: HeaderLine): boolean => /[\r\n\0]/.test(line.value.replaceAll(/\\./g, ""));

/** Undefined if `raw` has no `name:`. */
export function parseHeaderLine(raw: string): HeaderLine | undefined {
  const colon = raw.indexOf(":");
  if (colon < 1) return undefined;
  const name = raw.slice(0, colon).trimEnd();
  if (!isToken(name)) return undefined;
  const value = raw.slice(colon + 1);
  const unfolded = value.includes("\r\n") ? value.replaceAll("\r\n", " ") : value;
  return { raw, key: headerKey(name), value: unfolded.trim() };
}

/**
 * A header field of our own. Text beyond ASCII goes out as UTF-8 (§7.3.1).
 * @throws ProtocolError SIP_HEADER_ILLEGAL if name or value would break the message apart.
 */
export function makeHeaderLine(name: string, value: string): HeaderLine {
  if (!isToken(name) || /[\r\n\0]/.test(value)) {
    throw new ProtocolError("SIP_HEADER_ILLEGAL", `header ${JSON.stringify(name)} cannot be put into a SIP message`, {
      remedy: "a header's name is a token and its value holds no line break",
    });
  }
  const octets = Buffer.from(value, "utf8").toString("latin1");
  return { raw: `${name}: ${octets}`, key: headerKey(name), value: octets };
}

/** SIP and SIPS URIs (RFC 3261 §19.1), and addresses with a display name (§20.10). */
import {
  bracketHost,
  endOfQuoted,
  type HostPort,
  isToken,
  type Parameters,
  parseHostPort,
  parseParameters,
} from "./grammar.js";

export interface SipUri extends HostPort {
  readonly scheme: "sip" | "sips";
  /** As written (escapes kept), without the password. */
  readonly user: string | undefined;
  /** Lower-case names. */
  readonly parameters: Parameters;
  /** What follows the `?`, as written. */
  readonly headers: string | undefined;
}

/** The scheme of any absolute URI, lower case; undefined if there is none. */
export function uriScheme(text: string): string | undefined {
  return /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(text)?.[1]?.toLowerCase();
}

/** Undefined if `text` is no sip: or sips: URI. */
export function parseSipUri(text: string): SipUri | undefined {
  const scheme = uriScheme(text);
  if ((scheme !== "sip" && scheme !== "sips") || /[\s<>"]/.test(text)) return undefined;
  const rest = text.slice(scheme.length + 1);
  const at = rest.lastIndexOf("@");
  const userinfo = at < 0 ? undefined : rest.slice(0, at);
  if (userinfo === "" || userinfo?.includes("@")) return undefined;
  const afterUser = rest.slice(at + 1);
  const question = afterUser.indexOf("?");
  const beforeHeaders = question < 0 ? afterUser : afterUser.slice(0, question);
  const semicolon = beforeHeaders.indexOf(";");
  const hostPort = parseHostPort(semicolon < 0 ? beforeHeaders : beforeHeaders.slice(0, semicolon));
  const parameters = semicolon < 0 ? new Map<string, undefined>() : uriParameters(beforeHeaders.slice(semicolon + 1));
  if (hostPort === undefined || parameters === undefined) return undefined;
  return {
    scheme,
    user: userinfo?.split(":", 1)[0],
    ...hostPort,
    parameters,
    headers: question < 0 ? undefined : afterUser.slice(question + 1),
  };
}

/** A URI's parameters may hold octets that a header's may not (§25.1 paramchar), but neither spaces nor quotes. */
function uriParameters(text: string): Parameters | undefined {
  const parameters = new Map<string, string | undefined>();
  for (const piece of text.split(";")) {
    const equals = piece.indexOf("=");
    const name = (equals < 0 ? piece : piece.slice(0, equals)).toLowerCase();
    if (name === "") return undefined;
    if (!parameters.has(name)) parameters.set(name, equals < 0 ? undefined : piece.slice(equals + 1));
  }
  return parameters;
}

/** `sip:user@host:port`, without parameters: enough to compare, to show and to route. */
export function formatSipUri(uri: Pick<SipUri, "scheme" | "user" | "host" | "port">): string {
  const user = uri.user === undefined ? "" : `${uri.user}@`;
  const port = uri.port === undefined ? "" : `:${uri.port}`;
  return `${uri.scheme}:${user}${bracketHost(uri.host)}${port}`;
}

export interface NameAddr {
  /** As written, with its quotes; empty if there is none. */
  readonly displayName: string;
  readonly uri: string;
  /** Parameters of the header field, not of the URI. */
  readonly parameters: Parameters;
}

/** `"Name" <uri>;params` or `uri;params` (then the parameters belong to the header field, §20). */
export function parseNameAddr(text: string): NameAddr | undefined {
  const value = text.trim();
  const nameEnd = value.startsWith('"') ? endOfQuoted(value, 0) : 0;
  if (nameEnd < 0) return undefined;
  const open = value.indexOf("<", nameEnd);
  if (open < 0) return nameEnd === 0 ? parseAddrSpec(value) : undefined;
  const displayName = value.slice(0, open).trim();
  const close = value.indexOf(">", open);
  if (close < 0 || !isDisplayName(displayName, nameEnd)) return undefined;
  const uri = value.slice(open + 1, close);
  const parameters = parseParameters(value.slice(close + 1));
  return parameters === undefined || !isUriShaped(uri) ? undefined : { displayName, uri, parameters };
}

function parseAddrSpec(value: string): NameAddr | undefined {
  const semicolon = value.indexOf(";");
  const uri = (semicolon < 0 ? value : value.slice(0, semicolon)).trim();
  const parameters = parseParameters(semicolon < 0 ? "" : value.slice(semicolon));
  // §20.10: without angle brackets the URI may hold neither comma nor question mark.
  return parameters === undefined || /[?,]/.test(uri) || !isUriShaped(uri)
    ? undefined
    : { displayName: "", uri, parameters };
}

/** §25.1: a display name is one quoted string, or tokens; nothing unquoted such as a comma. */
function isDisplayName(name: string, quotedEnd: number): boolean {
  if (quotedEnd > 0) return name.length === quotedEnd;
  return name === "" || name.split(/\s+/).every(isToken);
}

function isUriShaped(uri: string): boolean {
  const scheme = uriScheme(uri);
  if (scheme === undefined || /[\s<>"]/.test(uri)) return false;
  return scheme === "sip" || scheme === "sips" ? parseSipUri(uri) !== undefined : uri.length > scheme.length + 1;
}

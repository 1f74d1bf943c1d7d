/** One entry of the Via header field (RFC 3261 §20.42): a hop that the response must go back through. */
import { bracketHost, type HostPort, type Parameters, parseHostPort, parseParameters } from "./grammar.js";

export interface Via extends HostPort {
  /** Upper case: `UDP`. */
  readonly transport: string;
  readonly parameters: Parameters;
  readonly branch: string | undefined;
  /** As written. */
  readonly raw: string;
}

/** The start of every branch that RFC 3261 elements make (§8.1.1.7). */
export const MAGIC_COOKIE = "z9hG4bK";

// Any version is read, so that a request of another version can be answered 505 through its Via.
const VIA = /^SIP\s*\/\s*\d\.\d\s*\/\s*([A-Za-z0-9\-.!%*_+`'~]+)\s+([^\s;](?:[^;]*[^\s;])?)\s*(;.*)?$/is;

/** Undefined if `text` is no via-parm. */
export function parseVia(text: string): Via | undefined {
  const raw = text.trim();
  const match = VIA.exec(raw);
  if (match === null) return undefined;
  const [, transport = "", sentBy = "", tail = ""] = match;
  const hostPort = parseHostPort(sentBy);
  const parameters = parseParameters(tail);
  if (hostPort === undefined || parameters === undefined) return undefined;
  return { ...hostPort, transport: transport.toUpperCase(), parameters, branch: parameters.get("branch"), raw };
}

/** `host:port` of the sender, as §17.2.3 compares it. The default port is not filled in, since the sender did not. */
export const sentBy = (via: HostPort): string => `${via.host}:${via.port ?? ""}`;

/** A Via value for what we send ourselves. Over UDP `rport` asks the next hop to answer to our port (RFC 3581 §3). */
export function formatVia(
  local: { readonly address: string; readonly port: number; readonly transport: string },
  branch: string,
): string {
  const rport = local.transport === "udp" ? ";rport" : "";
  const place = `${bracketHost(local.address)}:${local.port}`;
  return `SIP/2.0/${local.transport.toUpperCase()} ${place};branch=${branch}${rport}`;
}

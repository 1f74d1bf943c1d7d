/** Names and addresses as people write them. Each parser gives a value, or says what is wrong. */
import { type IpAddress, parseAddress, parsePrefix } from "../model/ip.js";
import { PHB_NAMES } from "../model/phb.js";
import { fault, type Parsed } from "./quantities.js";

/** An IP address and a port: where to listen, or whom to connect to. */
export interface SocketAddress {
  readonly address: IpAddress;
  readonly port: number;
}

const LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
const DOMAIN = new RegExp(`^${LABEL}(?:\\.${LABEL})*$`);
const USER = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/;
const IDENTIFIER = /^[A-Za-z][A-Za-z0-9._-]{0,31}$/;
// Linux IFNAMSIZ: 15 octets and a closing zero; no slash, no space.
const INTERFACE = /^[A-Za-z0-9_.-]{1,15}$/;

export function parseDomain(text: string): Parsed<string> {
  const name = text.toLowerCase();
  if (name.length <= 253 && DOMAIN.test(name)) return { value: name };
  return fault(`"${text}" is not a domain name`, 'write letters, digits and hyphens in labels, such as "a.example"');
}

export function parseUser(text: string): Parsed<string> {
  if (USER.test(text)) return { value: text };
  return fault(`"${text}" is not a user name`, 'write the part of the SIP address before the "@", such as "alice"');
}

export function parseIdentifier(text: string): Parsed<string> {
  if (IDENTIFIER.test(text)) return { value: text };
  return fault(
    `"${text}" is not a name`,
    "begin with a letter; then letters, digits, dot, hyphen, underscore, 32 at most",
  );
}

/** What a clearinghouse calls its customers and their devices: often a number. */
export function parseOspId(text: string): Parsed<string> {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text)) return { value: text };
  return fault(`"${text}" is not an OSP identity`, "use letters, digits, dot, hyphen, underscore, 64 at most");
}

export function parseInterface(text: string): Parsed<string> {
  if (INTERFACE.test(text) && text !== "." && text !== "..") return { value: text };
  return fault(`"${text}" is not a network interface's name`, "write it as `ip link` shows it, 15 characters at most");
}

export function parseIp(text: string): Parsed<IpAddress> {
  const address = parseAddress(text);
  if (address !== undefined) return { value: address };
  return fault(`"${text}" is not an IP address`, 'write one such as "10.1.0.6" or "fd01::6"; names are not resolved');
}

export function parseIpPrefix(text: string): Parsed<string> {
  const prefix = parsePrefix(text);
  if (prefix !== undefined) return { value: `${prefix.address}/${prefix.length}` };
  const remedy = 'write one such as "10.1.0.0/24" or "fd01::/64"';
  const [address = "", length = ""] = text.split("/");
  if (parseAddress(address) !== undefined && /^\d{1,3}$/.test(length)) {
    return fault(`"${text}" has bits set after its length, or too long a length`, remedy);
  }
  return fault(`"${text}" is not an IP prefix`, remedy);
}

function splitEndpoint(text: string): { host: string; port: string } | undefined {
  const found = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  if (found === null) return undefined;
  return { host: found[1] ?? found[2] ?? "", port: found[3] ?? "" };
}

/** `10.1.0.6:3288` or `[fd01::6]:3288`. */
export function parseSocketAddress(text: string): Parsed<SocketAddress> {
  const remedy = 'write address and port such as "10.1.0.6:3288" or "[fd01::6]:3288"';
  const parts = splitEndpoint(text);
  if (parts === undefined) return fault(`"${text}" is not an address with a port`, remedy);
  const address = parseAddress(parts.host);
  if (address === undefined) {
    return fault(`"${parts.host}" in "${text}" is not an IP address`, `${remedy}; names are not resolved`);
  }
  const port = Number(parts.port);
  if (port < 1 || port > 65_535) return fault(`port ${parts.port} in "${text}" is out of range`, "use 1 to 65535");
  return { value: { address, port } };
}

/** `sip:10.3.0.5:5060` or `sip:alice@10.1.0.10:5060`: the host is an address, since nothing is resolved. */
export function parseSipUri(text: string): Parsed<string> {
  const remedy = 'write one such as "sip:alice@10.1.0.10:5060"';
  const found = /^sip:(?:([^@\s;?<>"]{1,128})@)?([^@\s;?<>"]{1,64})$/.exec(text);
  if (found === null) return fault(`"${text}" is not a SIP URI without parameters`, remedy);
  const host = found[2] ?? "";
  const endpoint = parseSocketAddress(splitEndpoint(host) === undefined ? `${host}:5060` : host);
  if ("fault" in endpoint) return fault(endpoint.fault.message, remedy);
  return { value: text };
}

/** `alice@a.example`, `*@a.example`, `*@*`. */
export function parseUserPattern(text: string): Parsed<string> {
  const [user = "", domain = "", ...rest] = text.split("@");
  const userIsRight = user === "*" || "value" in parseUser(user);
  const domainIsRight = domain === "*" || "value" in parseDomain(domain);
  if (rest.length === 0 && userIsRight && domainIsRight) return { value: `${user}@${domain.toLowerCase()}` };
  return fault(`"${text}" is not a user pattern`, 'write "alice@a.example", "*@a.example" or "*@*"');
}

export function parsePhb(text: string): Parsed<(typeof PHB_NAMES)[number]> {
  const phb = PHB_NAMES.find((name) => name === text.toUpperCase());
  if (phb !== undefined) return { value: phb };
  return fault(`"${text}" is not a per-hop behaviour`, `use one of ${PHB_NAMES.join(", ")}`);
}

/** `http://10.4.0.7:5045/osp`. */
export function parseHttpUrl(text: string): Parsed<string> {
  const remedy = 'write one such as "http://10.4.0.7:5045/osp"';
  if (!URL.canParse(text)) return fault(`"${text}" is not a URL`, remedy);
  const url = new URL(text);
  if (url.protocol !== "http:" && url.protocol !== "https:") return fault(`"${text}" is not an http(s) URL`, remedy);
  // Errors and logs show the URL, so nothing secret may be in it.
  if (url.username !== "" || url.password !== "") return fault("the URL carries a password", "leave it out of the URL");
  return { value: url.href };
}

/** `https://portal.a.example`: what pages are addressed by, without a path. The value has no slash at its end. */
export function parseOrigin(text: string): Parsed<string> {
  const remedy = 'write scheme, host and port only, such as "https://portal.a.example"';
  const parsed = parseHttpUrl(text);
  if ("fault" in parsed) return fault(parsed.fault.message, remedy);
  const { origin, href } = new URL(parsed.value);
  if (href !== `${origin}/`) return fault(`"${text}" has more than scheme, host and port`, remedy);
  return { value: origin };
}

/** `wss://sip1.a.example:5443/sip`: where a browser reaches a SIP proxy (RFC 7118). */
export function parseWebSocketUrl(text: string): Parsed<string> {
  const remedy = 'write one such as "wss://sip1.a.example:5443"';
  if (!URL.canParse(text)) return fault(`"${text}" is not a URL`, remedy);
  const url = new URL(text);
  if (url.protocol !== "ws:" && url.protocol !== "wss:") return fault(`"${text}" is not a ws(s) URL`, remedy);
  if (url.username !== "" || url.password !== "") return fault("the URL carries a password", "leave it out of the URL");
  // RFC 6455 §3: a WebSocket URL has no fragment.
  if (url.hash !== "") return fault(`"${text}" has a fragment`, remedy);
  return { value: url.href };
}

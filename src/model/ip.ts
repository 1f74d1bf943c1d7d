/** IP addresses and prefixes as text and as octets. Both families take the same path. */
import { isIP } from "node:net";
import { InternalError } from "./errors.js";

export type IpFamily = 4 | 6;

/** Canonical text of an address: what `parseAddress` gives back. */
export type IpAddress = string;

/** The address family, or undefined if `text` is no IP address. IPv6 brackets and zones are not accepted. */
export function familyOf(text: string): IpFamily | undefined {
  const family = isIP(text);
  return family === 4 || (family === 6 && !text.includes("%")) ? (family as IpFamily) : undefined;
}

/** Canonical form (RFC 5952 for IPv6), or undefined if `text` is no IP address. */
export function parseAddress(text: string): IpAddress | undefined {
  const family = familyOf(text);
  if (family === undefined) return undefined;
  return family === 4 ? text : new URL(`http://[${text}]`).hostname.slice(1, -1);
}

/** As a socket tells a peer's address: IPv4 that a dual-stack socket maps (`::ffff:192.0.2.1`) as IPv4, all else as it is. */
export const unmapped = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, "");

/**
 * What counts as one source where sources are counted: of IPv6 the /64, since a host has all of it to choose from (RFC 4291
 * §2.5.1); of IPv4 the address. What is no address is a source by itself.
 */
export function sourceKey(address: string): string {
  const plain = unmapped(address);
  const bare = plain.split("%", 1)[0] ?? "";
  if (familyOf(bare) !== 6) return plain;
  const octets = addressToBytes(bare);
  return `${[0, 2, 4, 6].map((at) => octets.readUInt16BE(at).toString(16)).join(":")}::/64`;
}

/** Network-order octets: 4 or 16. @throws InternalError if `address` is no IP address. */
export function addressToBytes(address: IpAddress): Buffer {
  const family = familyOf(address);
  if (family === 4) return Buffer.from(address.split(".").map(Number));
  if (family !== 6) throw new InternalError("IP_ADDRESS", `not an IP address: ${address}`);
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [head = "", tail] = canonical.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? [] : new Array<string>(8 - left.length - right.length).fill("0");
  const bytes = Buffer.alloc(16);
  [...left, ...zeros, ...right].forEach((group, index) => {
    bytes.writeUInt16BE(Number.parseInt(group, 16), index * 2);
  });
  return bytes;
}

/** Canonical text of 4 or 16 network-order octets. */
export function addressFromBytes(bytes: Uint8Array): IpAddress {
  if (bytes.length === 4) return [...bytes].join(".");
  if (bytes.length !== 16)
    throw new InternalError("IP_ADDRESS", `an IP address has 4 or 16 octets, not ${bytes.length}`);
  const view = Buffer.from(bytes);
  const groups = Array.from({ length: 8 }, (_, index) => view.readUInt16BE(index * 2).toString(16));
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}

export interface IpPrefix {
  readonly address: IpAddress;
  readonly length: number;
}

/** `10.1.0.0/24` or `fd01::/64`; undefined if it is neither or has host bits set. */
export function parsePrefix(text: string): IpPrefix | undefined {
  const [base = "", bits = "", ...rest] = text.split("/");
  const address = parseAddress(base);
  if (address === undefined || rest.length > 0 || !/^\d{1,3}$/.test(bits)) return undefined;
  const prefix = { address, length: Number(bits) };
  const bytes = addressToBytes(address);
  if (prefix.length > bytes.length * 8) return undefined;
  const hostBitsSet = bytes.some((octet, index) => (octet & ~maskOctet(prefix.length, index) & 0xff) !== 0);
  return hostBitsSet ? undefined : prefix;
}

function maskOctet(length: number, index: number): number {
  const bits = Math.min(8, Math.max(0, length - index * 8));
  return (0xff << (8 - bits)) & 0xff;
}

export function prefixContains(prefix: IpPrefix, address: IpAddress): boolean {
  if (familyOf(address) !== familyOf(prefix.address)) return false;
  const base = addressToBytes(prefix.address);
  return addressToBytes(address).every((octet, index) => (octet & maskOctet(prefix.length, index)) === base[index]);
}

/** `host:port`, with brackets around an IPv6 host. */
export function formatEndpoint(address: IpAddress, port: number): string {
  return familyOf(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}

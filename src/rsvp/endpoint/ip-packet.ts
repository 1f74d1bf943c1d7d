/** IP packets that carry RSVP: headers put on and taken off. Pure. RFC 791, RFC 8200; Router Alert: RFC 2113, RFC 2711. */
import { addressFromBytes, addressToBytes, familyOf, type IpAddress } from "../../model/ip.js";
import type { RouterAlert } from "./transport.js";

const IPV4_HEADER = 20;
const IPV6_HEADER = 40;
const HOP_BY_HOP = 0;
/** An option with Router Alert and the padding that makes the header eight octets. */
const HOP_BY_HOP_LENGTH = 8;

const IPV4_OPTION = { end: 0, noOperation: 1, routerAlert: 0x94 } as const;
const IPV6_OPTION = { pad1: 0, padN: 1, routerAlert: 5 } as const;
/** RFC 2711 §2.1: the datagram contains an RSVP message. */
const IPV6_ALERT_RSVP = 1;
/** Nesting depths have the values from 3 on (RFC 3175 §7); depth 0 is plain RSVP. */
const IPV6_ALERT_NESTING = 3;

export interface IpPacket {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  readonly protocol: number;
  readonly ttl: number;
  readonly tos: number;
  readonly routerAlert?: RouterAlert;
  readonly payload: Buffer;
}

/** `source` may be left out with IPv4: the kernel then fills it in, as it does length, id and checksum. */
export type IpPacketToBuild = Omit<IpPacket, "source"> & { readonly source?: IpAddress };

/** Octets for a socket with its header included. Source and destination are of one family. */
export function buildPacket(packet: IpPacketToBuild): Buffer {
  return familyOf(packet.destination) === 4 ? buildIpv4(packet) : buildIpv6(packet);
}

function buildIpv4({ source, destination, protocol, ttl, tos, routerAlert, payload }: IpPacketToBuild): Buffer {
  const options = routerAlert === undefined ? 0 : 4;
  const header = Buffer.alloc(IPV4_HEADER + options);
  header.writeUInt8((4 << 4) | (header.length / 4), 0);
  header.writeUInt8(tos, 1);
  header.writeUInt16BE(header.length + payload.length, 2);
  header.writeUInt8(ttl, 8);
  header.writeUInt8(protocol, 9);
  if (source !== undefined) addressToBytes(source).copy(header, 12);
  addressToBytes(destination).copy(header, 16);
  if (routerAlert !== undefined) {
    header.set([IPV4_OPTION.routerAlert, 4], IPV4_HEADER);
    header.writeUInt16BE(routerAlert, IPV4_HEADER + 2);
  }
  return Buffer.concat([header, payload]);
}

function buildIpv6({ source = "::", destination, protocol, ttl, tos, routerAlert, payload }: IpPacketToBuild): Buffer {
  const options = routerAlert === undefined ? 0 : HOP_BY_HOP_LENGTH;
  const header = Buffer.alloc(IPV6_HEADER + options);
  header.writeUInt32BE(((6 << 28) | (tos << 20)) >>> 0, 0);
  header.writeUInt16BE(options + payload.length, 4);
  header.writeUInt8(routerAlert === undefined ? protocol : HOP_BY_HOP, 6);
  header.writeUInt8(ttl, 7);
  addressToBytes(source).copy(header, 8);
  addressToBytes(destination).copy(header, 24);
  if (routerAlert !== undefined) {
    header.set([protocol, 0, IPV6_OPTION.routerAlert, 2, 0, 0, IPV6_OPTION.padN, 0], IPV6_HEADER);
    header.writeUInt16BE(ipv6AlertOf(routerAlert), IPV6_HEADER + 4);
  }
  return Buffer.concat([header, payload]);
}

/** The value on the wire; the sockets that are to intercept it must name it. */
export const ipv6AlertOf = (alert: RouterAlert): number => (alert === 0 ? IPV6_ALERT_RSVP : IPV6_ALERT_NESTING + alert);

function alertOfIpv6(value: number): RouterAlert | undefined {
  if (value === IPV6_ALERT_RSVP) return 0;
  return value >= IPV6_ALERT_NESTING ? value - IPV6_ALERT_NESTING : undefined;
}

/** A view of the packet; undefined if the octets are no whole IP packet. */
export function readPacket(octets: Buffer): IpPacket | undefined {
  const version = octets.length === 0 ? 0 : octets.readUInt8(0) >> 4;
  if (version === 4) return readIpv4(octets);
  return version === 6 ? readIpv6(octets) : undefined;
}

function readIpv4(octets: Buffer): IpPacket | undefined {
  if (octets.length < IPV4_HEADER) return undefined;
  const header = (octets.readUInt8(0) & 0x0f) * 4;
  const total = octets.readUInt16BE(2);
  if (header < IPV4_HEADER || total < header || octets.length < total) return undefined;
  const routerAlert = ipv4Alert(octets.subarray(IPV4_HEADER, header));
  return {
    source: addressFromBytes(octets.subarray(12, 16)),
    destination: addressFromBytes(octets.subarray(16, 20)),
    protocol: octets.readUInt8(9),
    ttl: octets.readUInt8(8),
    tos: octets.readUInt8(1),
    ...(routerAlert === undefined ? {} : { routerAlert }),
    payload: octets.subarray(header, total),
  };
}

function ipv4Alert(options: Buffer): RouterAlert | undefined {
  for (let at = 0; at < options.length; ) {
    const type = options.readUInt8(at);
    if (type === IPV4_OPTION.end) return undefined;
    const length = type === IPV4_OPTION.noOperation ? 1 : (options[at + 1] ?? 0);
    if (length === 0 || at + length > options.length) return undefined;
    if (type === IPV4_OPTION.routerAlert) return length === 4 ? options.readUInt16BE(at + 2) : undefined;
    if (type !== IPV4_OPTION.noOperation && length < 2) return undefined;
    at += length;
  }
  return undefined;
}

/** Of the extension headers only Hop-by-Hop is looked into; with another one, `protocol` is that header's. */
function readIpv6(octets: Buffer): IpPacket | undefined {
  if (octets.length < IPV6_HEADER) return undefined;
  const end = IPV6_HEADER + octets.readUInt16BE(4);
  if (octets.length < end) return undefined;
  let protocol = octets.readUInt8(6);
  let start = IPV6_HEADER;
  let routerAlert: RouterAlert | undefined;
  if (protocol === HOP_BY_HOP) {
    if (end < start + HOP_BY_HOP_LENGTH) return undefined;
    protocol = octets.readUInt8(start);
    const after = start + (octets.readUInt8(start + 1) + 1) * 8;
    if (after > end) return undefined;
    routerAlert = ipv6Alert(octets.subarray(start + 2, after));
    start = after;
  }
  return {
    source: addressFromBytes(octets.subarray(8, 24)),
    destination: addressFromBytes(octets.subarray(24, 40)),
    protocol,
    ttl: octets.readUInt8(7),
    tos: (octets.readUInt16BE(0) >> 4) & 0xff,
    ...(routerAlert === undefined ? {} : { routerAlert }),
    payload: octets.subarray(start, end),
  };
}

function ipv6Alert(options: Buffer): RouterAlert | undefined {
  for (let at = 0; at < options.length; ) {
    const type = options.readUInt8(at);
    const length = type === IPV6_OPTION.pad1 ? 1 : 2 + (options[at + 1] ?? options.length);
    if (at + length > options.length) return undefined;
    if (type === IPV6_OPTION.routerAlert) return length === 4 ? alertOfIpv6(options.readUInt16BE(at + 2)) : undefined;
    at += length;
  }
  return undefined;
}

/** One hop further, for a packet that was taken out of forwarding; undefined if its hop limit is used up. IPv6 only. */
export function passedOn(octets: Buffer): Buffer | undefined {
  const copy = Buffer.from(octets);
  const ttl = copy.readUInt8(7);
  if (ttl <= 1) return undefined;
  copy.writeUInt8(ttl - 1, 7);
  return copy;
}

/** A UDP datagram out of a captured frame: addresses, DSCP, and its size at layer 3. */
import { addressFromBytes, type IpAddress } from "../model/ip.js";
import type { Dscp, Octets } from "../model/units.js";
import { LINK_TYPE } from "./pcap.js";

export interface Datagram {
  readonly source: IpAddress;
  readonly sourcePort: number;
  readonly destination: IpAddress;
  readonly destinationPort: number;
  readonly dscp: Dscp;
  /** The whole IP packet, as nftables counts it. */
  readonly octets: Octets;
  readonly payload: Buffer;
}

const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;
const UDP = 17;
const UDP_HEADER = 8;

/** Undefined for whatever is not one whole UDP datagram (fragments and IPv6 extension headers are not followed). */
export function readDatagram(linkType: number, frame: Buffer): Datagram | undefined {
  const packet = networkLayer(linkType, frame);
  if (packet === undefined || packet.length === 0) return undefined;
  const version = packet.readUInt8(0) >> 4;
  if (version === 4) return readIpv4(packet);
  return version === 6 ? readIpv6(packet) : undefined;
}

function networkLayer(linkType: number, frame: Buffer): Buffer | undefined {
  if (linkType === LINK_TYPE.raw) return frame;
  const header = {
    [LINK_TYPE.ethernet]: [12, 14],
    [LINK_TYPE.linuxCooked]: [14, 16],
    [LINK_TYPE.linuxCooked2]: [0, 20],
  };
  const [typeAt, length] = header[linkType as keyof typeof header] ?? [];
  if (typeAt === undefined || length === undefined || frame.length < length) return undefined;
  const type = frame.readUInt16BE(typeAt);
  return type === ETHERTYPE_IPV4 || type === ETHERTYPE_IPV6 ? frame.subarray(length) : undefined;
}

function readIpv4(packet: Buffer): Datagram | undefined {
  if (packet.length < 20) return undefined;
  const header = (packet.readUInt8(0) & 0x0f) * 4;
  const isFragment = (packet.readUInt16BE(6) & 0x3fff) !== 0;
  if (header < 20 || isFragment || packet.readUInt8(9) !== UDP) return undefined;
  return readUdp(packet.subarray(header), {
    source: addressFromBytes(packet.subarray(12, 16)),
    destination: addressFromBytes(packet.subarray(16, 20)),
    dscp: (packet.readUInt8(1) >> 2) as Dscp,
    octets: packet.readUInt16BE(2) as Octets,
  });
}

function readIpv6(packet: Buffer): Datagram | undefined {
  if (packet.length < 40 || packet.readUInt8(6) !== UDP) return undefined;
  return readUdp(packet.subarray(40), {
    source: addressFromBytes(packet.subarray(8, 24)),
    destination: addressFromBytes(packet.subarray(24, 40)),
    dscp: ((packet.readUInt16BE(0) >> 6) & 0x3f) as Dscp,
    octets: (packet.readUInt16BE(4) + 40) as Octets,
  });
}

type IpPart = Pick<Datagram, "source" | "destination" | "dscp" | "octets">;

function readUdp(segment: Buffer, ip: IpPart): Datagram | undefined {
  if (segment.length < UDP_HEADER) return undefined;
  const length = Math.max(UDP_HEADER, Math.min(segment.length, segment.readUInt16BE(4)));
  return {
    ...ip,
    sourcePort: segment.readUInt16BE(0),
    destinationPort: segment.readUInt16BE(2),
    payload: segment.subarray(UDP_HEADER, length),
  };
}

/** Packets as they leave an Ethernet device, written without any code of the program's. */

export interface PacketFields {
  readonly family?: 4 | 6;
  readonly protocol?: number;
  readonly source?: readonly [string, number];
  readonly destination?: readonly [string, number];
  /** TOS or traffic class, with ECN. */
  readonly tos?: number;
  readonly payload?: number;
  /** IPv4: DF 0x4000, MF 0x2000, offset. */
  readonly fragment?: number;
  /** IPv4: 32-bit words of options. */
  readonly options?: number;
  readonly id?: number;
}

export const UDP = 17;
export const TCP = 6;

const MACS = Buffer.from("02000000000b02000000020b", "hex");

/** Octets of an address; IPv6 without `::` in the middle of other than eight groups. */
export function octetsOf(address: string): Buffer {
  if (!address.includes(":")) return Buffer.from(address.split(".").map(Number));
  const [left = "", right = ""] = address.split("::");
  const groups = (text: string): readonly string[] => (text === "" ? [] : text.split(":"));
  const gap = 8 - groups(left).length - groups(right).length;
  const all = [...groups(left), ...Array.from({ length: gap }, () => "0"), ...groups(right)];
  return Buffer.from(all.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255]));
}

/** RFC 1071, over the whole of the octets. */
export function internetChecksum(octets: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < octets.length; at += 2) sum += (octets[at]! << 8) | (octets[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

export const A4 = "10.1.0.2";
export const B4 = "10.3.0.2";
export const A6 = "2001:db8:1::2";
export const B6 = "2001:db8:3::2";

export function packetOf(fields: PacketFields = {}): Buffer {
  const { family = 4, protocol = UDP, tos = 0, payload = 100, fragment = 0x4000, options = 0, id = 7 } = fields;
  const { source = [family === 4 ? A4 : A6, 20_000], destination = [family === 4 ? B4 : B6, 16_384] } = fields;
  const transport = Buffer.alloc((protocol === TCP ? 20 : 8) + payload, 0x5a);
  transport.writeUInt16BE(source[1], 0);
  transport.writeUInt16BE(destination[1], 2);
  const header = family === 4 ? Buffer.alloc(20 + 4 * options) : Buffer.alloc(40);
  if (family === 4) {
    header.writeUInt8(0x45 + options, 0);
    header.writeUInt8(tos, 1);
    header.writeUInt16BE(header.length + transport.length, 2);
    header.writeUInt16BE(id, 4);
    header.writeUInt16BE(fragment, 6);
    header.writeUInt8(63, 8);
    header.writeUInt8(protocol, 9);
    octetsOf(source[0]).copy(header, 12);
    octetsOf(destination[0]).copy(header, 16);
    header.writeUInt16BE(internetChecksum(header), 10);
  } else {
    header.writeUInt32BE(0x60000000 + tos * 0x100000 + 0x12345, 0);
    header.writeUInt16BE(transport.length, 4);
    header.writeUInt8(protocol, 6);
    header.writeUInt8(63, 7);
    octetsOf(source[0]).copy(header, 8);
    octetsOf(destination[0]).copy(header, 24);
  }
  return Buffer.concat([MACS, Buffer.from(family === 4 ? "0800" : "86dd", "hex"), header, transport]);
}

/** Of a packet of `packetOf`: TOS or traffic class. */
export const tosOf = (packet: Buffer): number =>
  packet[12] === 8 ? packet[15]! : ((packet[14]! & 15) << 4) | (packet[15]! >> 4);

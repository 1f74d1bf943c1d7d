/** Builds captures for tests: pcap files of Ethernet frames with UDP or TCP over IPv4 or IPv6. */
import { addressToBytes, familyOf, type IpAddress } from "../../src/model/ip.js";

export interface Ends {
  readonly from: IpAddress;
  readonly fromPort: number;
  readonly to: IpAddress;
  readonly toPort: number;
  readonly dscp?: number;
}

export interface TimedFrame {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly bytes: Buffer;
}

const u16 = (...values: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(values.length * 2);
  values.forEach((value, index) => {
    bytes.writeUInt16BE(value & 0xffff, index * 2);
  });
  return bytes;
};
const u32 = (value: number): Buffer => u16(value >>> 16, value);

/** `fraction` is the number of units in a second: 1e6 as tcpdump writes, or 1e9. */
export function pcapFile(frames: readonly TimedFrame[], linkType = 1, fraction = 1e6): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(fraction === 1e9 ? 0xa1b23c4d : 0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(65535, 16);
  header.writeUInt32LE(linkType, 20);
  const records = frames.flatMap(({ at, bytes }) => {
    const record = Buffer.alloc(16);
    record.writeUInt32LE(Math.floor(at / 1000), 0);
    record.writeUInt32LE(Math.round((at % 1000) * (fraction / 1000)), 4);
    record.writeUInt32LE(bytes.length, 8);
    record.writeUInt32LE(bytes.length, 12);
    return [record, bytes];
  });
  return Buffer.concat([header, ...records]);
}

export const udpFrame = (ends: Ends, payload: Buffer): Buffer =>
  ethernet(ends, 17, Buffer.concat([u16(ends.fromPort, ends.toPort, payload.length + 8, 0), payload]));

export const tcpFrame = (ends: Ends, sequence: number, payload: Buffer): Buffer =>
  ethernet(
    ends,
    6,
    Buffer.concat([u16(ends.fromPort, ends.toPort), u32(sequence), u32(1), u16(0x5018, 65535, 0, 0), payload]),
  );

function ethernet(ends: Ends, protocol: number, body: Buffer): Buffer {
  const macs = Buffer.from("020000000002020000000001", "hex");
  const isV4 = familyOf(ends.from) === 4;
  return Buffer.concat([
    macs,
    u16(isV4 ? 0x0800 : 0x86dd),
    isV4 ? ipv4(ends, protocol, body) : ipv6(ends, protocol, body),
  ]);
}

function ipv4({ from, to, dscp = 0 }: Ends, protocol: number, body: Buffer): Buffer {
  const first = Buffer.from([0x45, dscp << 2]);
  const rest = Buffer.concat([u16(body.length + 20, 1, 0x4000), Buffer.from([63, protocol]), u16(0)]);
  return Buffer.concat([first, rest, addressToBytes(from), addressToBytes(to), body]);
}

function ipv6({ from, to, dscp = 0 }: Ends, protocol: number, body: Buffer): Buffer {
  const first = u32(((0x60 << 24) | (dscp << 22)) >>> 0);
  const rest = Buffer.concat([u16(body.length), Buffer.from([protocol, 63])]);
  return Buffer.concat([first, rest, addressToBytes(from), addressToBytes(to), body]);
}

/** An RTP packet with 160 samples of payload type 0. */
export function rtp(sequence: number, timestamp = sequence * 160, ssrc = 0xca110000): Buffer {
  return Buffer.concat([Buffer.from([0x80, 0]), u16(sequence), u32(timestamp), u32(ssrc), Buffer.alloc(160, 0xd5)]);
}

export type CopsObject = readonly [cNum: number, cType: number, content: Buffer];

/** A COPS message (RFC 2748 §2.1); `flags` 1 means solicited. */
export function cops(op: number, clientType: number, objects: readonly CopsObject[], flags = 0): Buffer {
  const body = Buffer.concat(
    objects.map(([cNum, cType, content]) => {
      const padding = Buffer.alloc((4 - (content.length % 4)) % 4);
      return Buffer.concat([u16(content.length + 4), Buffer.from([cNum, cType]), content, padding]);
    }),
  );
  return Buffer.concat([Buffer.from([0x10 | flags, op]), u16(clientType), u32(body.length + 8), body]);
}

export const handle = (number: number): CopsObject => [1, 1, u32(number)];
export const context = (rType: number, mType: number): CopsObject => [2, 1, u16(rType, mType)];
/** Command: 0 null, 1 install, 2 remove. */
export const decisionFlags = (command: number): CopsObject => [6, 1, u16(command, 0)];
export const reportType = (type: number): CopsObject => [12, 1, u16(type, 0)];

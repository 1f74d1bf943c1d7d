/** UDP packets on a link between two edges, those inside a VXLAN tunnel (RFC 7348 §5) with what is around them. */
import { readFile } from "node:fs/promises";
import { type Datagram, readDatagram } from "../../../src/lab/datagram.js";
import { LINK_TYPE, readCapture } from "../../../src/lab/pcap.js";

const VXLAN_PORT = 4789;
const VXLAN_HEADER = 8;

export interface LinkPacket {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly datagram: Datagram;
  /** Time to live, or hop limit. */
  readonly ttl: number;
  /** Carries the packet, if a tunnel does. */
  readonly outer: Omit<LinkPacket, "outer"> | undefined;
}

/** In capture order. @param path - of a pcap file of an Ethernet link */
export async function linkPackets(path: string): Promise<readonly LinkPacket[]> {
  const { linkType, frames } = readCapture(await readFile(path));
  if (linkType !== LINK_TYPE.ethernet) throw new Error(`${path} is no capture of Ethernet`);
  return frames.flatMap(({ at, bytes }): readonly LinkPacket[] => {
    const found = readFrame(at, bytes);
    if (found === undefined) return [];
    if (found.datagram.destinationPort !== VXLAN_PORT) return [{ ...found, outer: undefined }];
    const inner = readFrame(at, found.datagram.payload.subarray(VXLAN_HEADER));
    return inner === undefined ? [] : [{ ...inner, outer: found }];
  });
}

const ETHERNET_HEADER = 14;

function readFrame(at: number, frame: Buffer): Omit<LinkPacket, "outer"> | undefined {
  const datagram = readDatagram(LINK_TYPE.ethernet, frame);
  if (datagram === undefined) return undefined;
  const version = frame.readUInt8(ETHERNET_HEADER) >> 4;
  return { at, datagram, ttl: frame.readUInt8(ETHERNET_HEADER + (version === 4 ? 8 : 7)) };
}

/** As `show tunnels` writes it. */
export const flowOf = ({ source, sourcePort, destination, destinationPort }: Datagram): string =>
  `${source}:${sourcePort} > ${destination}:${destinationPort}`;

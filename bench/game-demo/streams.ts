/**
 * The packets of a browser's connection, from a capture at each end. What is in them is encrypted, and their numbers with it; but no
 * two have the same payload, and a router changes none: so packets are told apart by a digest of it.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { type Datagram, readDatagram } from "../../src/lab/datagram.js";
import type { CallMedia } from "../../src/lab/demo/evidence.js";
import { type MediaFigures, measureStream, type RtpPacket } from "../../src/lab/media.js";
import { readCapture } from "../../src/lab/pcap.js";

/** Both ends of a connection, `address:port`. */
export interface Connection {
  readonly caller: string;
  readonly callee: string;
}

/** A datagram of a capture, with the time that it was seen. */
export type SeenDatagram = Datagram & { readonly at: RtpPacket["at"] };

/** Epoch milliseconds. */
export interface Period {
  readonly from: number;
  readonly to: number;
}

const sourceOf = ({ source, sourcePort }: Datagram): string => `${source}:${sourcePort}`;
const destinationOf = ({ destination, destinationPort }: Datagram): string => `${destination}:${destinationPort}`;

export async function readDatagrams(capture: string): Promise<readonly SeenDatagram[]> {
  const { linkType, frames } = readCapture(await readFile(capture));
  return frames.flatMap(({ at, bytes }) => {
    const datagram = readDatagram(linkType, bytes);
    return datagram === undefined ? [] : [{ ...datagram, at }];
  });
}

/** `udp 10.1.0.10:41912 > 10.3.0.10:57933`, as `show policies` writes a flow. */
export function connectionOf(flow: string, caller: string): Connection | undefined {
  const [, source, destination] = /^udp (\S+:\d+) > (\S+:\d+)$/.exec(flow) ?? [];
  if (source === undefined || destination === undefined) return undefined;
  return source.startsWith(`${caller}:`)
    ? { caller: source, callee: destination }
    : { caller: destination, callee: source };
}

/** The connection between two hosts with the most packets, of those that are not `known`. */
export function otherConnection(
  seen: readonly SeenDatagram[],
  hosts: { readonly caller: string; readonly callee: string },
  known: Connection,
): Connection | undefined {
  const counts = new Map<string, { packets: number; connection: Connection }>();
  for (const datagram of seen) {
    if (datagram.source !== hosts.caller || datagram.destination !== hosts.callee) continue;
    const connection = { caller: sourceOf(datagram), callee: destinationOf(datagram) };
    if (connection.caller === known.caller && connection.callee === known.callee) continue;
    const key = `${connection.caller} ${connection.callee}`;
    const counted = counts.get(key) ?? { packets: 0, connection };
    counted.packets += 1;
    counts.set(key, counted);
  }
  return [...counts.values()].sort((left, right) => right.packets - left.packets)[0]?.connection;
}

interface BothEnds {
  readonly caller: readonly SeenDatagram[];
  readonly callee: readonly SeenDatagram[];
}

/** Of packets that left within the period, whenever they came. */
export function measureConnection({ caller, callee }: Connection, seen: BothEnds, period: Period): CallMedia {
  return {
    toCallee: measured(seen.caller, seen.callee, caller, callee, period),
    toCaller: measured(seen.callee, seen.caller, callee, caller, period),
  };
}

function measured(
  sender: readonly SeenDatagram[],
  receiver: readonly SeenDatagram[],
  from: string,
  to: string,
  period: Period,
): MediaFigures {
  const ours = (seen: readonly SeenDatagram[]): readonly Named[] =>
    seen.filter((datagram) => sourceOf(datagram) === from && destinationOf(datagram) === to).map(named);
  const sent = ours(sender).filter(({ packet: { at } }) => at >= period.from && at <= period.to);
  const names = new Set(sent.map(({ name }) => name));
  const received = ours(receiver).filter(({ name }) => names.has(name));
  return measureStream(
    sent.map(({ packet }) => packet),
    received.map(({ packet }) => packet),
  );
}

interface Named {
  readonly name: string;
  readonly packet: RtpPacket;
}

/** As an RTP packet whose SSRC, number and time are ten octets of the payload's digest: what tells packets apart there. */
function named({ at, dscp, octets, payload }: SeenDatagram): Named {
  const digest = createHash("sha256").update(payload).digest();
  const identity = {
    ssrc: digest.readUInt32BE(0),
    timestamp: digest.readUInt32BE(4),
    sequence: digest.readUInt16BE(8),
  };
  return { name: digest.toString("latin1", 0, 10), packet: { at, dscp, octets, ...identity } };
}

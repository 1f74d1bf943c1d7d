/** What a capture of the core link shows of the calls' media: each outer 5-tuple, and how many are inside. */
import { readFile } from "node:fs/promises";
import { type Datagram, readDatagram } from "../../src/lab/datagram.js";
import { LINK_TYPE, readCapture } from "../../src/lab/pcap.js";
import type { OuterFlow } from "./evidence.js";

const VXLAN = { port: 4789, header: 8 } as const;

const flowOf = ({ source, sourcePort, destination, destinationPort }: Datagram): string =>
  `udp ${source}:${sourcePort} > ${destination}:${destinationPort}`;

/** The most packets first. @param capture - filtered to tunnels and media */
export async function outerFlows(capture: string): Promise<readonly OuterFlow[]> {
  const { linkType, frames } = readCapture(await readFile(capture));
  const flows = new Map<string, { packets: number; dscp: Set<number>; inner: Set<string> }>();
  for (const { bytes } of frames) {
    const outer = readDatagram(linkType, bytes);
    if (outer === undefined) continue;
    const name = flowOf(outer);
    const flow = flows.get(name) ?? { packets: 0, dscp: new Set(), inner: new Set() };
    flows.set(name, flow);
    flow.packets += 1;
    flow.dscp.add(outer.dscp);
    if (outer.destinationPort !== VXLAN.port) continue;
    const inner = readDatagram(LINK_TYPE.ethernet, outer.payload.subarray(VXLAN.header));
    flow.inner.add(inner === undefined ? "not UDP" : flowOf(inner));
  }
  return [...flows]
    .map(([flow, { packets, dscp, inner }]) => ({
      flow,
      packets,
      dscp: [...dscp].sort((left, right) => left - right),
      inner: inner.size,
    }))
    .sort((left, right) => right.packets - left.packets);
}

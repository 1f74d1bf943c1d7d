/** A unidirectional flow of a session, and the traffic it may carry. */
import { formatEndpoint, type IpAddress } from "./ip.js";
import type { BitsPerSecond, Octets } from "./units.js";

/** IANA protocol numbers of the transports that sessions use. */
export const IP_PROTOCOL = { tcp: 6, udp: 17 } as const;
export type TransportProtocol = keyof typeof IP_PROTOCOL;

/**
 * What identifies the packets of a flow. The destination is always exact; a source port of `undefined`
 * stands for any, for media that is sent from another port than it is received on.
 */
export interface FlowKey {
  readonly protocol: TransportProtocol;
  readonly source: { readonly address: IpAddress; readonly port: number | undefined };
  readonly destination: { readonly address: IpAddress; readonly port: number };
}

/** Token bucket of a flow, counted at the IP layer (headers of IP and above included). */
export interface TrafficSpec {
  readonly rate: BitsPerSecond;
  readonly burst: Octets;
  /** For turning layer-3 into layer-2 octets, and for packet limits; the session's steady state. */
  readonly packetsPerSecond: number;
  /** The largest packet, where the session's descriptions tell it and all of the media's packets are about as large. */
  readonly packetSize?: Octets;
}

/** `up` leaves the access network that a router serves, `down` enters it. */
export type FlowDirection = "up" | "down";

/** A flow of a session as the policy server knows it. */
export interface SessionFlow {
  readonly key: FlowKey;
  readonly component: "rtp" | "rtcp" | "data";
  readonly direction: FlowDirection;
  readonly traffic: TrafficSpec;
}

export function describeFlow(key: FlowKey): string {
  const source =
    key.source.port === undefined ? `${key.source.address}:*` : formatEndpoint(key.source.address, key.source.port);
  return `${key.protocol} ${source} > ${formatEndpoint(key.destination.address, key.destination.port)}`;
}

/** A string that is equal for equal keys. */
export const flowKeyId = describeFlow;

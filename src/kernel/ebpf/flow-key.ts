/** Keys of the flow and server maps, as the program makes them from a packet: everything in network order. Pure. */
import { type FlowKey, IP_PROTOCOL, type TransportProtocol } from "../../model/flow.js";
import type { IpAddress, IpFamily } from "../../model/ip.js";
import { ADDRESS_LENGTH, addressAt, familyOfCanonical, putAddress } from "./address-octets.js";

/** Addresses, ports, protocol and three octets of zero. */
export const FLOW_KEY_LENGTH = { 4: 16, 6: 40 } as const;
export const SERVER_KEY_LENGTH = 20;
const SERVER = { port: 16, protocol: 18, family: 19 } as const;

export interface PackedKey {
  readonly family: IpFamily;
  readonly octets: Uint8Array;
}

function putPort(octets: Uint8Array, at: number, port: number): void {
  octets[at] = port >>> 8;
  octets[at + 1] = port;
}

const portAt = (octets: Uint8Array, at: number): number => ((octets[at] ?? 0) << 8) | (octets[at + 1] ?? 0);

function protocolOf(number: number | undefined): TransportProtocol | undefined {
  if (number === IP_PROTOCOL.udp) return "udp";
  return number === IP_PROTOCOL.tcp ? "tcp" : undefined;
}

/** Both addresses canonical and of one family; a source port of 0 stands for any. */
export function encodeFlowKey({ protocol, source, destination }: FlowKey): PackedKey {
  const family = familyOfCanonical(destination.address);
  const octets = new Uint8Array(FLOW_KEY_LENGTH[family]);
  const ports = 2 * ADDRESS_LENGTH[family];
  putAddress(octets, 0, source.address);
  putAddress(octets, ADDRESS_LENGTH[family], destination.address);
  putPort(octets, ports, source.port ?? 0);
  putPort(octets, ports + 2, destination.port);
  octets[ports + 4] = IP_PROTOCOL[protocol];
  return { family, octets };
}

/** Undefined for what no flow of ours has. */
export function decodeFlowKey(family: IpFamily, octets: Uint8Array, at = 0): FlowKey | undefined {
  const ports = at + 2 * ADDRESS_LENGTH[family];
  const protocol = protocolOf(octets[ports + 4]);
  const port = portAt(octets, ports + 2);
  const filled = (octets[ports + 5] ?? 0) | (octets[ports + 6] ?? 0) | (octets[ports + 7] ?? 0);
  if (protocol === undefined || port === 0 || filled !== 0) return undefined;
  return {
    protocol,
    source: { address: addressAt(octets, at, family), port: portAt(octets, ports) || undefined },
    destination: { address: addressAt(octets, at + ADDRESS_LENGTH[family], family), port },
  };
}

export interface Server {
  readonly protocol: TransportProtocol;
  readonly address: IpAddress;
  readonly port: number;
}

export function encodeServerKey({ protocol, address, port }: Server): Uint8Array {
  const octets = new Uint8Array(SERVER_KEY_LENGTH);
  putAddress(octets, 0, address);
  putPort(octets, SERVER.port, port);
  octets[SERVER.protocol] = IP_PROTOCOL[protocol];
  octets[SERVER.family] = familyOfCanonical(address);
  return octets;
}

/** Undefined for what is no key of ours. */
export function decodeServerKey(octets: Uint8Array, at = 0): Server | undefined {
  const protocol = protocolOf(octets[at + SERVER.protocol]);
  const family = octets[at + SERVER.family];
  if (protocol === undefined || (family !== 4 && family !== 6)) return undefined;
  return { protocol, address: addressAt(octets, at, family), port: portAt(octets, at + SERVER.port) };
}

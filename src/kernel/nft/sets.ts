/** The maps of the table, and what the key of each is made of. */
import { type FlowKey, IP_PROTOCOL, type TransportProtocol } from "../../model/flow.js";
import { addressFromBytes, addressToBytes, familyOf, type IpFamily } from "../../model/ip.js";

/** In profile: element = limit + counter. Out of profile: counter. `any`: the source port is not in the key. */
export interface SessionSet {
  readonly name: string;
  readonly family: IpFamily;
  readonly anySourcePort: boolean;
  readonly profile: "in" | "out";
}

const set = (profile: "in" | "out", family: IpFamily, anySourcePort: boolean): SessionSet => ({
  name: `${profile}${family}${anySourcePort ? "any" : ""}`,
  family,
  anySourcePort,
  profile,
});

/** In the order in which a packet of a family meets them. */
export const SESSION_SETS: readonly SessionSet[] = ([4, 6] as const).flatMap((family) => [
  set("in", family, false),
  set("out", family, false),
  set("in", family, true),
  set("out", family, true),
]);

/** Pool -> HTB class. */
export const POOL_SET = "pools";
/** What the table was made for: read back after a restart. */
export const STATE_SET = "state";

export function setNameOf(key: FlowKey, profile: "in" | "out"): string {
  const family = familyOf(key.destination.address) === 6 ? 6 : 4;
  return set(profile, family, key.source.port === undefined).name;
}

const FIELD = 4;

/** Concatenated fields, each padded to four octets: protocol, source [, port], destination, port. */
export function encodeKey(key: FlowKey): Buffer {
  const source = addressToBytes(key.source.address);
  const destination = addressToBytes(key.destination.address);
  const withPort = key.source.port !== undefined;
  const octets = Buffer.alloc(FIELD + source.length + (withPort ? FIELD : 0) + destination.length + FIELD);
  let at = 0;
  octets[at] = IP_PROTOCOL[key.protocol];
  at += FIELD;
  octets.set(source, at);
  at += source.length;
  if (key.source.port !== undefined) {
    octets.writeUInt16BE(key.source.port, at);
    at += FIELD;
  }
  octets.set(destination, at);
  octets.writeUInt16BE(key.destination.port, at + destination.length);
  return octets;
}

const protocolOf = (value: number | undefined): TransportProtocol | undefined =>
  value === IP_PROTOCOL.udp ? "udp" : value === IP_PROTOCOL.tcp ? "tcp" : undefined;

/** Undefined for a key that we never make. */
export function decodeKey(from: SessionSet, octets: Buffer): FlowKey | undefined {
  const width = from.family === 4 ? 4 : 16;
  const portWidth = from.anySourcePort ? 0 : FIELD;
  const protocol = protocolOf(octets[0]);
  if (protocol === undefined || octets.length !== FIELD + width + portWidth + width + FIELD) return undefined;
  const destinationAt = FIELD + width + portWidth;
  return {
    protocol,
    source: {
      address: addressFromBytes(octets.subarray(FIELD, FIELD + width)),
      port: from.anySourcePort ? undefined : octets.readUInt16BE(FIELD + width),
    },
    destination: {
      address: addressFromBytes(octets.subarray(destinationAt, destinationAt + width)),
      port: octets.readUInt16BE(destinationAt + width),
    },
  };
}

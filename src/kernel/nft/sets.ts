/** The maps of the table, and what the key of each is made of. */
import { type FlowKey, IP_PROTOCOL, type TransportProtocol } from "../../model/flow.js";
import { addressFromBytes, addressToBytes, type IpAddress, type IpFamily } from "../../model/ip.js";

/**
 * `in`: policed by octets. `tight`: policed by packets, for a bucket of less than a second of the rate. `out`: what is out
 * of profile. `over`: packets of tight flows that are larger than they may be.
 */
export type CountedProfile = "in" | "tight" | "out" | "over";
/** `steer`: which tunnel carries the flow. */
export type Profile = CountedProfile | "steer";

/**
 * Elements hold a counter, but for those of `steer`; those of `in` and `tight` a limit before it. `any`: the source port
 * is not in the key.
 */
export interface SessionSet {
  readonly name: string;
  readonly family: IpFamily;
  readonly anySourcePort: boolean;
  readonly profile: Profile;
}

const set = (profile: Profile, family: IpFamily, anySourcePort: boolean): SessionSet => ({
  name: `${profile}${family}${anySourcePort ? "any" : ""}`,
  family,
  anySourcePort,
  profile,
});

const PROFILES: readonly Profile[] = ["tight", "in", "out", "over", "steer"];

/** In the order in which a packet of a family meets them; those of `over` only from `tight`, those of `steer` before all. */
export const SESSION_SETS: readonly SessionSet[] = ([4, 6] as const).flatMap((family) =>
  [false, true].flatMap((anySourcePort) => PROFILES.map((profile) => set(profile, family, anySourcePort))),
);

export const COUNTED_SETS: readonly SessionSet[] = SESSION_SETS.filter(({ profile }) => profile !== "steer");

/** Blocks of destination ports with any session; with tight ones; with ones whose source port is not in the key; with ones in tunnels. */
export const PORT_SETS = { all: "ports", tight: "ports_tight", any: "ports_any", steer: "ports_steer" } as const;

/** Pool -> HTB class: what there is. Rules do not look it up, for the words of flows hold the class. */
export const POOL_SET = "pools";
/** What the table was made for: read back after a restart. */
export const STATE_SET = "state";

const isIpv6 = (address: IpAddress): boolean => address.includes(":");

export function setNameOf(key: FlowKey, profile: Profile): string {
  const family = isIpv6(key.destination.address) ? "6" : "4";
  return key.source.port === undefined ? `${profile}${family}any` : profile + family;
}

const SET_BY_NAME = new Map(SESSION_SETS.map((entry) => [entry.name, entry]));

/** The maps whose keys are made alike: in which the parts of one flow are. */
export function siblingsOf(name: string): readonly string[] {
  const own = SET_BY_NAME.get(name);
  return SESSION_SETS.filter(
    ({ family, anySourcePort }) => family === own?.family && anySourcePort === own.anySourcePort,
  ).map((sibling) => sibling.name);
}

const FIELD = 4;

/** Concatenated fields, each padded to four octets: protocol, source [, port], destination, port. */
export function encodeKey(key: FlowKey): Buffer {
  const { protocol, source, destination } = key;
  const width = isIpv6(destination.address) ? 16 : 4;
  const octets = Buffer.alloc(FIELD + width + (source.port === undefined ? 0 : FIELD) + width + FIELD);
  octets[0] = IP_PROTOCOL[protocol];
  let at = putAddress(octets, FIELD, source.address);
  if (source.port !== undefined) at = putPort(octets, at, source.port);
  at = putAddress(octets, at, destination.address);
  putPort(octets, at, destination.port);
  return octets;
}

const DOT = 0x2e;
const DIGIT_0 = 0x30;

/** Gives where the next field begins. Four octets are read where they stand: every flow of every call comes by here. */
function putAddress(octets: Buffer, at: number, address: IpAddress): number {
  if (isIpv6(address)) {
    octets.set(addressToBytes(address), at);
    return at + 16;
  }
  let place = at;
  let value = 0;
  for (let index = 0; index < address.length; index++) {
    const code = address.charCodeAt(index);
    if (code === DOT) {
      octets[place++] = value;
      value = 0;
    } else {
      value = value * 10 + code - DIGIT_0;
    }
  }
  octets[place] = value;
  return at + 4;
}

function putPort(octets: Buffer, at: number, port: number): number {
  octets[at] = port >>> 8;
  octets[at + 1] = port & 0xff;
  return at + FIELD;
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

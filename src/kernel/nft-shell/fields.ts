/** Values of nft's data types: the octets that the kernel keeps, and the text that nft reads and prints. Pure. */
import { IP_PROTOCOL } from "../../model/flow.js";
import { addressFromBytes, addressToBytes, familyOf, type IpFamily, parseAddress } from "../../model/ip.js";
import { hostU32, hostU32Octets } from "../netlink/octets.js";

export interface FieldCodec {
  /** Octets of the value, without the padding that it gets in a concatenation. */
  readonly width: number;
  readonly toText: (octets: Buffer) => string;
  /** Undefined for text that is no value of the type. */
  readonly fromText: (text: string) => Buffer | undefined;
}

const whole = (text: string, max: number): number | undefined => {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : /^0x[0-9a-f]{1,8}$/.test(text) ? Number(text) : undefined;
  return value !== undefined && value <= max ? value : undefined;
};

const PROTOCOL_NAMES = new Map<number, string>(Object.entries(IP_PROTOCOL).map(([name, number]) => [number, name]));

const protocol: FieldCodec = {
  width: 1,
  toText: (octets) => PROTOCOL_NAMES.get(octets[0] ?? 0) ?? String(octets[0] ?? 0),
  fromText: (text) => {
    const named = Object.entries(IP_PROTOCOL).find(([name]) => name === text)?.[1];
    const value = named ?? whole(text, 0xff);
    return value === undefined ? undefined : Buffer.from([value]);
  },
};

const address = (family: IpFamily): FieldCodec => ({
  width: family === 4 ? 4 : 16,
  toText: (octets) => addressFromBytes(octets),
  fromText: (text) => {
    const parsed = parseAddress(text);
    if (parsed === undefined || familyOf(parsed) !== family) return undefined;
    return Buffer.from(addressToBytes(parsed));
  },
});

const port: FieldCodec = {
  width: 2,
  toText: (octets) => String(octets.readUInt16BE(0)),
  fromText: (text) => {
    const value = whole(text, 0xffff);
    return value === undefined ? undefined : Buffer.from([value >>> 8, value & 0xff]);
  },
};

const hex = (value: number): string => `0x${value.toString(16).padStart(8, "0")}`;

const mark: FieldCodec = {
  width: 4,
  toText: (octets) => hex(hostU32(octets, 0)),
  fromText: (text) => {
    const value = whole(text, 0xffffffff);
    return value === undefined ? undefined : hostU32Octets(value);
  },
};

/** `major:minor`, hexadecimal; two values have names of their own. */
const CLASS_NAMES: readonly (readonly [string, number])[] = [
  ["none", 0],
  ["root", 0xffffffff],
];

const classId: FieldCodec = {
  width: 4,
  toText: (octets) => {
    const value = hostU32(octets, 0);
    const named = CLASS_NAMES.find(([, number]) => number === value)?.[0];
    return named ?? `${(value >>> 16).toString(16)}:${(value & 0xffff).toString(16)}`;
  },
  fromText: (text) => {
    const named = CLASS_NAMES.find(([name]) => name === text)?.[1];
    if (named !== undefined) return hostU32Octets(named);
    const match = /^([0-9a-f]{0,4}):([0-9a-f]{0,4})$/.exec(text);
    if (match === null) return undefined;
    const half = (digits: string | undefined): number => Number.parseInt(digits || "0", 16);
    return hostU32Octets(((half(match[1]) << 16) | half(match[2])) >>> 0);
  },
};

const NAME_LENGTH = 16;

/** A device's name, in quotation marks; with NULs to its end. */
const deviceName: FieldCodec = {
  width: NAME_LENGTH,
  toText: (octets) => `"${octets.toString("latin1").replace(/\0.*$/s, "")}"`,
  fromText: (text) => {
    const name = /^"([^"]{1,15})"$/.exec(text)?.[1];
    if (name === undefined) return undefined;
    const octets = Buffer.alloc(NAME_LENGTH);
    octets.write(name, "latin1");
    return octets;
  },
};

const CODECS: ReadonlyMap<string, FieldCodec> = new Map([
  ["inet_proto", protocol],
  ["ipv4_addr", address(4)],
  ["ipv6_addr", address(6)],
  ["inet_service", port],
  ["mark", mark],
  ["classid", classId],
  ["ifname", deviceName],
]);

/** By nft's name of the type; undefined for one that Sluice does not use. */
export const codecOf = (type: string): FieldCodec | undefined => CODECS.get(type);

/** Every object of RFC 2748 §2.2 as one row: numbers, name, section, and fields in wire order. */
import type { IpAddress } from "../../model/ip.js";

/** What a field is on the wire and, by `FieldValues`, in the program. */
export type FieldKind = "u16" | "u32" | "reserved16" | "ipv4" | "ipv6" | "octets" | "pepid";

interface FieldValues {
  u16: number;
  u32: number;
  reserved16: never;
  ipv4: IpAddress;
  ipv6: IpAddress;
  octets: Buffer;
  pepid: string;
}

/** Octets that each kind takes; those of variable length take the rest of the object. */
export const FIELD_LENGTH: Readonly<Record<FieldKind, number>> = {
  u16: 2,
  u32: 4,
  reserved16: 2,
  ipv4: 4,
  ipv6: 16,
  octets: 0,
  pepid: 0,
};

export const isVariable = (kind: FieldKind): boolean => FIELD_LENGTH[kind] === 0;

export type Field = readonly [name: string, kind: FieldKind];

export interface ObjectDescriptor<Fields extends readonly Field[] = readonly Field[]> {
  readonly cNum: number;
  readonly cType: number;
  /** The RFC's name. */
  readonly title: string;
  readonly section: string;
  /** Octets of the contents at least; exactly that many if no field is variable. */
  readonly minLength: number;
  readonly fields: Fields;
}

function object<const Fields extends readonly Field[]>(
  numbers: readonly [cNum: number, cType: number],
  title: string,
  section: string,
  fields: Fields,
): ObjectDescriptor<Fields> {
  const minLength = fields.reduce((sum, [, kind]) => sum + FIELD_LENGTH[kind], 0);
  return { cNum: numbers[0], cType: numbers[1], title, section, minLength, fields };
}

const DATA = [["data", "octets"]] as const;
const CODES = [
  ["code", "u16"],
  ["subCode", "u16"],
] as const;
const FLAGS = [
  ["command", "u16"],
  ["flags", "u16"],
] as const;
const SECONDS = [
  ["", "reserved16"],
  ["seconds", "u16"],
] as const;
const INTERFACE_4 = [
  ["address", "ipv4"],
  ["ifindex", "u32"],
] as const;
const INTERFACE_6 = [
  ["address", "ipv6"],
  ["ifindex", "u32"],
] as const;
const SERVER_4 = [
  ["address", "ipv4"],
  ["", "reserved16"],
  ["port", "u16"],
] as const;
const SERVER_6 = [
  ["address", "ipv6"],
  ["", "reserved16"],
  ["port", "u16"],
] as const;

export const OBJECTS = {
  handle: object([1, 1], "Handle", "2.2.1", DATA),
  context: object([2, 1], "Context", "2.2.2", [
    ["rType", "u16"],
    ["mType", "u16"],
  ]),
  inInterface4: object([3, 1], "IN-Int IPv4", "2.2.3", INTERFACE_4),
  inInterface6: object([3, 2], "IN-Int IPv6", "2.2.3", INTERFACE_6),
  outInterface4: object([4, 1], "OUT-Int IPv4", "2.2.4", INTERFACE_4),
  outInterface6: object([4, 2], "OUT-Int IPv6", "2.2.4", INTERFACE_6),
  reason: object([5, 1], "Reason", "2.2.5", CODES),
  decisionFlags: object([6, 1], "Decision Flags", "2.2.6", FLAGS),
  decisionStateless: object([6, 2], "Stateless Data", "2.2.6", DATA),
  decisionReplacement: object([6, 3], "Replacement Data", "2.2.6", DATA),
  decisionClientSpecific: object([6, 4], "Client Specific Decision Data", "2.2.6", DATA),
  decisionNamed: object([6, 5], "Named Decision Data", "2.2.6", DATA),
  lpdpFlags: object([7, 1], "LPDPDecision Flags", "2.2.7", FLAGS),
  lpdpStateless: object([7, 2], "LPDPDecision Stateless Data", "2.2.7", DATA),
  lpdpReplacement: object([7, 3], "LPDPDecision Replacement Data", "2.2.7", DATA),
  lpdpClientSpecific: object([7, 4], "LPDPDecision Client Specific Data", "2.2.7", DATA),
  lpdpNamed: object([7, 5], "LPDPDecision Named Data", "2.2.7", DATA),
  error: object([8, 1], "Error", "2.2.8", CODES),
  signaled: object([9, 1], "Signaled ClientSI", "2.2.9", DATA),
  named: object([9, 2], "Named ClientSI", "2.2.9", DATA),
  keepAliveTimer: object([10, 1], "KATimer", "2.2.10", SECONDS),
  pepId: object([11, 1], "PEPID", "2.2.11", [["name", "pepid"]]),
  reportType: object([12, 1], "Report-Type", "2.2.12", [
    ["type", "u16"],
    ["", "reserved16"],
  ]),
  redirect4: object([13, 1], "PDPRedirAddr IPv4", "2.2.13", SERVER_4),
  redirect6: object([13, 2], "PDPRedirAddr IPv6", "2.2.13", SERVER_6),
  lastPdp4: object([14, 1], "LastPDPAddr IPv4", "2.2.14", SERVER_4),
  lastPdp6: object([14, 2], "LastPDPAddr IPv6", "2.2.14", SERVER_6),
  accountingTimer: object([15, 1], "AcctTimer", "2.2.15", SECONDS),
  // Kept as octets: what is in it is for whoever holds the keys (RFC 2748 §4.1, RFC 4261 §3).
  integrity: object([16, 1], "Integrity", "2.2.16", DATA),
  integrityTls: object([16, 2], "Integrity-TLS", "RFC 4261 3", DATA),
} as const;

export type ObjectName = keyof typeof OBJECTS;

/** The value of an object, inferred from its row. */
export type ObjectValue<Name extends ObjectName> = {
  readonly [F in (typeof OBJECTS)[Name]["fields"][number] as F[1] extends "reserved16"
    ? never
    : F[0]]: FieldValues[F[1]];
};

/** An object with its name, as a discriminated union. */
export type CopsObject = { readonly [Name in ObjectName]: NamedObject<Name> }[ObjectName];

export interface NamedObject<Name extends ObjectName> {
  readonly name: Name;
  readonly value: ObjectValue<Name>;
}

const BY_NUMBER = new Map<number, ObjectName>(
  (Object.keys(OBJECTS) as ObjectName[]).map((name) => [(OBJECTS[name].cNum << 8) | OBJECTS[name].cType, name]),
);

export const objectNameOf = (cNum: number, cType: number): ObjectName | undefined => BY_NUMBER.get((cNum << 8) | cType);

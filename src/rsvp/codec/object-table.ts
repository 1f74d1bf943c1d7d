/** Every object that is read here as one row: numbers, name, section, and fields in wire order. */
import type { IpAddress, IpFamily } from "../../model/ip.js";
import type { MessageIdMulticast, MessageIdSource } from "./objects.js";

/** What a field is on the wire and, by `FieldValues`, in the program. */
export interface FieldValues {
  u8: number;
  u16: number;
  u24: number;
  u32: number;
  u48: number;
  u64: bigint;
  reserved8: never;
  reserved16: never;
  address: IpAddress;
  cookie: Buffer;
  octets: Buffer;
  addresses: readonly IpAddress[];
  u32s: readonly number[];
  sources: readonly MessageIdSource[];
  multicasts: readonly MessageIdMulticast[];
}

export type FieldKind = keyof FieldValues;

/** Octets of the fields that do not depend on the family. */
const FIXED_LENGTH: Readonly<Partial<Record<FieldKind, number>>> = {
  u8: 1,
  u16: 2,
  u24: 3,
  u32: 4,
  u48: 6,
  u64: 8,
  reserved8: 1,
  reserved16: 2,
  cookie: 8,
};

/** Octets of one entry of the fields that take the rest of the object. */
const ENTRY_LENGTH = {
  octets: () => 1,
  u32s: () => 4,
  addresses: (address: number) => address,
  sources: (address: number) => 4 + address,
  multicasts: (address: number) => 4 + 2 * address,
} as const;

const ADDRESS_LENGTH: Readonly<Record<IpFamily, number>> = { 4: 4, 6: 16 };

export type Field = readonly [name: string, kind: FieldKind];

/** The C-Type, or one for each family that the addresses in the object can be of. */
export type CTypes = number | Readonly<Record<IpFamily, number>>;

export interface ObjectDescriptor<Fields extends readonly Field[] = readonly Field[]> {
  readonly classNum: number;
  readonly cTypes: CTypes;
  /** The RFC's name of the class. */
  readonly title: string;
  readonly section: string;
  readonly fields: Fields;
  /** Entries that the last field has at least, if it is a list. */
  readonly minEntries: number;
}

function object<const Fields extends readonly Field[]>(
  classNum: number,
  cTypes: CTypes,
  title: string,
  section: string,
  fields: Fields,
  minEntries = 0,
): ObjectDescriptor<Fields> {
  return { classNum, cTypes, title, section, fields, minEntries };
}

const V4_V6 = { 4: 1, 6: 2 } as const;
const AGGREGATE = { 4: 9, 6: 10 } as const;

const GENERIC_SESSION = [
  ["destination", "address"],
  ["", "reserved8"],
  ["flags", "u8"],
  ["phbId", "u16"],
  ["", "reserved16"],
  ["vDstPort", "u16"],
  ["extendedVDstPort", "address"],
] as const;
const SENDER = [
  ["address", "address"],
  ["", "reserved16"],
  ["port", "u16"],
] as const;
const AGGREGATOR = [["address", "address"]] as const;
const MESSAGE_ID = [
  ["flags", "u8"],
  ["epoch", "u24"],
  ["id", "u32"],
] as const;
const OCTETS = [["octets", "octets"]] as const;

export const OBJECTS = {
  session: object(1, V4_V6, "SESSION", "RFC 2205 A.1", [
    ["destination", "address"],
    ["protocol", "u8"],
    ["flags", "u8"],
    ["port", "u16"],
  ]),
  aggregateSession: object(1, AGGREGATE, "SESSION", "RFC 3175 3.3", [
    ["destination", "address"],
    ["", "reserved8"],
    ["flags", "u8"],
    ["", "reserved8"],
    ["dscp", "u8"],
  ]),
  genericAggregateSession: object(1, { 4: 17, 6: 18 }, "SESSION", "RFC 4860 2.1", GENERIC_SESSION),
  hop: object(3, V4_V6, "RSVP_HOP", "RFC 2205 A.2", [
    ["address", "address"],
    ["lih", "u32"],
  ]),
  integrity: object(
    4,
    1,
    "INTEGRITY",
    "RFC 2747 2.1",
    [
      ["flags", "u8"],
      ["", "reserved8"],
      ["keyId", "u48"],
      ["sequence", "u64"],
      ["digest", "octets"],
    ],
    4,
  ),
  timeValues: object(5, 1, "TIME_VALUES", "RFC 2205 A.4", [["refreshPeriod", "u32"]]),
  errorSpec: object(6, V4_V6, "ERROR_SPEC", "RFC 2205 A.5", [
    ["node", "address"],
    ["flags", "u8"],
    ["code", "u8"],
    ["value", "u16"],
  ]),
  scope: object(7, V4_V6, "SCOPE", "RFC 2205 A.6", [["addresses", "addresses"]]),
  style: object(8, 1, "STYLE", "RFC 2205 A.7", [
    ["flags", "u8"],
    ["optionVector", "u24"],
  ]),
  // RFC 2205 §3.10: what is in these is not RSVP's business; intserv.ts and adspec.ts read them.
  flowspec: object(9, 2, "FLOWSPEC", "RFC 2210 3.2", OCTETS),
  filterSpec: object(10, V4_V6, "FILTER_SPEC", "RFC 2205 A.9", SENDER),
  aggregateFilterSpec: object(10, AGGREGATE, "FILTER_SPEC", "RFC 3175 3.5", AGGREGATOR),
  senderTemplate: object(11, V4_V6, "SENDER_TEMPLATE", "RFC 2205 A.10", SENDER),
  aggregateSenderTemplate: object(11, AGGREGATE, "SENDER_TEMPLATE", "RFC 3175 3.4", AGGREGATOR),
  senderTspec: object(12, 2, "SENDER_TSPEC", "RFC 2210 3.1", OCTETS),
  adspec: object(13, 2, "ADSPEC", "RFC 2210 3.3", OCTETS),
  policyData: object(14, 1, "POLICY_DATA", "RFC 2205 A.13", OCTETS),
  resvConfirm: object(15, V4_V6, "RESV_CONFIRM", "RFC 2205 A.14", [["address", "address"]]),
  messageId: object(23, 1, "MESSAGE_ID", "RFC 2961 4.2", MESSAGE_ID),
  messageIdAck: object(24, 1, "MESSAGE_ID_ACK", "RFC 2961 4.3", MESSAGE_ID),
  messageIdNack: object(24, 2, "MESSAGE_ID_NACK", "RFC 2961 4.3", MESSAGE_ID),
  messageIds: object(
    25,
    1,
    "MESSAGE_ID LIST",
    "RFC 2961 5.1",
    [
      ["flags", "u8"],
      ["epoch", "u24"],
      ["ids", "u32s"],
    ],
    1,
  ),
  messageIdSources: object(
    25,
    { 4: 2, 6: 3 },
    "MESSAGE_ID SRC_LIST",
    "RFC 2961 5.1",
    [
      ["flags", "u8"],
      ["epoch", "u24"],
      ["entries", "sources"],
    ],
    1,
  ),
  messageIdMulticasts: object(
    25,
    { 4: 4, 6: 5 },
    "MESSAGE_ID MCAST_LIST",
    "RFC 2961 5.1",
    [
      ["flags", "u8"],
      ["epoch", "u24"],
      ["entries", "multicasts"],
    ],
    1,
  ),
  challenge: object(64, 1, "CHALLENGE", "RFC 2747 4.3", [
    ["", "reserved16"],
    ["keyId", "u48"],
    ["cookie", "cookie"],
  ]),
  sessionOfInterest: object(132, V4_V6, "SESSION_OF_INTEREST", "RFC 4860 2.2", GENERIC_SESSION),
  dclass: object(225, 1, "DCLASS", "RFC 2996 2", [["words", "u32s"]], 1),
} as const;

export type ObjectName = keyof typeof OBJECTS;

/** The value of an object, inferred from its row. */
export type ObjectValue<Name extends ObjectName> = {
  readonly [F in (typeof OBJECTS)[Name]["fields"][number] as F[1] extends "reserved8" | "reserved16"
    ? never
    : F[0]]: FieldValues[F[1]];
};

export interface NamedObject<Name extends ObjectName> {
  readonly name: Name;
  readonly value: ObjectValue<Name>;
}

/** An object with its name, as a discriminated union. */
export type RsvpObject = { readonly [Name in ObjectName]: NamedObject<Name> }[ObjectName];

/** A row as one of its C-Types: how long its fields are. */
export interface ObjectForm {
  readonly name: ObjectName;
  readonly addressLength: number;
}

/** Octets of a field of fixed length; undefined for one that takes the rest. */
export function fieldLength(kind: FieldKind, addressLength: number): number | undefined {
  return kind === "address" ? addressLength : FIXED_LENGTH[kind];
}

export function entryLength(kind: keyof typeof ENTRY_LENGTH, addressLength: number): number {
  return ENTRY_LENGTH[kind](addressLength);
}

const numberOf = (classNum: number, cType: number): number => (classNum << 8) | cType;

const FORMS = new Map<number, ObjectForm>(
  (Object.keys(OBJECTS) as ObjectName[]).flatMap((name) => {
    const { classNum, cTypes }: ObjectDescriptor = OBJECTS[name];
    if (typeof cTypes === "number") return [[numberOf(classNum, cTypes), { name, addressLength: 0 }] as const];
    return ([4, 6] as const).map((family) => {
      const form = { name, addressLength: ADDRESS_LENGTH[family] };
      return [numberOf(classNum, cTypes[family]), form] as const;
    });
  }),
);

const TITLES = new Map<number, string>(Object.values(OBJECTS).map(({ classNum, title }) => [classNum, title]));

export const objectFormOf = (classNum: number, cType: number): ObjectForm | undefined =>
  FORMS.get(numberOf(classNum, cType));

/** The name of a class of which at least one C-Type is known. */
export const classTitleOf = (classNum: number): string | undefined => TITLES.get(classNum);

/** Objects <-> octets, RFC 2205 §3.1.2, driven by the object table. */
import { InternalError } from "../../model/errors.js";
import { addressFromBytes, addressToBytes, familyOf, type IpFamily } from "../../model/ip.js";
import { malformed } from "./errors.js";
import {
  entryLength,
  type FieldKind,
  type FieldValues,
  fieldLength,
  OBJECTS,
  type ObjectDescriptor,
  type ObjectForm,
  type RsvpObject,
} from "./object-table.js";
import type { MessageIdMulticast, OpaqueObject } from "./objects.js";

export const OBJECT_HEADER = 4;
/** RFC 2205 §3.1.2: 65,528 octets of contents. */
const OBJECT_MAX = 0xfffc;

/** An object as cut out of a message, with the place of its header for error messages. */
export interface RawObject extends OpaqueObject {
  readonly offset: number;
}

/** An object as read. */
export type PlacedObject = RsvpObject & { readonly offset: number };

/**
 * Cuts a message's body into objects; none is looked into.
 * @param base - offset of `body` in the message, for errors
 * @throws RsvpDecodeError with reason `malformed`
 */
export function cutObjects(body: Buffer, base: number): RawObject[] {
  const objects: RawObject[] = [];
  let at = 0;
  while (at < body.length) {
    const length = objectLength(body, at, base);
    const contents = body.subarray(at + OBJECT_HEADER, at + length);
    const [classNum, cType] = [body.readUInt8(at + 2), body.readUInt8(at + 3)];
    objects.push({ classNum, cType, contents, offset: base + at });
    at += length;
  }
  return objects;
}

function objectLength(body: Buffer, at: number, base: number): number {
  const room = body.length - at;
  const detail = { offset: base + at, object: "object header" };
  if (room < OBJECT_HEADER) {
    throw malformed("octets after the last object", { ...detail, need: OBJECT_HEADER, have: room });
  }
  const length = body.readUInt16BE(at);
  if (length < OBJECT_HEADER) {
    throw malformed("object shorter than its header", { ...detail, need: OBJECT_HEADER, have: length });
  }
  if (length % 4 !== 0) throw malformed(`object length ${length} is not a multiple of 4`, detail);
  if (length > room) throw malformed("object ends after its message", { ...detail, need: length, have: room });
  return length;
}

/** @throws RsvpDecodeError with reason `malformed` if the contents have not the length that the row asks for */
export function readObject(form: ObjectForm, raw: RawObject): PlacedObject {
  const { title, fields, minEntries }: ObjectDescriptor = OBJECTS[form.name];
  const { contents, offset } = raw;
  const detail = { offset, object: title, have: contents.length + OBJECT_HEADER };
  const value: Record<string, unknown> = {};
  let at = 0;
  for (const [name, kind] of fields) {
    const fixed = fieldLength(kind, form.addressLength);
    const end = fixed === undefined ? contents.length : at + fixed;
    if (end > contents.length || at > end) {
      throw malformed(`${title} too short`, { ...detail, need: end + OBJECT_HEADER });
    }
    if (kind !== "reserved8" && kind !== "reserved16") {
      value[name] = readField(kind, contents.subarray(at, end), { ...form, minEntries }, detail);
    }
    at = end;
  }
  if (at !== contents.length) throw malformed(`${title} too long`, { ...detail, need: at + OBJECT_HEADER });
  return { name: form.name, value, offset } as unknown as PlacedObject;
}

type ListKind = Parameters<typeof entryLength>[0];

interface Form {
  readonly addressLength: number;
  readonly minEntries: number;
}

function readField(
  kind: Exclude<FieldKind, "reserved8" | "reserved16">,
  octets: Buffer,
  form: Form,
  detail: { readonly offset: number; readonly object: string; readonly have: number },
): FieldValues[FieldKind] {
  switch (kind) {
    case "u8":
    case "u16":
    case "u24":
    case "u32":
    case "u48":
      return octets.readUIntBE(0, octets.length);
    case "u64":
      return octets.readBigUInt64BE(0);
    case "address":
      return addressFromBytes(octets);
    case "cookie":
      return octets;
    case "octets":
    case "u32s":
    case "addresses":
    case "sources":
    case "multicasts":
      return readEntries(kind, octets, form, detail);
  }
}

function readEntries(
  kind: ListKind,
  octets: Buffer,
  { addressLength, minEntries }: Form,
  detail: { readonly offset: number; readonly object: string; readonly have: number },
): FieldValues[FieldKind] {
  const size = entryLength(kind, addressLength);
  if (octets.length % size !== 0 || octets.length < minEntries * size) {
    throw malformed(`${detail.object} of the wrong length`, detail);
  }
  if (kind === "octets") return octets;
  const entries = Array.from({ length: octets.length / size }, (_, index) =>
    octets.subarray(index * size, (index + 1) * size),
  );
  const addressAt = (entry: Buffer, start: number) => addressFromBytes(entry.subarray(start, start + addressLength));
  switch (kind) {
    case "u32s":
      return entries.map((entry) => entry.readUInt32BE(0));
    case "addresses":
      return entries.map((entry) => addressAt(entry, 0));
    case "sources":
      return entries.map((entry) => ({ id: entry.readUInt32BE(0), source: addressAt(entry, 4) }));
    case "multicasts":
      return entries.map((entry) => ({
        id: entry.readUInt32BE(0),
        source: addressAt(entry, 4),
        destination: addressAt(entry, 4 + addressLength),
      }));
  }
}

/** @throws InternalError if a value does not fit its field, or addresses are of both families */
export function encodeObject(object: RsvpObject): Buffer {
  const { classNum, cTypes, title, fields }: ObjectDescriptor = OBJECTS[object.name];
  const values = object.value as Readonly<Record<string, unknown>>;
  const families = new Set<IpFamily>();
  const contents = Buffer.concat(fields.map(([name, kind]) => writeField(kind, values[name], families)));
  if (families.size > 1) throw new InternalError("RSVP_FAMILIES", `${title} with addresses of both families`);
  const [family = 4] = families;
  return encodeOpaque({ classNum, cType: typeof cTypes === "number" ? cTypes : cTypes[family], contents });
}

/** @throws InternalError if the contents are no whole words or too long */
export function encodeOpaque({ classNum, cType, contents }: OpaqueObject): Buffer {
  const length = OBJECT_HEADER + contents.length;
  if (length > OBJECT_MAX || length % 4 !== 0) {
    throw new InternalError("RSVP_OBJECT_LENGTH", `object of class ${classNum} with ${length} octets`);
  }
  const header = Buffer.alloc(OBJECT_HEADER);
  header.writeUInt16BE(length, 0);
  header.writeUInt8(classNum, 2);
  header.writeUInt8(cType, 3);
  return Buffer.concat([header, contents], length);
}

function writeField(kind: FieldKind, value: unknown, families: Set<IpFamily>): Buffer {
  switch (kind) {
    case "u8":
    case "u16":
    case "u24":
    case "u32":
    case "u48":
      return number(fieldLength(kind, 0) ?? 0, value as number);
    case "u64":
      return bigNumber(value as bigint);
    case "reserved8":
      return Buffer.alloc(1);
    case "reserved16":
      return Buffer.alloc(2);
    case "cookie":
    case "octets":
      return value as Buffer;
    case "address":
      return address(value as string, families);
    case "u32s":
      return Buffer.concat((value as FieldValues["u32s"]).map((entry) => number(4, entry)));
    case "addresses":
      return Buffer.concat((value as FieldValues["addresses"]).map((entry) => address(entry, families)));
    case "sources":
    case "multicasts":
      return Buffer.concat((value as FieldValues["sources"]).flatMap((entry) => idEntry(entry, families)));
  }
}

function idEntry(entry: Omit<MessageIdMulticast, "destination"> & { destination?: string }, families: Set<IpFamily>) {
  const source = [number(4, entry.id), address(entry.source, families)];
  return entry.destination === undefined ? source : [...source, address(entry.destination, families)];
}

function address(text: string, families: Set<IpFamily>): Buffer {
  const family = familyOf(text);
  if (family !== undefined) families.add(family);
  return addressToBytes(text);
}

function number(length: number, value: number): Buffer {
  if (!Number.isInteger(value) || value < 0 || value >= 2 ** (8 * length)) {
    throw new InternalError("RSVP_FIELD_RANGE", `${value} does not fit ${length} octets`);
  }
  const octets = Buffer.alloc(length);
  octets.writeUIntBE(value, 0, length);
  return octets;
}

function bigNumber(value: bigint): Buffer {
  if (value < 0n || value >= 1n << 64n) throw new InternalError("RSVP_FIELD_RANGE", `${value} does not fit 8 octets`);
  const octets = Buffer.alloc(8);
  octets.writeBigUInt64BE(value);
  return octets;
}

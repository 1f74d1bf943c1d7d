/** Objects <-> octets, RFC 2748 §2.2, driven by the object table. */
import { InternalError } from "../../model/errors.js";
import { addressFromBytes, addressToBytes } from "../../model/ip.js";
import { badFormat, type CopsDecodeError, unknownObject } from "./errors.js";
import {
  type CopsObject,
  FIELD_LENGTH,
  type FieldKind,
  isVariable,
  OBJECTS,
  type ObjectDescriptor,
  type ObjectName,
  objectNameOf,
} from "./object-table.js";

const OBJECT_HEADER = 4;
const OBJECT_MAX = 0xffff;

/** The next multiple of four, where the following object starts. */
export const padded = (length: number): number => (length + 3) & ~3;

/** An object as found, with its place for error messages. */
export type PlacedObject = CopsObject & { readonly offset: number };

/** Octets of one object, padding included. @throws InternalError if it is longer than an object can be. */
export function encodeObject(object: CopsObject): Buffer {
  const { cNum, cType, title, fields }: ObjectDescriptor = OBJECTS[object.name];
  const values = object.value as Readonly<Record<string, unknown>>;
  const contents = fields.map(([name, kind]) => encodeField(kind, values[name]));
  const length = OBJECT_HEADER + contents.reduce((sum, part) => sum + part.length, 0);
  if (length > OBJECT_MAX) {
    throw new InternalError("COPS_OBJECT_TOO_LONG", `${title} of ${length} octets; an object holds ${OBJECT_MAX}`);
  }
  const header = Buffer.alloc(OBJECT_HEADER);
  header.writeUInt16BE(length, 0);
  header.writeUInt8(cNum, 2);
  header.writeUInt8(cType, 3);
  return Buffer.concat([header, ...contents], padded(length));
}

function encodeField(kind: FieldKind, value: unknown): Buffer {
  switch (kind) {
    case "u16":
      return number(2, value);
    case "u32":
      return number(4, value);
    case "reserved16":
      return Buffer.alloc(2);
    case "ipv4":
    case "ipv6":
      return addressToBytes(value as string);
    case "octets":
      return value as Buffer;
    case "pepid": {
      // RFC 2748 §2.2.11: NUL-terminated, and unlike everywhere else the length counts the padding.
      const text = Buffer.from(value as string, "latin1");
      return Buffer.concat([text], padded(text.length + 1));
    }
  }
}

function number(length: number, value: unknown): Buffer {
  const octets = Buffer.alloc(length);
  octets.writeUIntBE(value as number, 0, length);
  return octets;
}

/**
 * Cuts `body` into objects and reads each.
 * @param base - offset of `body` in the message, for errors
 * @throws CopsDecodeError with error 3 or 13
 */
export function decodeObjects(body: Buffer, base: number): PlacedObject[] {
  const objects: PlacedObject[] = [];
  let offset = 0;
  while (offset < body.length) {
    const length = objectLength(body, offset, base);
    const cNum = body.readUInt8(offset + 2);
    const cType = body.readUInt8(offset + 3);
    const name = objectNameOf(cNum, cType);
    if (name === undefined) throw withHandle(unknownObject(cNum, cType, base + offset), objects);
    try {
      objects.push(decodeObject(name, body.subarray(offset + OBJECT_HEADER, offset + length), base + offset));
    } catch (error) {
      throw withHandle(error as CopsDecodeError, objects);
    }
    offset += padded(length);
  }
  return objects;
}

function objectLength(body: Buffer, offset: number, base: number): number {
  const room = body.length - offset;
  const detail = { offset: base + offset, object: "object header" };
  if (room < OBJECT_HEADER) {
    throw badFormat("octets after the last object", { ...detail, need: OBJECT_HEADER, have: room });
  }
  const length = body.readUInt16BE(offset);
  if (length < OBJECT_HEADER) {
    throw badFormat("object shorter than its header", { ...detail, need: OBJECT_HEADER, have: length });
  }
  if (length > room) throw badFormat("object ends after its message", { ...detail, need: length, have: room });
  return length;
}

/** So that a bad REQ can be answered on its handle, and a bad DEC by a DRQ (RFC 2748 §3.1, §3.5). */
function withHandle(error: CopsDecodeError, before: readonly PlacedObject[]): CopsDecodeError {
  const handle = before.find((object) => object.name === "handle");
  return handle === undefined ? error : error.within({ handle: handle.value.data });
}

function decodeObject(name: ObjectName, contents: Buffer, offset: number): PlacedObject {
  const { title, minLength, fields }: ObjectDescriptor = OBJECTS[name];
  const fixed = !fields.some(([, kind]) => isVariable(kind));
  if (contents.length < minLength || (fixed && contents.length > minLength)) {
    throw badFormat(`${title} of the wrong length`, {
      offset,
      object: title,
      need: minLength + OBJECT_HEADER,
      have: contents.length + OBJECT_HEADER,
    });
  }
  const value: Record<string, unknown> = {};
  let at = 0;
  for (const [field, kind] of fields) {
    const end = isVariable(kind) ? contents.length : at + FIELD_LENGTH[kind];
    if (kind !== "reserved16") value[field] = decodeField(kind, contents.subarray(at, end), offset);
    at = end;
  }
  return { name, value, offset } as unknown as PlacedObject;
}

function decodeField(kind: Exclude<FieldKind, "reserved16">, octets: Buffer, offset: number): unknown {
  switch (kind) {
    case "u16":
      return octets.readUInt16BE(0);
    case "u32":
      return octets.readUInt32BE(0);
    case "ipv4":
    case "ipv6":
      return addressFromBytes(octets);
    case "octets":
      return octets;
    case "pepid": {
      // Some PEPs send neither the NUL nor the padding: the name then ends with the object.
      const end = octets.indexOf(0);
      const text = octets.toString("latin1", 0, end === -1 ? octets.length : end);
      if (!/^[\x20-\x7e]+$/.test(text)) throw badFormat("PEPID is not an ASCII string", { offset, object: "PEPID" });
      return text;
    }
  }
}

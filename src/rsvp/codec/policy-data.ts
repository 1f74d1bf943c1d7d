/** POLICY_DATA <-> policy elements, RFC 2750 §3. What an element says is for who knows its type. */
import { malformed } from "./errors.js";
import { OBJECT_HEADER } from "./object.js";
import type { PolicyData } from "./objects.js";

export interface PolicyElement {
  /** P-Type, 16 bits: from 53248 on for private use (RFC 2750 §5). */
  readonly type: number;
  readonly contents: Buffer;
}

export interface PolicyContents {
  /** Options (§3.2) say for whom the elements are, or sign them; they are not looked into. */
  readonly hasOptions: boolean;
  readonly elements: readonly PolicyElement[];
}

/** Data Offset and reserved field. */
const PREFIX = 4;
const ELEMENT_HEADER = 4;
const OBJECT = "POLICY_DATA";

/** @throws RsvpDecodeError with reason `malformed` */
export function readPolicyData({ contents }: PolicyData): PolicyContents {
  if (contents.length < PREFIX) {
    throw malformed("no Data Offset", { offset: 0, object: OBJECT, need: PREFIX, have: contents.length });
  }
  // Counted from the first octet of the object's header.
  const begin = contents.readUInt16BE(0) - OBJECT_HEADER;
  if (begin < PREFIX || begin > contents.length) {
    throw malformed("Data Offset is outside the object", { offset: 0, object: OBJECT, have: contents.length });
  }
  return { hasOptions: begin > PREFIX, elements: cutElements(contents, begin) };
}

function cutElements(contents: Buffer, begin: number): readonly PolicyElement[] {
  const elements: PolicyElement[] = [];
  let at = begin;
  while (at < contents.length) {
    const room = contents.length - at;
    const length = room < ELEMENT_HEADER ? 0 : contents.readUInt16BE(at);
    if (length < ELEMENT_HEADER || length > room) {
      throw malformed("policy element of a wrong length", { offset: at, object: OBJECT, need: length, have: room });
    }
    elements.push({
      type: contents.readUInt16BE(at + 2),
      contents: contents.subarray(at + ELEMENT_HEADER, at + length),
    });
    at += length;
  }
  return elements;
}

/** Without options. The contents of each element are whole words. */
export function writePolicyData(elements: readonly PolicyElement[]): PolicyData {
  const prefix = Buffer.alloc(PREFIX);
  prefix.writeUInt16BE(OBJECT_HEADER + PREFIX, 0);
  const parts = elements.flatMap(({ type, contents }) => {
    const header = Buffer.alloc(ELEMENT_HEADER);
    header.writeUInt16BE(ELEMENT_HEADER + contents.length, 0);
    header.writeUInt16BE(type, 2);
    return [header, contents];
  });
  return { contents: Buffer.concat([prefix, ...parts]) };
}

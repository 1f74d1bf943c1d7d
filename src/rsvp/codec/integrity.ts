/** The digest of RFC 2747: computed over the whole message, with the checksum and the digest itself zeroed. */
import { createHmac, type KeyObject, timingSafeEqual } from "node:crypto";
import { encodePacket } from "./encode.js";
import { malformed } from "./errors.js";
import { CHECKSUM_AT, HEADER_LENGTH, readHeader } from "./header.js";
import type { RsvpPacket } from "./message.js";
import { OBJECT_HEADER, readObject } from "./object.js";
import { OBJECTS, objectFormOf } from "./object-table.js";
import type { Integrity } from "./objects.js";

/** Octets of an HMAC-MD5, the algorithm that every implementation has (RFC 2747 §1). */
const DIGEST_LENGTH = 16;
/** INTEGRITY is the first object; before the digest are flags, key identifier and sequence number. */
const DIGEST_AT = HEADER_LENGTH + OBJECT_HEADER + 16;

export type IntegrityKey = Buffer | KeyObject;

/** The packet as it goes on the wire, with its INTEGRITY object and the digest in it. */
export function signPacket(packet: RsvpPacket, integrity: Omit<Integrity, "digest">, key: IntegrityKey): Buffer {
  const octets = encodePacket({ ...packet, integrity: { ...integrity, digest: Buffer.alloc(DIGEST_LENGTH) } });
  createHmac("md5", key).update(octets).digest().copy(octets, DIGEST_AT);
  return octets;
}

/**
 * What the INTEGRITY object of a message says, without reading the rest of it: so that nothing else of it is
 * looked at before it is known to be genuine. Undefined if the first object is another one.
 * @throws RsvpDecodeError if header or object are malformed
 */
export function readIntegrity(octets: Buffer): Integrity | undefined {
  const { length } = readHeader(octets);
  const [start, end] = [HEADER_LENGTH + OBJECT_HEADER, Math.min(length, octets.length)];
  if (end < start) return undefined;
  const { classNum, cTypes, title } = OBJECTS.integrity;
  const cType = octets.readUInt8(HEADER_LENGTH + 3);
  const form = objectFormOf(classNum, cType);
  if (octets.readUInt8(HEADER_LENGTH + 2) !== classNum || cType !== cTypes || form === undefined) return undefined;
  const objectLength = octets.readUInt16BE(HEADER_LENGTH);
  const contents = octets.subarray(start, Math.min(HEADER_LENGTH + objectLength, end));
  const detail = { offset: HEADER_LENGTH, object: title };
  if (objectLength % 4 !== 0 || contents.length !== objectLength - OBJECT_HEADER) {
    throw malformed("INTEGRITY ends after its message", { ...detail, need: objectLength, have: contents.length });
  }
  const object = readObject(form, { classNum, cType, contents, offset: HEADER_LENGTH });
  return object.name === "integrity" ? { ...object.value, digest: Buffer.from(object.value.digest) } : undefined;
}

/** Whether the message was signed with this key; compared in constant time. A message without INTEGRITY was not. */
export function verifyDigest(octets: Buffer, key: IntegrityKey): boolean {
  const digest = readIntegrity(octets)?.digest;
  if (digest?.length !== DIGEST_LENGTH) return false;
  const blank = Buffer.from(octets);
  blank.writeUInt16BE(0, CHECKSUM_AT);
  blank.fill(0, DIGEST_AT, DIGEST_AT + DIGEST_LENGTH);
  return timingSafeEqual(createHmac("md5", key).update(blank).digest(), digest);
}

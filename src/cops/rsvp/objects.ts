/**
 * RSVP objects inside COPS (RFC 2749 §2.3, §2.4): headed as in RSVP messages, one after the other, without the common header of a
 * message. Octets here; what is in them is for who knows RSVP.
 */
import { DecodeError, InternalError } from "../../model/errors.js";

/** RFC 2205 §3.1.2. Without contents it stands in replacement data for "remove all of this class". */
export interface RsvpObjectOctets {
  readonly classNum: number;
  readonly cType: number;
  readonly contents: Buffer;
}

const HEADER = 4;
const OBJECT_MAX = 0xfffc;

/** @throws DecodeError COPS_RSVP_DECODE for lengths that RFC 2205 §3.1.2 does not allow */
export function cutRsvpObjects(data: Buffer): RsvpObjectOctets[] {
  const objects: RsvpObjectOctets[] = [];
  let offset = 0;
  while (offset < data.length) {
    const have = data.length - offset;
    if (have < HEADER) throw bad("octets after the last RSVP object", offset, { need: HEADER, have });
    const length = data.readUInt16BE(offset);
    if (length < HEADER || length > have) throw bad("length of an RSVP object", offset, { need: length, have });
    if (length % 4 !== 0) throw bad(`length ${length} of an RSVP object is not a multiple of 4`, offset);
    const contents = data.subarray(offset + HEADER, offset + length);
    objects.push({ classNum: data.readUInt8(offset + 2), cType: data.readUInt8(offset + 3), contents });
    offset += length;
  }
  return objects;
}

/** @throws InternalError for contents that are no whole words, or too long */
export function joinRsvpObjects(objects: readonly RsvpObjectOctets[]): Buffer {
  return Buffer.concat(
    objects.flatMap(({ classNum, cType, contents }) => {
      const length = HEADER + contents.length;
      if (length > OBJECT_MAX || length % 4 !== 0) {
        throw new InternalError("COPS_RSVP_OBJECT", `RSVP object of class ${classNum} with ${length} octets`);
      }
      return [Buffer.from([length >> 8, length & 0xff, classNum, cType]), contents];
    }),
  );
}

function bad(message: string, offset: number, lengths: { need?: number; have?: number } = {}): DecodeError {
  return new DecodeError("COPS_RSVP_DECODE", message, { offset, object: "RSVP objects", ...lengths });
}

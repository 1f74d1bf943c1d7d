/** Sorts the objects of a message into those that are read here and the others, RFC 2205 §3.10. */
import { type RsvpDecodeError, unknownClass, unknownCType } from "./errors.js";
import type { RsvpMessageKind } from "./message.js";
import { type PlacedObject, type RawObject, readObject } from "./object.js";
import { allows } from "./object-bag.js";
import { classTitleOf, OBJECTS, objectFormOf } from "./object-table.js";
import type { OpaqueObject } from "./objects.js";

type Kind = Exclude<RsvpMessageKind, "Bundle" | "Hello">;

export interface Classified {
  readonly objects: readonly PlacedObject[];
  /** Of unknown classes 11bbbbbb, to be passed on. */
  readonly unknown: readonly OpaqueObject[];
  /** The first object for which the message is to be rejected. The others are read for the answer to it. */
  readonly rejection: RsvpDecodeError | undefined;
}

/** NULL (RFC 2205 §3.1.2): anywhere, never looked into. */
const NULL_CLASS = 0;

/** Objects that an error message only brings along: it is understood without them. */
const COPIED = new Set<number>([
  OBJECTS.flowspec.classNum,
  OBJECTS.senderTspec.classNum,
  OBJECTS.adspec.classNum,
  OBJECTS.policyData.classNum,
]);

/** @throws RsvpDecodeError for an object of the wrong length */
export function classify(kind: Kind, raws: readonly RawObject[]): Classified {
  const objects: PlacedObject[] = [];
  const unknown: OpaqueObject[] = [];
  let rejection: RsvpDecodeError | undefined;
  for (const raw of raws) {
    switch (fateOf(kind, raw)) {
      case "read": {
        const form = objectFormOf(raw.classNum, raw.cType);
        if (form !== undefined) objects.push(readObject(form, raw));
        break;
      }
      case "passOn":
        unknown.push({ classNum: raw.classNum, cType: raw.cType, contents: Buffer.from(raw.contents) });
        break;
      case "reject":
        rejection ??= rejectionOf(raw);
        break;
      case "ignore":
        break;
    }
  }
  return { objects, unknown, rejection };
}

function fateOf(kind: Kind, { classNum, cType }: RawObject): "read" | "passOn" | "reject" | "ignore" {
  if (classNum === NULL_CLASS) return "ignore";
  const form = objectFormOf(classNum, cType);
  // Of the classes 1bbbbbbb one that has no meaning in this message is treated as if it were not known.
  if (form !== undefined && (classNum < 0x80 || allows(kind, form.name))) return "read";
  if (form === undefined && isErrorMessage(kind) && COPIED.has(classNum)) return "ignore";
  if (classNum >= 0xc0) return "passOn";
  return classNum >= 0x80 ? "ignore" : "reject";
}

const isErrorMessage = (kind: Kind): boolean => kind === "PathErr" || kind === "ResvErr";

function rejectionOf({ classNum, cType, offset }: RawObject): RsvpDecodeError {
  const title = classTitleOf(classNum);
  return title === undefined ? unknownClass(classNum, cType, offset) : unknownCType(title, classNum, cType, offset);
}

/** An RSVP message that cannot be used, and what RFC 2205 wants answered to it. */
import { DecodeError, type DecodeErrorDetail } from "../../model/errors.js";
import { RSVP_ERROR, TRAFFIC_CONTROL } from "./codes.js";
import type { ErroredFlows, ErroredSender } from "./message.js";
import type { Hop, Session } from "./objects.js";

/** The Error Code and Error Value of an ERROR_SPEC. */
export interface ErrorAnswer {
  readonly code: number;
  readonly value: number;
}

/** Why a message was not used: stable, for counters. */
export type DecodeReason =
  /** Wrong-length message, version, message type, object length. */
  | "malformed"
  | "checksum"
  | "missingObject"
  /** An object where the message type allows none, or out of order. */
  | "misplacedObject"
  | "unknownClass"
  | "unknownCType"
  | "badValue";

/** Enough of a bad Path to answer it with a PathErr. */
export interface LegiblePath {
  readonly kind: "Path";
  readonly session: Session;
  readonly hop: Hop;
  readonly sender: ErroredSender;
}

/** Enough of a bad Resv to answer it with a ResvErr to its next hop. */
export interface LegibleResv {
  readonly kind: "Resv";
  readonly session: Session;
  readonly hop: Hop;
  readonly flows: ErroredFlows;
}

export interface RsvpDecodeMore {
  readonly answer?: ErrorAnswer;
  readonly legible?: LegiblePath | LegibleResv;
}

/**
 * With both `answer` and `legible` the message is to be answered by a PathErr or a ResvErr; otherwise it is
 * dropped and counted, as RFC 2205 Appendix B says of formatting errors.
 */
export class RsvpDecodeError extends DecodeError {
  readonly reason: DecodeReason;
  readonly answer: ErrorAnswer | undefined;
  readonly legible: LegiblePath | LegibleResv | undefined;

  constructor(reason: DecodeReason, message: string, detail: DecodeErrorDetail, more: RsvpDecodeMore = {}) {
    super("RSVP_DECODE", message, detail);
    this.reason = reason;
    this.answer = more.answer;
    this.legible = more.legible;
  }

  /** The same error with more known about the message that it came from. Nothing if it is not answered anyway. */
  within(legible: LegiblePath | LegibleResv | undefined): RsvpDecodeError {
    if (legible === undefined || this.answer === undefined || this.legible !== undefined) return this;
    return new RsvpDecodeError(this.reason, this.message, this.detail, { answer: this.answer, legible });
  }
}

export function malformed(message: string, detail: DecodeErrorDetail): RsvpDecodeError {
  return new RsvpDecodeError("malformed", message, detail);
}

export function missingObject(name: string): RsvpDecodeError {
  return new RsvpDecodeError("missingObject", `${name} is missing`, { offset: 0, object: name });
}

export function misplaced(message: string, detail: DecodeErrorDetail): RsvpDecodeError {
  return new RsvpDecodeError("misplacedObject", message, detail);
}

/** A value that no sender may use, and that is not reported to end systems. */
export function badValue(message: string, detail: DecodeErrorDetail): RsvpDecodeError {
  return new RsvpDecodeError("badValue", message, detail);
}

/** Error 6, RFC 2205 §B. */
export function unknownStyle(optionVector: number, offset: number): RsvpDecodeError {
  const text = `unknown reservation style, option vector 0x${optionVector.toString(16)}`;
  const answer = { code: RSVP_ERROR.unknownStyle, value: 0 };
  return new RsvpDecodeError("badValue", text, { offset, object: "STYLE" }, { answer });
}

/** Error 21 with one of the `TRAFFIC_CONTROL` sub-codes. */
export function trafficControl(
  sub: keyof typeof TRAFFIC_CONTROL,
  message: string,
  detail: DecodeErrorDetail,
): RsvpDecodeError {
  const answer = { code: RSVP_ERROR.trafficControl, value: TRAFFIC_CONTROL[sub] };
  return new RsvpDecodeError("badValue", message, detail, { answer });
}

/** Error 13: the whole message is rejected (RFC 2205 §3.10). */
export function unknownClass(classNum: number, cType: number, offset: number): RsvpDecodeError {
  const answer = { code: RSVP_ERROR.unknownClass, value: (classNum << 8) | cType };
  const detail = { offset, object: `Class ${classNum} C-Type ${cType}` };
  return new RsvpDecodeError("unknownClass", `unknown RSVP class ${classNum}`, detail, { answer });
}

/** Error 14. */
export function unknownCType(title: string, classNum: number, cType: number, offset: number): RsvpDecodeError {
  const answer = { code: RSVP_ERROR.unknownCType, value: (classNum << 8) | cType };
  return new RsvpDecodeError(
    "unknownCType",
    `unknown C-Type ${cType} of ${title}`,
    { offset, object: title },
    { answer },
  );
}

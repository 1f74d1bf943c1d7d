/** A COPS message that cannot be read, and what RFC 2748 wants answered to it. */
import { DecodeError, type DecodeErrorDetail } from "../../model/errors.js";
import { COPS_ERROR } from "./codes.js";

/** Contents of an Error or Reason object: a code, and a sub-code that refines it. */
export interface CodeAndSubCode {
  readonly code: number;
  readonly subCode: number;
}

/** What was legible of a message that otherwise is not. */
export interface Legible {
  readonly op?: number;
  readonly clientType?: number;
  readonly handle?: Buffer;
}

/** Carries the Error object to answer with (RFC 2748 §2.2.8) and whatever tells to whom. */
export class CopsDecodeError extends DecodeError {
  readonly answer: CodeAndSubCode;
  readonly legible: Legible;
  /** True when the place of the next message is unknown: the connection cannot go on. */
  readonly framingLost: boolean;

  constructor(
    message: string,
    detail: DecodeErrorDetail,
    answer: CodeAndSubCode,
    more: { readonly legible?: Legible; readonly framingLost?: boolean } = {},
  ) {
    super(more.framingLost === true ? "COPS_FRAMING" : "COPS_DECODE", message, detail);
    this.answer = answer;
    this.legible = more.legible ?? {};
    this.framingLost = more.framingLost ?? false;
  }

  /** The same error with more known about the message that it came from. */
  within(legible: Legible): CopsDecodeError {
    const all = { ...this.legible, ...legible };
    return new CopsDecodeError(this.message, this.detail, this.answer, {
      legible: all,
      framingLost: this.framingLost,
    });
  }
}

/** Error 3: a length or a value that the RFC does not allow. */
export function badFormat(message: string, detail: DecodeErrorDetail): CopsDecodeError {
  return new CopsDecodeError(message, detail, { code: COPS_ERROR.badMessageFormat, subCode: 0 });
}

/** Error 7: an object that the message must have is not there. Sub-code: C-Num in the high octet. */
export function missingObject(name: string, cNum: number): CopsDecodeError {
  const detail = { offset: 0, object: name };
  return new CopsDecodeError(`${name} is missing`, detail, {
    code: COPS_ERROR.mandatoryObjectMissing,
    subCode: cNum << 8,
  });
}

/** Error 13: C-Num and C-Type in the two octets of the sub-code. */
export function unknownObject(cNum: number, cType: number, offset: number): CopsDecodeError {
  const detail = { offset, object: `C-Num ${cNum} C-Type ${cType}` };
  const answer = { code: COPS_ERROR.unknownObject, subCode: (cNum << 8) | cType };
  return new CopsDecodeError(`unknown COPS object, C-Num ${cNum} C-Type ${cType}`, detail, answer);
}

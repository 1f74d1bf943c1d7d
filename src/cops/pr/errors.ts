/** What can be wrong with provisioning data, in the codes of RFC 3084 §4.4 and §4.5. */
import { DecodeError, type DecodeErrorDetail } from "../../model/errors.js";
import type { CodeAndSubCode } from "../codec/errors.js";
import type { Prid } from "./oid.js";

/** Global Provisioning Error codes, RFC 3084 §4.4. */
export const GPERR = {
  availMemLow: 1,
  availMemExhausted: 2,
  unknownAsn1Tag: 3,
  maxMsgSizeExceeded: 4,
  unknownError: 5,
  maxRequestStatesOpen: 6,
  invalidAsn1Length: 7,
  invalidObjectPad: 8,
  unknownPibData: 9,
  unknownCopsPrObject: 10,
  malformedDecision: 11,
} as const;

/** Class-specific Provisioning Error codes, RFC 3084 §4.5. For 3..7 the sub-code is the attribute number. */
export const CPERR = {
  priSpaceExhausted: 1,
  priInstanceInvalid: 2,
  attrValueInvalid: 3,
  attrValueSupLimited: 4,
  attrEnumSupLimited: 5,
  attrMaxLengthExceeded: 6,
  attrReferenceUnknown: 7,
  priNotifyOnly: 8,
  unknownPrc: 9,
  tooFewAttrs: 10,
  invalidAttrType: 11,
  deletedInRef: 12,
  priSpecificError: 13,
} as const;

/** Provisioning octets that cannot be read. Carries the GPERR to report. */
export class PrDecodeError extends DecodeError {
  readonly gperr: CodeAndSubCode;

  constructor(message: string, detail: DecodeErrorDetail, gperr: CodeAndSubCode) {
    super("COPS_PR_DECODE", message, detail);
    this.gperr = gperr;
  }
}

/** One instance that could not be installed or removed: an ErrorPRID and its CPERR. Data, not an exception. */
export interface PriError {
  readonly prid: Prid;
  readonly cperr: CodeAndSubCode;
  /** For the log and for `explain`. */
  readonly text: string;
}

export function malformed(message: string, object: string): PrDecodeError {
  return new PrDecodeError(message, { offset: 0, object }, { code: GPERR.malformedDecision, subCode: 0 });
}

/** What is wrong with an OSP document, with the Status code that tells the sender. */
import { DecodeError, type DecodeErrorDetail } from "../../model/errors.js";

/** Status codes a receiver answers an unreadable message with (TS 101 321: 400 bad, 410 charset, 411 syntax, 412 critical). */
export type DecodeStatus = 400 | 410 | 411 | 412;

/** As much of a message's frame as could be read: enough to answer it. */
export interface Envelope {
  readonly messageId: string;
  readonly components: readonly EnvelopeComponent[];
}

export interface EnvelopeComponent {
  readonly name: string;
  readonly componentId: string;
}

export const EMPTY_ENVELOPE: Envelope = { messageId: "0", components: [] };

const CODES = { 400: "OSP_FIELD", 410: "OSP_CHARSET", 411: "OSP_SYNTAX", 412: "OSP_CRITICAL" } as const;

/** `detail.offset` counts UTF-16 units of the document, or is 0 where a whole element is meant. */
export class OspDecodeError extends DecodeError {
  readonly status: DecodeStatus;
  readonly envelope: Envelope;

  constructor(status: DecodeStatus, message: string, detail: DecodeErrorDetail, envelope: Envelope = EMPTY_ENVELOPE) {
    super(CODES[status], message, detail);
    this.status = status;
    this.envelope = envelope;
  }
}

/** A field of a component says what it may not: Status 400. */
export function badField(object: string, message: string): OspDecodeError {
  return new OspDecodeError(400, `${object}: ${message}`, { offset: 0, object });
}

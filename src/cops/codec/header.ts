/** The common header, RFC 2748 §2.1. */
import { COPS_ERROR } from "./codes.js";
import { CopsDecodeError } from "./errors.js";

export const HEADER_LENGTH = 8;
const VERSION = 1;
const SOLICITED = 0x1;

export interface CopsHeader {
  readonly op: number;
  readonly clientType: number;
  readonly solicited: boolean;
  /** Octets of the whole message, this header included. */
  readonly length: number;
}

export function writeHeader(target: Buffer, header: CopsHeader): void {
  target.writeUInt8((VERSION << 4) | (header.solicited ? SOLICITED : 0), 0);
  target.writeUInt8(header.op, 1);
  target.writeUInt16BE(header.clientType, 2);
  target.writeUInt32BE(header.length, 4);
}

/**
 * Reads the first eight octets and checks what framing depends on.
 * @param maxLength - octets; a longer message is refused before any of it is kept
 * @throws CopsDecodeError with `framingLost`
 */
export function readHeader(octets: Buffer, maxLength: number): CopsHeader {
  if (octets.length < HEADER_LENGTH) throw broken("message shorter than its header", octets.length, HEADER_LENGTH);
  const version = octets.readUInt8(0) >> 4;
  const length = octets.readUInt32BE(4);
  if (version !== VERSION) throw broken(`COPS version ${version}, only ${VERSION} is spoken`);
  if (length < HEADER_LENGTH) throw broken("message length below that of the header", length, HEADER_LENGTH);
  if (length % 4 !== 0) throw broken(`message length ${length} is not a multiple of 4`);
  if (length > maxLength) throw broken(`message length ${length} is above the limit of ${maxLength}`);
  return {
    op: octets.readUInt8(1),
    clientType: octets.readUInt16BE(2),
    solicited: (octets.readUInt8(0) & SOLICITED) !== 0,
    length,
  };
}

function broken(message: string, have?: number, need?: number): CopsDecodeError {
  const lengths = have === undefined || need === undefined ? {} : { have, need };
  const detail = { offset: 0, object: "Common Header", ...lengths };
  return new CopsDecodeError(message, detail, { code: COPS_ERROR.badMessageFormat, subCode: 0 }, { framingLost: true });
}

/**
 * COPS for SIP: what a decision tells the proxy to do with a message. Sub-objects in Client Specific
 * Decision Data (6/4), headed like those of COPS-PR: length without padding, S-Num, S-Type, padded to a word.
 */
import { DecodeError, InternalError } from "../../model/errors.js";
import { parseSessionId, type SessionId } from "../../model/session.js";
import { padded } from "../codec/object.js";

export interface SipHeader {
  readonly name: string;
  readonly value: string;
}

export interface SipDirectives {
  /** Put on the message before it goes on, in this order. */
  readonly addHeaders: readonly SipHeader[];
  /** Names; every header field of that name goes. */
  readonly removeHeaders: readonly string[];
  /** SIP URI to send the request to. */
  readonly nextHop?: string;
  /** Answer with this instead of forwarding. */
  readonly refusal?: { readonly status: number; readonly phrase: string };
  readonly session?: SessionId;
  /** Put on the ACK of the 2xx, or the PRACK of the reliable provisional, that this decision lets go on: what the callee is to be told. */
  readonly ackHeaders?: readonly SipHeader[];
  /** The parties have not heard what is granted: the 2xx is to be asked about, even if it says nothing new. */
  readonly untold?: boolean;
  /** The proxy leaves the dialog's path when it is set up: later requests go from user to user. */
  readonly direct?: boolean;
  /** The session is to end: value of the Reason header field (RFC 3326) for the proxy's own BYE or CANCEL. */
  readonly reason?: string;
}

export const NO_DIRECTIVES: SipDirectives = { addHeaders: [], removeHeaders: [] };

const S_NUM = {
  addHeader: 1,
  removeHeader: 2,
  nextHop: 3,
  refusal: 4,
  session: 5,
  reason: 6,
  ackHeader: 7,
  direct: 8,
  untold: 9,
} as const;
const S_TYPE = 1;
const HEADER = 4;

/** RFC 3261 §25.1 token: what a header field's name is made of. */
const TOKEN = /^[A-Za-z0-9\-.!%*_+`'~]+$/;

/** @throws InternalError for text that may not go into a SIP message */
export function encodeDirectives(directives: SipDirectives): Buffer {
  const { addHeaders, removeHeaders, nextHop, refusal, session, reason, ackHeaders = [], direct, untold } = directives;
  const field = ({ name, value }: SipHeader): string => `${token(name)}: ${line(value)}`;
  const objects = [
    ...addHeaders.map((header) => subObject(S_NUM.addHeader, field(header))),
    ...removeHeaders.map((name) => subObject(S_NUM.removeHeader, token(name))),
    ...ackHeaders.map((header) => subObject(S_NUM.ackHeader, field(header))),
  ];
  if (nextHop !== undefined) objects.push(subObject(S_NUM.nextHop, line(nextHop)));
  if (refusal !== undefined) {
    const head = Buffer.alloc(4);
    head.writeUInt16BE(refusal.status, 0);
    objects.push(subObject(S_NUM.refusal, Buffer.concat([head, Buffer.from(line(refusal.phrase), "utf8")])));
  }
  if (session !== undefined) objects.push(subObject(S_NUM.session, session));
  if (reason !== undefined) objects.push(subObject(S_NUM.reason, line(reason)));
  if (direct === true) objects.push(subObject(S_NUM.direct, ""));
  if (untold === true) objects.push(subObject(S_NUM.untold, ""));
  return Buffer.concat(objects);
}

function subObject(sNum: number, contents: string | Buffer): Buffer {
  const octets = typeof contents === "string" ? Buffer.from(contents, "utf8") : contents;
  const length = HEADER + octets.length;
  if (length > 0xffff) throw new InternalError("COPS_SIP_OBJECT", `sub-object of ${length} octets`);
  return Buffer.concat([Buffer.from([length >> 8, length & 0xff, sNum, S_TYPE]), octets], padded(length));
}

const isLine = (text: string): boolean => !/[\r\n\0]/.test(text);

function line(text: string): string {
  if (!isLine(text)) throw new InternalError("COPS_SIP_TEXT", "CR, LF or NUL in text for a SIP message");
  return text;
}

function token(name: string): string {
  if (!TOKEN.test(name)) throw new InternalError("COPS_SIP_TEXT", `not a header name: ${JSON.stringify(name)}`);
  return name;
}

type Draft = { -readonly [Key in keyof SipDirectives]: SipDirectives[Key] } & {
  addHeaders: SipHeader[];
  ackHeaders?: SipHeader[];
  removeHeaders: string[];
};

/** @throws DecodeError; among others for CR, LF or NUL in any text, which would split the SIP message */
export function decodeDirectives(data: Buffer): SipDirectives {
  const directives: Draft = { addHeaders: [], removeHeaders: [] };
  let offset = 0;
  while (offset < data.length) {
    const have = data.length - offset;
    if (have < HEADER) throw bad("octets after the last sub-object", offset, { need: HEADER, have });
    const length = data.readUInt16BE(offset);
    if (length < HEADER || length > have) throw bad("length of a sub-object", offset, { need: length, have });
    const sNum = data.readUInt8(offset + 2);
    const sType = data.readUInt8(offset + 3);
    if (sType !== S_TYPE) throw bad(`unknown S-Num ${sNum} S-Type ${sType}`, offset);
    decodeInto(directives, sNum, { contents: data.subarray(offset + HEADER, offset + length), offset });
    offset += padded(length);
  }
  return directives;
}

interface Place {
  readonly contents: Buffer;
  readonly offset: number;
}

function decodeInto(directives: Draft, sNum: number, place: Place): void {
  switch (sNum) {
    case S_NUM.addHeader:
      directives.addHeaders.push(decodeHeader(place));
      return;
    case S_NUM.removeHeader: {
      const name = decodeText(place);
      if (!TOKEN.test(name)) throw bad("not a header name", place.offset);
      directives.removeHeaders.push(name);
      return;
    }
    case S_NUM.nextHop:
      directives.nextHop = decodeText(place);
      return;
    case S_NUM.refusal: {
      const { contents, offset } = place;
      if (contents.length < 4) throw bad("refusal without a status", offset, { need: 4, have: contents.length });
      const status = contents.readUInt16BE(0);
      // RFC 3261 §21: only 300 to 699 refuse.
      if (status < 300 || status > 699) throw bad(`${status} is no refusing SIP status`, offset);
      directives.refusal = { status, phrase: decodeText({ contents: contents.subarray(4), offset }) };
      return;
    }
    case S_NUM.session: {
      const session = parseSessionId(decodeText(place));
      if (session === undefined) throw bad("not a session id", place.offset);
      directives.session = session;
      return;
    }
    case S_NUM.reason:
      directives.reason = decodeText(place);
      return;
    case S_NUM.ackHeader:
      directives.ackHeaders ??= [];
      directives.ackHeaders.push(decodeHeader(place));
      return;
    case S_NUM.direct:
      directives.direct = true;
      return;
    case S_NUM.untold:
      directives.untold = true;
      return;
    default:
      throw bad(`unknown S-Num ${sNum}`, place.offset);
  }
}

function decodeHeader(place: Place): SipHeader {
  const field = decodeText(place);
  const colon = field.indexOf(":");
  const name = field.slice(0, Math.max(0, colon)).trimEnd();
  if (!TOKEN.test(name)) throw bad("not a header field", place.offset);
  return { name, value: field.slice(colon + 1).trim() };
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decodeText({ contents, offset }: Place): string {
  let text: string;
  try {
    text = UTF8.decode(contents);
  } catch {
    throw bad("not UTF-8", offset);
  }
  if (!isLine(text)) throw bad("CR, LF or NUL in text for a SIP message", offset);
  return text;
}

function bad(message: string, offset: number, lengths: { need?: number; have?: number } = {}): DecodeError {
  return new DecodeError("COPS_SIP_DECODE", message, { offset, object: "Client Specific Decision Data", ...lengths });
}

/** The sub-objects inside Named ClientSI and Named Decision Data, RFC 3084 §4. */
import { InternalError } from "../../model/errors.js";
import type { CodeAndSubCode } from "../codec/errors.js";
import { padded } from "../codec/object.js";
import { type BerValue, decodeBer, decodeOidTlv } from "./ber.js";
import { encodeBer } from "./ber-writer.js";
import { GPERR, malformed, PrDecodeError } from "./errors.js";
import type { Oid, Prid } from "./oid.js";

const S_NUM = { prid: 1, pprid: 2, epd: 3, gperr: 4, cperr: 5, errorPrid: 6 } as const;
const S_TYPE_BER = 1;
const HEADER = 4;

export type PrObject =
  | { readonly kind: "prid" | "errorPrid"; readonly prid: Prid }
  | { readonly kind: "pprid"; readonly prefix: Oid }
  | { readonly kind: "epd"; readonly values: readonly BerValue[] }
  | { readonly kind: "gperr" | "cperr"; readonly error: CodeAndSubCode };

const KINDS = new Map<number, PrObject["kind"]>(
  Object.entries(S_NUM).map(([kind, number]) => [number, kind as PrObject["kind"]]),
);

/** One after the other, each padded with zeros to a word. */
export const encodePrObjects = (objects: readonly PrObject[]): Buffer => Buffer.concat(objects.map(encodePrObject));

export function encodePrObject(object: PrObject): Buffer {
  const contents = contentsOf(object);
  const length = HEADER + contents.length;
  if (length > 0xffff) throw new InternalError("COPS_PR_OBJECT_TOO_LONG", `${object.kind} of ${length} octets`);
  const header = Buffer.from([length >> 8, length & 0xff, S_NUM[object.kind], S_TYPE_BER]);
  return Buffer.concat([header, contents], padded(length));
}

function contentsOf(object: PrObject): Buffer {
  switch (object.kind) {
    case "prid":
    case "errorPrid":
      return encodeBer({ type: "oid", value: object.prid });
    case "pprid":
      return encodeBer({ type: "oid", value: object.prefix });
    case "epd":
      return encodeBer(...object.values);
    case "gperr":
    case "cperr": {
      const octets = Buffer.alloc(4);
      octets.writeUInt16BE(object.error.code, 0);
      octets.writeUInt16BE(object.error.subCode, 2);
      return octets;
    }
  }
}

/** @throws PrDecodeError with the GPERR to report: 10 unknown object, 11 malformed, 3 and 7 from BER */
export function decodePrObjects(octets: Buffer): PrObject[] {
  const objects: PrObject[] = [];
  let offset = 0;
  while (offset < octets.length) {
    const room = octets.length - offset;
    if (room < HEADER) throw malformed("octets after the last sub-object", "sub-object header");
    const length = octets.readUInt16BE(offset);
    if (length < HEADER || length > room)
      throw malformed(`sub-object of ${length} octets, ${room} there`, "sub-object");
    const sNum = octets.readUInt8(offset + 2);
    const sType = octets.readUInt8(offset + 3);
    const kind = KINDS.get(sNum);
    if (kind === undefined || sType !== S_TYPE_BER) throw unknownSubObject(sNum, sType, offset);
    objects.push(decodeContents(kind, octets.subarray(offset + HEADER, offset + length)));
    offset += padded(length);
  }
  return objects;
}

function unknownSubObject(sNum: number, sType: number, offset: number): PrDecodeError {
  const object = `S-Num ${sNum} S-Type ${sType}`;
  const gperr = { code: GPERR.unknownCopsPrObject, subCode: (sNum << 8) | sType };
  return new PrDecodeError(`unknown COPS-PR object, ${object}`, { offset, object }, gperr);
}

function decodeContents(kind: PrObject["kind"], contents: Buffer): PrObject {
  switch (kind) {
    case "prid":
    case "errorPrid":
      return { kind, prid: decodeOidTlv(contents) };
    case "pprid":
      return { kind, prefix: decodeOidTlv(contents) };
    case "epd":
      return { kind, values: decodeBer(contents) };
    case "gperr":
    case "cperr":
      if (contents.length !== 4) throw malformed(`${kind} of ${contents.length + HEADER} octets, not 8`, kind);
      return { kind, error: { code: contents.readUInt16BE(0), subCode: contents.readUInt16BE(2) } };
  }
}

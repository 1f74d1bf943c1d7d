/**
 * SENDER_TSPEC and FLOWSPEC as RFC 2210 §3 lays them out: a header, one service, its parameters. Reading
 * goes by the lengths; whether the values make sense is for validate.ts.
 */
import { DecodeError } from "../../model/errors.js";
import type { BytesPerSecond, Octets } from "../../model/units.js";
import type { Flowspec, TokenBucket } from "./objects.js";

export const SERVICE = { general: 1, guaranteed: 2, controlledLoad: 5 } as const;

/** Parameters by number: RFC 2210 §3. */
const TOKEN_BUCKET = 127;
const RSPEC = 130;

/** Break bit of a service header, bit 23 of its word (RFC 2210 §3.3). */
const BREAK = 0x80;

export const WORD = 4;

/** A service's data as cut out, unread. */
export interface ServiceFragment {
  readonly service: number;
  readonly broken: boolean;
  readonly data: Buffer;
}

/** A parameter as cut out, unread. */
export interface Parameter {
  readonly id: number;
  readonly flags: number;
  readonly data: Buffer;
}

/** Why IntServ contents cannot be read: turned into error 21 with a sub-code of the object they are in. */
export class IntServFault extends DecodeError {
  /** Set if nothing is wrong but that this service is not known. */
  readonly service: number | undefined;

  constructor(message: string, service?: number) {
    super("RSVP_INTSERV", message, { offset: 0, object: "IntServ data" });
    this.service = service;
  }
}

/** @throws IntServFault if version or lengths are wrong */
export function cutServices(contents: Buffer): ServiceFragment[] {
  if (contents.length < WORD) throw new IntServFault("no IntServ header");
  const version = contents.readUInt8(0) >> 4;
  if (version !== 0) throw new IntServFault(`IntServ format version ${version}, only 0 is spoken`);
  const words = contents.readUInt16BE(2);
  if (words !== contents.length / WORD - 1)
    throw new IntServFault(`IntServ length of ${words} words is not the object's`);
  return cutWords(contents.subarray(WORD), (head, data) => ({
    service: head.readUInt8(0),
    broken: (head.readUInt8(1) & BREAK) !== 0,
    data,
  }));
}

/** @throws IntServFault if lengths are wrong */
export function cutParameters(data: Buffer): Parameter[] {
  return cutWords(data, (head, rest) => ({ id: head.readUInt8(0), flags: head.readUInt8(1), data: rest }));
}

/** Services and parameters are framed alike: two octets, then the words that follow. */
function cutWords<Piece>(octets: Buffer, make: (head: Buffer, data: Buffer) => Piece): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  while (at < octets.length) {
    const end = at + WORD + octets.readUInt16BE(at + 2) * WORD;
    if (end > octets.length) throw new IntServFault("an IntServ length goes past the end");
    pieces.push(make(octets.subarray(at, at + WORD), octets.subarray(at + WORD, end)));
    at = end;
  }
  return pieces;
}

/** @throws IntServFault */
export function readTspec(contents: Buffer): TokenBucket {
  const { service, parameters } = onlyService(contents);
  if (service !== SERVICE.general) throw new IntServFault(`SENDER_TSPEC of service ${service}`);
  return readTokenBucket(parameters);
}

/** @throws IntServFault, with the service's number if that is what is not known */
export function readFlowspec(contents: Buffer): Flowspec {
  const { service, parameters } = onlyService(contents);
  switch (service) {
    case SERVICE.controlledLoad:
      return { kind: "controlledLoad", tspec: readTokenBucket(parameters) };
    case SERVICE.guaranteed: {
      const rspec = parameterOf(parameters, RSPEC, 2);
      const rate = rspec.readFloatBE(0) as BytesPerSecond;
      return { kind: "guaranteed", tspec: readTokenBucket(parameters), rate, slackMicros: rspec.readUInt32BE(4) };
    }
    default:
      throw new IntServFault(`service ${service} is not offered`, service);
  }
}

function onlyService(contents: Buffer) {
  const [fragment, ...more] = cutServices(contents);
  if (fragment === undefined || more.length > 0) throw new IntServFault("not exactly one service");
  return { service: fragment.service, parameters: cutParameters(fragment.data) };
}

/** Values as they are on the wire: also NaN, negative, or m above M. */
function readTokenBucket(parameters: readonly Parameter[]): TokenBucket {
  const data = parameterOf(parameters, TOKEN_BUCKET, 5);
  return {
    rate: data.readFloatBE(0) as BytesPerSecond,
    bucket: data.readFloatBE(4) as Octets,
    peak: data.readFloatBE(8) as BytesPerSecond,
    minPoliced: data.readUInt32BE(12) as Octets,
    maxPacket: data.readUInt32BE(16) as Octets,
  };
}

function parameterOf(parameters: readonly Parameter[], id: number, words: number): Buffer {
  const [found, ...more] = parameters.filter((parameter) => parameter.id === id);
  if (found === undefined || more.length > 0 || found.data.length !== words * WORD) {
    throw new IntServFault(`not exactly one parameter ${id} of ${words} words`);
  }
  return found.data;
}

export function writeTspec(tspec: TokenBucket): Buffer {
  return joinServices([
    { service: SERVICE.general, broken: false, data: joinParameters([tokenBucketParameter(tspec)]) },
  ]);
}

export function writeFlowspec(flowspec: Flowspec): Buffer {
  const parameters = [tokenBucketParameter(flowspec.tspec)];
  if (flowspec.kind === "guaranteed") {
    const data = Buffer.alloc(2 * WORD);
    data.writeFloatBE(flowspec.rate, 0);
    data.writeUInt32BE(flowspec.slackMicros, 4);
    parameters.push({ id: RSPEC, flags: 0, data });
  }
  return joinServices([{ service: SERVICE[flowspec.kind], broken: false, data: joinParameters(parameters) }]);
}

function tokenBucketParameter(tspec: TokenBucket): Parameter {
  const data = Buffer.alloc(5 * WORD);
  data.writeFloatBE(tspec.rate, 0);
  data.writeFloatBE(tspec.bucket, 4);
  data.writeFloatBE(tspec.peak, 8);
  data.writeUInt32BE(tspec.minPoliced, 12);
  data.writeUInt32BE(tspec.maxPacket, 16);
  return { id: TOKEN_BUCKET, flags: 0, data };
}

export function joinParameters(parameters: readonly Parameter[]): Buffer {
  return Buffer.concat(parameters.flatMap(({ id, flags, data }) => [wordHeader(id, flags, data), data]));
}

export function joinServices(fragments: readonly ServiceFragment[]): Buffer {
  const body = Buffer.concat(
    fragments.flatMap(({ service, broken, data }) => [wordHeader(service, broken ? BREAK : 0, data), data]),
  );
  return Buffer.concat([wordHeader(0, 0, body), body]);
}

function wordHeader(first: number, second: number, data: Buffer): Buffer {
  const head = Buffer.alloc(WORD);
  head.writeUInt8(first, 0);
  head.writeUInt8(second, 1);
  head.writeUInt16BE(data.length / WORD, 2);
  return head;
}

/** Elements of nf_tables sets and maps on the wire (linux/netfilter/nf_tables.h). Pure. */
import {
  ATTRIBUTE_HEADER,
  attributeEnd,
  attributeType,
  findAttributeAt,
  nextAttribute,
  type OctetWriter,
  sizedAt,
  textAt,
  u64At,
} from "./octets.js";

const ELEMENT = { key: 1, data: 2, userdata: 6, expression: 7, expressions: 11 } as const;
const DATA = { value: 1 } as const;
const EXPRESSION = { name: 1, data: 2 } as const;
const LIMIT = { rate: 1, unit: 2, burst: 3, type: 4, flags: 5 } as const;
const COUNTER = { octets: 1, packets: 2 } as const;
const LIST_ENTRY = 1;
const LIMIT_TYPE = { packets: 0, octets: 1 } as const;
/** libnftnl's user data: type 0 is the comment that `nft list` prints. */
const USERDATA_COMMENT = 0;
const MAX_COMMENT = 127;

/** By octets: the bucket holds one second of the rate and the burst. */
export interface ByteLimit {
  /** What is counted: octets where nothing is said. */
  readonly unit?: "octets" | "packets";
  /** Per second. */
  readonly rate: number;
  /** By packets: exactly what the bucket holds. */
  readonly burst: number;
}

export interface ElementCounter {
  readonly packets: number;
  readonly octets: number;
}

/** What one element of a set or map holds, as far as Sluice uses it. */
export interface SetElement {
  readonly key: Buffer;
  /** The mapped value, of maps. */
  readonly data?: Buffer;
  readonly comment?: string;
  readonly limit?: ByteLimit;
  readonly counter?: ElementCounter;
}

/** The element's list entry. `keyOnly` for deleting and for reading it back. */
export function writeElement(writer: OctetWriter, element: SetElement, keyOnly: boolean): void {
  writer.nested(LIST_ENTRY, () => {
    writer.nested(ELEMENT.key, () => writer.octets(DATA.value, element.key));
    if (keyOnly) return;
    const { data, comment, limit, counter } = element;
    if (data !== undefined) writer.nested(ELEMENT.data, () => writer.octets(DATA.value, data));
    if (comment !== undefined) writeComment(writer, comment);
    if (limit !== undefined) {
      writer.nested(ELEMENT.expressions, () => {
        writer.nested(LIST_ENTRY, () => writeLimit(writer, limit));
        if (counter !== undefined) writer.nested(LIST_ENTRY, () => writeCounter(writer, counter));
      });
    } else if (counter !== undefined) {
      writer.nested(ELEMENT.expression, () => writeCounter(writer, counter));
    }
  });
}

const ASCII = /^[ -~]*$/;

/** Type, length, and the comment with its NUL. */
function writeComment(writer: OctetWriter, comment: string): void {
  if (comment.length > MAX_COMMENT || !ASCII.test(comment)) {
    const octets = Buffer.from(`\0\0${comment}\0`).subarray(0, MAX_COMMENT + 3);
    octets[0] = USERDATA_COMMENT;
    octets[1] = octets.length - 2;
    writer.octets(ELEMENT.userdata, octets);
    return;
  }
  const at = writer.attribute(ELEMENT.userdata, comment.length + 3);
  writer.u8At(at, USERDATA_COMMENT);
  writer.u8At(at + 1, comment.length + 1);
  for (let index = 0; index < comment.length; index++) writer.u8At(at + 2 + index, comment.charCodeAt(index));
}

function writeLimit(writer: OctetWriter, limit: ByteLimit): void {
  writer.text(EXPRESSION.name, "limit");
  writer.nested(EXPRESSION.data, () => {
    writer.u64be(LIMIT.rate, limit.rate);
    writer.u64be(LIMIT.unit, 1);
    writer.u32be(LIMIT.burst, limit.burst);
    writer.u32be(LIMIT.type, LIMIT_TYPE[limit.unit ?? "octets"]);
    writer.u32be(LIMIT.flags, 0);
  });
}

function writeCounter(writer: OctetWriter, counter: ElementCounter): void {
  writer.text(EXPRESSION.name, "counter");
  writer.nested(EXPRESSION.data, () => {
    writer.u64be(COUNTER.octets, counter.octets);
    writer.u64be(COUNTER.packets, counter.packets);
  });
}

/**
 * One element of a list: `octets` from `start` to `end`. A dump holds a hundred thousand of them, so nothing is copied or
 * sliced that is not kept.
 * @throws DecodeError if a length does not fit. Unknown attributes are passed over.
 */
export function readElement(octets: Buffer, start = 0, end = octets.length): SetElement {
  let key: Buffer | undefined;
  let data: Buffer | undefined;
  let comment: string | undefined;
  const found: Statements = { limit: undefined, counter: undefined };
  for (let at = start; end - at >= ATTRIBUTE_HEADER; at = nextAttribute(octets, at)) {
    const stop = attributeEnd(octets, at, end, "set element");
    const value = at + ATTRIBUTE_HEADER;
    const type = attributeType(octets, at);
    if (type === ELEMENT.key) key = valueIn(octets, value, stop, "element key");
    else if (type === ELEMENT.data) data = valueIn(octets, value, stop, "element data");
    else if (type === ELEMENT.userdata) comment = readComment(octets, value, stop);
    else if (type === ELEMENT.expression) readStatement(octets, value, stop, found);
    else if (type === ELEMENT.expressions) {
      for (let entry = value; stop - entry >= ATTRIBUTE_HEADER; entry = nextAttribute(octets, entry)) {
        readStatement(octets, entry + ATTRIBUTE_HEADER, attributeEnd(octets, entry, stop, "element statements"), found);
      }
    }
  }
  const { limit, counter } = found;
  return {
    key: key ?? Buffer.alloc(0),
    ...(data && { data }),
    ...(comment === undefined ? undefined : { comment }),
    ...(limit && { limit }),
    ...(counter && { counter }),
  };
}

interface Statements {
  limit: ByteLimit | undefined;
  counter: ElementCounter | undefined;
}

/** The value inside a key or a datum. */
function valueIn(octets: Buffer, start: number, end: number, object: string): Buffer | undefined {
  const at = findAttributeAt(octets, start, end, DATA.value, object);
  return at < 0 ? undefined : octets.subarray(at + ATTRIBUTE_HEADER, attributeEnd(octets, at, end, object));
}

/** Entries of type, length and value, without padding. */
function readComment(octets: Buffer, start: number, end: number): string | undefined {
  for (let at = start; end - at >= 2; at += 2 + (octets[at + 1] ?? 0)) {
    if (octets[at] !== USERDATA_COMMENT) continue;
    const stop = Math.min(end, at + 2 + (octets[at + 1] ?? 0));
    return textAt(octets, at + 2, stop);
  }
  return undefined;
}

function readStatement(octets: Buffer, start: number, end: number, found: Statements): void {
  const nameAt = findAttributeAt(octets, start, end, EXPRESSION.name, "statement");
  const dataAt = findAttributeAt(octets, start, end, EXPRESSION.data, "statement");
  if (nameAt < 0 || dataAt < 0) return;
  const name = textAt(octets, nameAt + ATTRIBUTE_HEADER, attributeEnd(octets, nameAt, end, "statement"));
  const from = dataAt + ATTRIBUTE_HEADER;
  const to = attributeEnd(octets, dataAt, end, "statement");
  const u64 = (type: number): number => u64At(octets, sizedAt(octets, from, to, type, 8, name));
  const u32 = (type: number): number => octets.readUInt32BE(sizedAt(octets, from, to, type, 4, name));
  if (name === "counter") {
    found.counter = { octets: u64(COUNTER.octets), packets: u64(COUNTER.packets) };
  } else if (name === "limit" && u64(LIMIT.unit) === 1) {
    const limit = { rate: u64(LIMIT.rate), burst: u32(LIMIT.burst) };
    const type = u32(LIMIT.type);
    if (type === LIMIT_TYPE.octets) found.limit = limit;
    else if (type === LIMIT_TYPE.packets) found.limit = { unit: "packets", ...limit };
  }
}

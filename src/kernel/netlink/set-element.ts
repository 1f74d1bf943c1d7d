/** Elements of nf_tables sets and maps on the wire (linux/netfilter/nf_tables.h). Pure. */
import { type Attribute, findAttribute, type OctetWriter, readAttributes, sized, textOf } from "./octets.js";

const ELEMENT = { key: 1, data: 2, userdata: 6, expression: 7, expressions: 11 } as const;
const DATA = { value: 1 } as const;
const EXPRESSION = { name: 1, data: 2 } as const;
const LIMIT = { rate: 1, unit: 2, burst: 3, type: 4, flags: 5 } as const;
const COUNTER = { octets: 1, packets: 2 } as const;
const LIST_ENTRY = 1;
const LIMIT_BY_OCTETS = 1;
/** libnftnl's user data: type 0 is the comment that `nft list` prints. */
const USERDATA_COMMENT = 0;
const MAX_COMMENT = 127;

export interface ByteLimit {
  /** Octets per second; the bucket holds one second of them and the burst. */
  readonly rate: number;
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
    if (comment !== undefined) writer.octets(ELEMENT.userdata, commentOctets(comment));
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

function commentOctets(comment: string): Buffer {
  const text = Buffer.from(`${comment}\0`).subarray(0, MAX_COMMENT + 1);
  return Buffer.concat([Buffer.from([USERDATA_COMMENT, text.length]), text]);
}

function writeLimit(writer: OctetWriter, limit: ByteLimit): void {
  writer.text(EXPRESSION.name, "limit");
  writer.nested(EXPRESSION.data, () => {
    writer.u64be(LIMIT.rate, limit.rate);
    writer.u64be(LIMIT.unit, 1);
    writer.u32be(LIMIT.burst, limit.burst);
    writer.u32be(LIMIT.type, LIMIT_BY_OCTETS);
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

/** @throws DecodeError if a length does not fit. Unknown attributes are passed over. */
export function readElement(octets: Buffer): SetElement {
  const attributes = readAttributes(octets, "set element");
  const key = findAttribute(attributes, ELEMENT.key);
  const data = findAttribute(attributes, ELEMENT.data);
  const comment = commentOf(findAttribute(attributes, ELEMENT.userdata));
  const mapped = data === undefined ? undefined : findAttribute(readAttributes(data, "element data"), DATA.value);
  return {
    key: (key && findAttribute(readAttributes(key, "element key"), DATA.value)) ?? Buffer.alloc(0),
    ...(mapped === undefined ? {} : { data: mapped }),
    ...(comment === undefined ? {} : { comment }),
    ...readStatements(attributes),
  };
}

function commentOf(userdata: Buffer | undefined): string | undefined {
  let rest = userdata ?? Buffer.alloc(0);
  while (rest.length >= 2) {
    const length = rest[1] ?? 0;
    if (rest[0] === USERDATA_COMMENT) return textOf(rest.subarray(2, 2 + length));
    rest = rest.subarray(2 + length);
  }
  return undefined;
}

function readStatements(element: readonly Attribute[]): Pick<SetElement, "limit" | "counter"> {
  const list = findAttribute(element, ELEMENT.expressions);
  const single = findAttribute(element, ELEMENT.expression);
  const expressions =
    list === undefined
      ? single === undefined
        ? []
        : [single]
      : readAttributes(list, "element statements").map((entry) => entry.value);
  let found: Pick<SetElement, "limit" | "counter"> = {};
  for (const expression of expressions) found = { ...found, ...readExpression(expression) };
  return found;
}

function readExpression(octets: Buffer): Pick<SetElement, "limit" | "counter"> {
  const attributes = readAttributes(octets, "statement");
  const name = textOf(findAttribute(attributes, EXPRESSION.name) ?? Buffer.alloc(0));
  const data = findAttribute(attributes, EXPRESSION.data);
  if (data === undefined) return {};
  const values = readAttributes(data, name);
  const u64 = (type: number): number =>
    Number(sized(findAttribute(values, type) ?? Buffer.alloc(0), 8, name).readBigUInt64BE());
  const u32 = (type: number): number => sized(findAttribute(values, type) ?? Buffer.alloc(0), 4, name).readUInt32BE();
  if (name === "counter") return { counter: { octets: u64(COUNTER.octets), packets: u64(COUNTER.packets) } };
  const isOurs = name === "limit" && u32(LIMIT.type) === LIMIT_BY_OCTETS && u64(LIMIT.unit) === 1;
  return isOurs ? { limit: { rate: u64(LIMIT.rate), burst: u32(LIMIT.burst) } } : {};
}

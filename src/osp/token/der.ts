/** Just enough DER (X.690 §10) for our token profile and for a certificate's issuer and serial number. */

export const TAG = { integer: 0x02, octetString: 0x04, oid: 0x06, sequence: 0x30, set: 0x31, explicit0: 0xa0 } as const;

/** Tag, shortest definite length, content. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag]), derLength(content.length), content]);
}

function derLength(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  if (length < 0x100) return Buffer.from([0x81, length]);
  return Buffer.from([0x82, length >> 8, length & 0xff]);
}

/** The content octets of an object identifier: first two arcs in one octet, the rest base 128. */
export function derOid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const octets = [first * 40 + second, ...rest.flatMap(base128)];
  return der(TAG.oid, Buffer.from(octets));
}

function base128(arc: number): number[] {
  const groups = [arc & 0x7f];
  for (let rest = arc >>> 7; rest > 0; rest >>>= 7) groups.unshift((rest & 0x7f) | 0x80);
  return groups;
}

export interface DerValue {
  readonly tag: number;
  readonly content: Buffer;
  /** Tag, length and content. */
  readonly whole: Buffer;
}

/** Walks the values of one level. Every read answers undefined for what is not DER; nothing throws. */
export class DerCursor {
  readonly #octets: Buffer;
  #at = 0;

  constructor(octets: Buffer) {
    this.#octets = octets;
  }

  get atEnd(): boolean {
    return this.#at === this.#octets.length;
  }

  /** The next value; undefined if there is none, its length lies, or its tag is not `tag`. */
  next(tag?: number): DerValue | undefined {
    const octets = this.#octets;
    const start = this.#at;
    const found = octets[start];
    const first = octets[start + 1];
    if (found === undefined || first === undefined || (tag !== undefined && found !== tag)) return undefined;
    const lengthOctets = first < 0x80 ? 0 : first - 0x80;
    if (first === 0x80 || lengthOctets > 2 || start + 2 + lengthOctets > octets.length) return undefined;
    const length = lengthOctets === 0 ? first : octets.readUIntBE(start + 2, lengthOctets);
    const contentStart = start + 2 + lengthOctets;
    if (contentStart + length > octets.length) return undefined;
    this.#at = contentStart + length;
    return {
      tag: found,
      content: octets.subarray(contentStart, this.#at),
      whole: octets.subarray(start, this.#at),
    };
  }

  /** A cursor over the next value's content. */
  into(tag: number): DerCursor | undefined {
    const value = this.next(tag);
    return value === undefined ? undefined : new DerCursor(value.content);
  }
}

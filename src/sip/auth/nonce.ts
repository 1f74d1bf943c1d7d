/**
 * Nonces that need no memory (RFC 7616 §5.4, §5.5): the time, something unguessable, and a keyed hash over both and over
 * the source that it was sent to. Whoever holds the key can tell its own, how old one is, and who was given it; so a
 * challenge costs its sender nothing but the sending, and is of no use to those who cannot read what goes to that source.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { sourceKey } from "../../model/ip.js";
import type { Millis, Timestamp } from "../../model/units.js";

const TIME = 6;
const SALT = 8;
const MAC = 16;
const LENGTH = TIME + SALT + MAC;

export interface NonceOptions {
  /** Unguessable octets. */
  readonly random: (octets: number) => Buffer;
  /** How long a nonce may be used. */
  readonly life: Millis;
}

/** Who is challenged, and when. */
export interface NonceUse {
  /** Address; of IPv6 the /64 counts. */
  readonly source: string;
  readonly now: Timestamp;
}

export class NonceMaker {
  private readonly options: NonceOptions;
  private readonly key: Buffer;

  constructor(options: NonceOptions) {
    this.options = options;
    this.key = options.random(32);
  }

  make({ source, now }: NonceUse): string {
    const head = Buffer.alloc(TIME + SALT);
    head.writeUIntBE(Math.floor(now), 0, TIME);
    this.options.random(SALT).copy(head, TIME);
    return Buffer.concat([head, this.mac(head, source)]).toString("base64url");
  }

  /** When it was made; undefined if it is too old, of another source, a forgery, or from before a restart. */
  read(nonce: string, { source, now }: NonceUse): Timestamp | undefined {
    if (!/^[\w-]{40}$/.test(nonce)) return undefined;
    const octets = Buffer.from(nonce, "base64url");
    if (octets.length !== LENGTH) return undefined;
    const head = octets.subarray(0, TIME + SALT);
    if (!timingSafeEqual(this.mac(head, source), octets.subarray(TIME + SALT))) return undefined;
    const made = head.readUIntBE(0, TIME) as Timestamp;
    // A wall clock that was set back makes nonces of the future; they are no good either.
    return now - made > this.options.life || made > now ? undefined : made;
  }

  private mac(head: Buffer, source: string): Buffer {
    return createHmac("sha256", this.key).update(head).update(sourceKey(source)).digest().subarray(0, MAC);
  }
}

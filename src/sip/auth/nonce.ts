/**
 * Nonces that need no memory (RFC 7616 §5.4, §5.5): the time, something unguessable, and a keyed hash over both. Whoever
 * holds the key can tell its own, and how old one is; so a challenge costs its sender nothing but the sending.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import type { Millis, Timestamp } from "../../model/units.js";

const TIME = 6;
const SALT = 8;
const MAC = 16;
const LENGTH = TIME + SALT + MAC;

export type NonceReading =
  | { readonly kind: "fresh"; readonly made: Timestamp }
  | { readonly kind: "stale" }
  /** Not made with this key: a forgery, or from before a restart. */
  | { readonly kind: "foreign" };

export interface NonceOptions {
  /** Unguessable octets. */
  readonly random: (octets: number) => Buffer;
  /** How long a nonce may be used. */
  readonly life: Millis;
}

export class NonceMaker {
  private readonly options: NonceOptions;
  private readonly key: Buffer;

  constructor(options: NonceOptions) {
    this.options = options;
    this.key = options.random(32);
  }

  make(now: Timestamp): string {
    const head = Buffer.alloc(TIME + SALT);
    head.writeUIntBE(Math.floor(now), 0, TIME);
    this.options.random(SALT).copy(head, TIME);
    return Buffer.concat([head, this.mac(head)]).toString("base64url");
  }

  read(nonce: string, now: Timestamp): NonceReading {
    if (!/^[\w-]{40}$/.test(nonce)) return { kind: "foreign" };
    const octets = Buffer.from(nonce, "base64url");
    if (octets.length !== LENGTH) return { kind: "foreign" };
    const head = octets.subarray(0, TIME + SALT);
    if (!timingSafeEqual(this.mac(head), octets.subarray(TIME + SALT))) return { kind: "foreign" };
    const made = head.readUIntBE(0, TIME) as Timestamp;
    // A wall clock that was set back makes nonces of the future; they are no good either.
    return now - made > this.options.life || made > now ? { kind: "stale" } : { kind: "fresh", made };
  }

  private mac(head: Buffer): Buffer {
    return createHmac("sha256", this.key).update(head).digest().subarray(0, MAC);
  }
}

/**
 * Units are types. Each says the layer at which it counts, because the parts of this system do not
 * agree: SDP b=AS counts IP/UDP/RTP headers in kbit/s, b=TIAS none in bit/s; the DiffServ PIB wants
 * whole kbit/s; nftables counts layer-3 octets; HTB counts layer-2 octets in octets per second.
 */
import { InternalError } from "./errors.js";

declare const unit: unique symbol;
type Unit<Name extends string> = number & { readonly [unit]: Name };

/** bit/s counted at the IP layer (header included) unless a name says otherwise. */
export type BitsPerSecond = Unit<"bit/s">;
/** octet/s, same layer rule. */
export type BytesPerSecond = Unit<"octet/s">;
export type Octets = Unit<"octets">;
/** A span of time in milliseconds. */
export type Millis = Unit<"ms">;
/** A point in time: milliseconds since 1970, with fractions. */
export type Timestamp = Unit<"epoch ms">;
/** Six-bit DiffServ code point (RFC 2474 §3), not the DS octet. */
export type Dscp = Unit<"dscp">;

function checked<U>(value: number, name: string, low: number, high: number): U {
  if (!(value >= low && value <= high)) {
    throw new InternalError("UNIT_RANGE", `${name} must be ${low}..${high}, got ${value}`);
  }
  return value as U;
}

export const bitsPerSecond = (value: number): BitsPerSecond => checked(value, "bit/s", 0, 1e15);
export const kilobitsPerSecond = (value: number): BitsPerSecond => bitsPerSecond(value * 1000);
export const bytesPerSecond = (value: number): BytesPerSecond => checked(value, "octet/s", 0, 1e14);
export const octets = (value: number): Octets => checked(value, "octets", 0, Number.MAX_SAFE_INTEGER);
export const millis = (value: number): Millis => checked(value, "ms", 0, Number.MAX_SAFE_INTEGER);
export const seconds = (value: number): Millis => millis(value * 1000);
export const timestamp = (value: number): Timestamp => checked(value, "epoch ms", 0, Number.MAX_SAFE_INTEGER);
export const dscp = (value: number): Dscp => {
  if (!Number.isInteger(value)) throw new InternalError("UNIT_RANGE", `DSCP must be a whole number, got ${value}`);
  return checked(value, "DSCP", 0, 63);
};

/** Rounds up, so that a rate is never understated by less than one octet per second. */
export const toBytesPerSecond = (rate: BitsPerSecond): BytesPerSecond => bytesPerSecond(Math.ceil(rate / 8));
export const toBitsPerSecond = (rate: BytesPerSecond): BitsPerSecond => bitsPerSecond(rate * 8);

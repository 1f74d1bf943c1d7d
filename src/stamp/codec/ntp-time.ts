/** The NTP 64-bit timestamp format (RFC 5905 §6): seconds since 1900 and a binary fraction, 32 bits each. */
import type { Timestamp } from "../../model/units.js";

export const NTP_TIME_LENGTH = 8;

/** From 1900 to 1970: 70 years with 17 leap days. */
const UNIX_EPOCH = 2_208_988_800;
const ERA = 2 ** 32;

/** Exact to a quarter of a microsecond, as far as the milliseconds are. */
export function writeNtpTime(target: Buffer, time: Timestamp, offset: number): void {
  const whole = Math.floor(time / 1000);
  const fraction = Math.min(ERA - 1, Math.round(((time - whole * 1000) / 1000) * ERA));
  target.writeUInt32BE((whole + UNIX_EPOCH) % ERA, offset);
  target.writeUInt32BE(fraction, offset + 4);
}

/** Seconds with the highest bit clear are of the era that begins in 2036 (RFC 4330 §3): others would be before 1968. */
export function readNtpTime(octets: Buffer, offset: number): Timestamp {
  const seconds = octets.readUInt32BE(offset);
  const fraction = octets.readUInt32BE(offset + 4);
  const since1900 = seconds < ERA / 2 ? seconds + ERA : seconds;
  return ((since1900 - UNIX_EPOCH) * 1000 + (fraction / ERA) * 1000) as Timestamp;
}

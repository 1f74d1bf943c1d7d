/** Numbers and times as people read them. Pure. */

const RATE_UNITS = ["bit/s", "kbit/s", "Mbit/s", "Gbit/s"] as const;
const OCTET_UNITS = ["B", "kB", "MB", "GB"] as const;

/** Of bit/s, in powers of 1000. */
export const formatRate = (bitsPerSecond: number): string => scaled(bitsPerSecond, RATE_UNITS);
/** Likewise. */
export const formatOctets = (octets: number): string => scaled(octets, OCTET_UNITS);

function scaled(value: number, units: readonly string[]): string {
  let rest = value;
  let at = 0;
  while (rest >= 1000 && at < units.length - 1) {
    rest /= 1000;
    at += 1;
  }
  return `${at === 0 ? Math.round(rest) : trimmed(rest, rest < 10 ? 2 : rest < 100 ? 1 : 0)} ${units[at] ?? ""}`;
}

const trimmed = (value: number, digits: number): string =>
  value
    .toFixed(digits)
    .replace(/(\.\d*?)0+$/, "$1")
    .replace(/\.$/, "");

/** In ms; a dash where nothing was measured. */
export const formatMillis = (value: number | undefined): string =>
  value === undefined ? "–" : `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ms`;

/** `value` of 0 to 1. */
export const formatShare = (value: number | undefined): string =>
  value === undefined ? "–" : `${trimmed(value * 100, value < 0.1 ? 2 : 1)} %`;

/** In whole seconds, minutes, hours. */
export function formatSpan(seconds: number): string {
  const whole = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${rest} s` : `${rest} s`;
}

/** @param at - ms since 1970 */
export const formatTime = (at: number): string =>
  new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** @param at - ms since 1970 */
export const formatDateTime = (at: number): string =>
  new Date(at).toLocaleString([], { dateStyle: "short", timeStyle: "short" });

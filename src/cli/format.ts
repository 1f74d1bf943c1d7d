/** Values with their units, for people. JSON output carries the bare base units instead. */
import type { BitsPerSecond, Millis, Octets, Timestamp } from "../model/units.js";

const STEPS = [
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
] as const;

/** `85.6 kbit/s`. */
export function showRate(rate: BitsPerSecond): string {
  const [factor, prefix] = STEPS.find(([step]) => rate >= step) ?? ([1, ""] as const);
  return `${trimmed(rate / factor)} ${prefix}bit/s`;
}

const trimmed = (value: number): string => String(Math.round(value * 1000) / 1000);

/** Octets and packets are shown whole: they are compared with other counts. */
export const showOctets = (value: Octets): string => `${value} B`;

/** `2026-01-02T03:04:05Z`. */
export const showTime = (at: Timestamp): string => new Date(at).toISOString().replace(/\.\d+Z$/, "Z");

/** `12.345 s`. */
export const showDuration = (time: Millis): string => `${trimmed(time / 1000)} s`;

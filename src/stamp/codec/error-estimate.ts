/**
 * The Error Estimate of a clock: S, Z, six bits of scale, eight of multiplier (RFC 4656 §4.1.2, Z by RFC 8186 §2.3). The bits'
 * places were checked with scapy's and tshark's dissectors.
 */
import { type Millis, millis } from "../../model/units.js";

export const ERROR_ESTIMATE_LENGTH = 2;

export interface ErrorEstimate {
  /** S: the clock follows UTC by an external source. */
  readonly synchronised: boolean;
  /** Z: in which format the timestamps are that it is about. */
  readonly format: "ntp" | "ptp";
  /** multiplier × 2^(scale - 32) seconds. 0 only in a packet that must not be used. */
  readonly error: Millis;
}

const [SYNCHRONISED, PTP] = [0x8000, 0x4000];
const [SCALE_MAX, MULTIPLIER_MAX] = [63, 255];

/** The error is rounded up; at least 2^-32 s, as a multiplier of 0 is none. */
export function encodeErrorEstimate({ synchronised, format, error }: ErrorEstimate): number {
  const units = Math.max(1, (error / 1000) * 2 ** 32);
  const scale = Math.min(SCALE_MAX, Math.max(0, Math.ceil(Math.log2(units / MULTIPLIER_MAX))));
  const multiplier = Math.min(MULTIPLIER_MAX, Math.ceil(units / 2 ** scale));
  return (synchronised ? SYNCHRONISED : 0) | (format === "ptp" ? PTP : 0) | (scale << 8) | multiplier;
}

export function decodeErrorEstimate(word: number): ErrorEstimate {
  const scale = (word >> 8) & SCALE_MAX;
  const multiplier = word & MULTIPLIER_MAX;
  return {
    synchronised: (word & SYNCHRONISED) !== 0,
    format: (word & PTP) === 0 ? "ntp" : "ptp",
    error: millis(multiplier * 2 ** (scale - 32) * 1000),
  };
}

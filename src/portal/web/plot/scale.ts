/** The arithmetic of plots: from values to points of a drawing. Pure. */
import type { Reading } from "./series.js";

export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

export interface Axis {
  readonly low: number;
  readonly high: number;
}

/** The least of 1, 2 and 5 times a power of ten that is not below `value`. */
export function niceAbove(value: number): number {
  if (!(value > 0) || !Number.isFinite(value)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const steps = [1, 2, 5, 10].map((factor) => factor * power);
  return steps.find((step) => step >= value * (1 - 1e-12)) ?? 10 * power;
}

/** From 0 to a round number not below any value, and not below `atLeast`. */
export const axisFor = (values: readonly number[], atLeast: number): Axis => ({
  low: 0,
  high: niceAbove(values.reduce((most, value) => (Number.isFinite(value) ? Math.max(most, value) : most), atLeast)),
});

/** Round values from end to end of an axis. */
export function ticksOf({ low, high }: Axis, count: number): readonly number[] {
  return Array.from({ length: count + 1 }, (_, index) => low + ((high - low) * index) / count);
}

/** Where a value lies between two ends; beyond the axis it stays at its end. */
export function placed(value: number, { low, high }: Axis, from: number, to: number): number {
  const share = high === low ? 0 : Math.min(1, Math.max(0, (value - low) / (high - low)));
  return from + (to - from) * share;
}

/** The `d` of an SVG path through readings: a gap where a value is missing. */
export function pathOf(readings: readonly Reading[], time: Axis, values: Axis, box: Box): string {
  let isDown = false;
  const parts: string[] = [];
  for (const { at, value } of readings) {
    if (value === undefined || at < time.low) {
      isDown = false;
      continue;
    }
    const x = placed(at, time, box.left, box.left + box.width);
    const y = placed(value, values, box.top + box.height, box.top);
    parts.push(`${isDown ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`);
    isDown = true;
  }
  return parts.join("");
}

/** The most of what is wanted that there is room for. Pure. */
import type { TrafficSpec } from "../../model/flow.js";
import { bitsPerSecond, octets } from "../../model/units.js";

/** From the least that is of use to the most that is wanted, at layer 3; equal where nothing else will do. */
export interface TrafficRange {
  readonly least: TrafficSpec;
  readonly most: TrafficSpec;
}

/** Granted rates are the ends of their range, or a whole number of these between. */
const STEP = 1000;

/**
 * One traffic for each range, or undefined if there is no room for the least of all. First every flow gets the same part of its
 * range, then in their order each as much more as still fits: nothing that is granted could be larger by a step.
 * @param fits - whether there is room for all of these; more never fits where less does not. Asked some 20 times, and at least once for
 *   each kind of range that is not filled
 * @param kindOf - ranges with the same one are alike in all that decides whether they fit: what there is no room for in one is not
 *   looked for again. Left out: each is of its own kind
 */
export function bestFit(
  ranges: readonly TrafficRange[],
  fits: (traffic: readonly TrafficSpec[]) => boolean,
  kindOf: (index: number) => string = String,
): readonly TrafficSpec[] | undefined {
  const tops = ranges.map(stepsOf);
  const longest = Math.max(0, ...tops);
  const at = (steps: readonly number[]): readonly TrafficSpec[] =>
    ranges.map((range, index) => trafficAfter(range, steps[index] ?? 0));
  if (fits(at(tops))) return at(tops);
  if (longest === 0 || !fits(at(tops.map(() => 0)))) return undefined;
  const evenly = (part: number): number[] => tops.map((top) => Math.floor((top * part) / longest));
  const steps = evenly(largest(0, longest, (part) => fits(at(evenly(part)))));
  const full = new Set<string>();
  for (const [index, top] of tops.entries()) {
    const before = steps[index] ?? 0;
    const kind = kindOf(index);
    if (full.has(`${before} ${kind}`)) continue;
    const most = largest(before, top, (step) => fits(at(steps.with(index, step))));
    steps[index] = most;
    if (most < top) full.add(`${most} ${kind}`);
  }
  return at(steps);
}

/** The largest number in `low..high` that holds. `low` does; above one that does not, none does. */
function largest(low: number, high: number, holds: (value: number) => boolean): number {
  // Mostly there is no room for a single step more.
  if (low >= high || !holds(low + 1)) return low;
  let [good, bad] = [low + 1, high + 1];
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2);
    if (holds(middle)) good = middle;
    else bad = middle;
  }
  return good;
}

/** Steps from the least to the most: the last may be a shorter one. */
const stepsOf = ({ least, most }: TrafficRange): number =>
  most.rate <= least.rate ? 0 : Math.ceil(most.rate / STEP) - Math.floor(least.rate / STEP);

function trafficAfter(range: TrafficRange, steps: number): TrafficSpec {
  const { least, most } = range;
  if (steps >= stepsOf(range)) return most;
  return steps === 0 ? least : trafficAt(range, (Math.floor(least.rate / STEP) + steps) * STEP);
}

/** The traffic of a rate within the range: bucket and packets in proportion. */
export function trafficAt({ least, most }: TrafficRange, rate: number): TrafficSpec {
  if (rate >= most.rate) return most;
  if (rate <= least.rate) return least;
  const part = (rate - least.rate) / (most.rate - least.rate);
  const between = (low: number, high: number): number => Math.ceil(low + (high - low) * part);
  const isOneSize = least.packetSize !== undefined && least.packetSize === most.packetSize;
  return {
    rate: bitsPerSecond(rate),
    burst: octets(between(least.burst, most.burst)),
    packetsPerSecond: between(least.packetsPerSecond, most.packetsPerSecond),
    ...(isOneSize ? { packetSize: least.packetSize } : {}),
  };
}

/**
 * One-way times of a measurement, and the interarrival jitter of each direction (RFC 3550 §6.4.1). All in milliseconds.
 */

/** The times of one test packet by the clocks of both ends. */
export interface PacketTimes {
  /** The sender's timestamp, and when its packet arrived, by the reflector's clock. */
  readonly sent: number;
  readonly received: number;
  /** When the reflector answered, by its clock, and when the answer arrived. */
  readonly answered: number;
  readonly returned: number;
}

/** What one packet tells. */
export interface Sample {
  /** Without what the reflector took. */
  readonly roundTrip: number;
  /** By the clocks of both ends, so with what they are apart. */
  readonly out: number;
  readonly in: number;
}

export function sampleOf({ sent, received, answered, returned }: PacketTimes): Sample {
  return { roundTrip: returned - sent - (answered - received), out: received - sent, in: returned - answered };
}

/**
 * A clock that was set between two packets lengthens one direction by as much as it shortens the other; a queue does not.
 */
const STEP_MIN = 5;
const STEP_LIKENESS = 0.1;

export function isClockStep(before: Sample, after: Sample): boolean {
  const [out, back] = [after.out - before.out, after.in - before.in];
  return Math.abs(out) > STEP_MIN && Math.abs(out + back) < STEP_LIKENESS * Math.abs(out);
}

const GAIN = 1 / 16;

/** Of both directions; what clocks are apart cancels out. */
export class Jitter {
  #before: Sample | undefined;
  #out: number | undefined;
  #in: number | undefined;

  /** Samples come in the order of arrival. */
  add(sample: Sample): void {
    const before = this.#before;
    this.#before = sample;
    if (before === undefined || isClockStep(before, sample)) return;
    this.#out = smoothed(this.#out, Math.abs(sample.out - before.out));
    this.#in = smoothed(this.#in, Math.abs(sample.in - before.in));
  }

  /** Undefined until there were two packets. */
  get out(): number | undefined {
    return this.#out;
  }

  get in(): number | undefined {
    return this.#in;
  }
}

const smoothed = (jitter = 0, difference: number): number => jitter + (difference - jitter) * GAIN;

/** By the nearest rank; undefined of nothing. */
export function percentile(values: readonly number[], part: number): number | undefined {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)];
}

/** One figure of a benchmark, as `npm run bench` prints it. */
export interface Figure {
  readonly bench: string;
  readonly figure: string;
  readonly value: number;
  readonly unit: string;
  /** The peer or the former state, measured in the same run. */
  readonly baseline: number;
  readonly ratio: number;
  readonly goal: string;
  readonly ok: boolean;
}

export function printFigure(figure: Figure): void {
  process.stdout.write(`${JSON.stringify(figure)}\n`);
}

/** Milliseconds of each run, sorted. */
export async function measure(runs: number, work: (run: number) => Promise<void>): Promise<readonly number[]> {
  const times: number[] = [];
  for (let run = 0; run < runs; run++) {
    const started = performance.now();
    await work(run);
    times.push(performance.now() - started);
  }
  return times.sort((left, right) => left - right);
}

export const median = (sorted: readonly number[]): number => sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;

export const p99Of = (sorted: readonly number[]): number => sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN;

export const rounded = (value: number): number => Number(value.toPrecision(3));

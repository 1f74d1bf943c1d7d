/** Waiting for what has to become true, with a deadline, never for a time to pass. */
import { setTimeout as delay } from "node:timers/promises";

export interface UntilOptions {
  /** Milliseconds. */
  readonly within?: number;
  readonly every?: number;
}

/**
 * Polls `look` until it finds nothing wrong any more.
 * @param look - says what is still wrong, one sentence each
 * @throws Error with the last findings when the deadline passed
 */
export async function untilNothing(
  what: string,
  look: () => Promise<readonly string[]>,
  { within = 15_000, every = 50 }: UntilOptions = {},
): Promise<void> {
  const deadline = Date.now() + within;
  for (;;) {
    const findings = await look();
    if (findings.length === 0) return;
    if (Date.now() > deadline) throw new Error(`${what}, after ${within} ms:\n  ${findings.join("\n  ")}`);
    await delay(every);
  }
}

/** As `untilNothing`, for a condition that has but one sentence. */
export function until(what: string, holds: () => Promise<boolean> | boolean, options?: UntilOptions): Promise<void> {
  return untilNothing(`waited for ${what}`, async () => ((await holds()) ? [] : ["it did not come about"]), options);
}

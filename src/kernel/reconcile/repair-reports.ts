/** What passes found and repaired, told once, and counted. */
import type { PassResult } from "./pass.js";
import type { RepeatedLog } from "./repeated-log.js";

/** The same repair so many times in a row, and somebody works against us. */
const CONTEST = 5;

export class RepairReports {
  /** Passes that found something to repair. */
  repairs = 0;
  readonly #log: RepeatedLog;
  #last = { sameness: "", times: 0 };
  #isAnother = false;

  constructor(log: RepeatedLog) {
    this.#log = log;
  }

  /** The next pass only looks at what the last one made: that it finds nothing is no sign of peace. */
  expectAnother(): void {
    this.#isAnother = true;
  }

  /** One line for a repair. Gives what is wrong now. */
  tell(result: PassResult, reasons: readonly string[]): ReadonlyMap<string, string> {
    const isAnother = this.#isAnother;
    this.#isAnother = result.unseen;
    const { difference, differences, troubles, ok } = result;
    if (differences === 0) {
      if (!isAnother) this.#last = { sameness: "", times: 0 };
      return troubles;
    }
    this.repairs += 1;
    const { structure, pools, tunnels, flows } = difference;
    const sameness = [structure, pools > 0, tunnels > 0, ...Object.values(flows).map((count) => count > 0), ok].join();
    const [level, event] = ok
      ? (["warn", "kernel.repaired"] as const)
      : (["error", "kernel.repair.incomplete"] as const);
    this.#log.write(level, event, sameness, () => ({ ...difference, reasons }));
    const times = this.#last.sameness === sameness ? this.#last.times + 1 : 1;
    this.#last = { sameness, times };
    if (!ok || times < CONTEST) return troubles;
    return new Map([...troubles, ["contest", "somebody else changes what Sluice made, again and again"]]);
  }
}

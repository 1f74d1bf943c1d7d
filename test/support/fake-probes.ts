/** Measurements in memory: they find what they are told to. */
import type { ProbeFinding, Probes, WantedProbe } from "../../src/pep/router/probes.js";

export class FakeProbes implements Probes {
  /** Each call of `set`. */
  readonly sets: (readonly WantedProbe[])[] = [];
  /** What `collect` gives next; nothing is left of it then. */
  readonly findings: ProbeFinding[] = [];

  set(wanted: readonly WantedProbe[]): void {
    this.sets.push(wanted);
  }

  collect(): readonly ProbeFinding[] {
    return this.findings.splice(0);
  }
}

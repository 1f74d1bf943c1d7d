/** Tells the policy server, time and again, what the measurements found that it wants. */
import type { Binding } from "../../cops/pr/bindings.js";
import { pib } from "../../cops/pr/pib/index.js";
import { encodeRow } from "../../cops/pr/prc.js";
import type { Clock, Timer } from "../../model/clock.js";
import type { Millis } from "../../model/units.js";
import type { ProvisionedProbe } from "./probe-view.js";
import type { ProbeFinding, Probes } from "./probes.js";

export interface ProbeReportTimes {
  /** From what the policy server wants to the report that comes next: whoever asks anew knows nothing. */
  readonly first: Millis;
  readonly interval: Millis;
}

export interface ProbeReportsOptions {
  readonly probes: Probes;
  readonly times: ProbeReportTimes;
  readonly clock: Clock;
  /** As accounting; called while no policy server is there as well. */
  readonly send: (rows: readonly Binding[]) => void;
}

export class ProbeReports {
  readonly #options: ProbeReportsOptions;
  /** By pool. */
  #provisioned: ReadonlyMap<number, ProvisionedProbe> = new Map();
  #timer: Timer | undefined;
  #due = 0;

  constructor(options: ProbeReportsOptions) {
    this.#options = options;
  }

  /** All that are wanted from now on. */
  set(all: readonly ProvisionedProbe[]): void {
    const { probes, times, clock } = this.#options;
    this.#provisioned = new Map(all.map((probe) => [probe.wanted.pool, probe]));
    probes.set(all.map(({ wanted }) => wanted));
    if (all.length === 0) this.close();
    else if (this.#timer === undefined || this.#due - clock.now() > times.first) this.#arm(times.first);
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(delay: Millis): void {
    const { clock } = this.#options;
    this.#timer?.cancel();
    this.#due = clock.now() + delay;
    this.#timer = clock.after(delay, () => this.#report());
  }

  #report(): void {
    const { probes, times, send } = this.#options;
    const rows = probes.collect().flatMap((finding) => {
      const probe = this.#provisioned.get(finding.pool);
      // Of packets that are all under way nothing can be said.
      return probe === undefined || finding.sent === 0 ? [] : [qualityRow(probe, finding)];
    });
    this.#arm(rows.length > 0 ? times.interval : times.first);
    if (rows.length > 0) send(rows);
  }
}

function qualityRow({ instance, row }: ProvisionedProbe, { sent, out, in: back, clocks }: ProbeFinding): Binding {
  return encodeRow(pib.sluicePathQuality, instance, {
    pool: row.pool,
    sent,
    lostOut: out.lost,
    lostIn: back.lost,
    latencyOut: microseconds(out.latency),
    latencyIn: microseconds(back.latency),
    jitterOut: microseconds(out.jitter),
    jitterIn: microseconds(back.jitter),
    clocks,
  });
}

const microseconds = (time: number | undefined): number | null =>
  time === undefined ? null : Math.min(0xffffffff, Math.max(0, Math.round(time)));

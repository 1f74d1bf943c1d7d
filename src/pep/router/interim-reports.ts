/**
 * Tells the policy server what flows have carried so far, as often as it asked for (RFC 2748 §2.2.15, §3.7): those whose counters
 * changed since they were last told. A report without rows closes each interval, also one in which nothing changed: silence
 * of flows is told apart from silence of this router.
 */
import { setImmediate } from "node:timers/promises";
import type { Binding } from "../../cops/pr/bindings.js";
import { pib } from "../../cops/pr/pib/index.js";
import { encodeRow, pridOf } from "../../cops/pr/prc.js";
import type { FlowId, KernelKeeper } from "../../kernel/port.js";
import type { Clock, Timer } from "../../model/clock.js";
import { KernelError } from "../../model/errors.js";
import type { Logger } from "../../model/log.js";
import type { Millis } from "../../model/units.js";
import { type Counter, type FlowCounters, ZERO_FLOW_COUNTERS } from "../../model/usage.js";

export interface InterimOptions {
  readonly kernel: Pick<KernelKeeper, "counters" | "desired">;
  readonly clock: Clock;
  readonly log: Logger;
  /** One accounting report, perhaps without rows. */
  readonly send: (rows: readonly Binding[]) => void;
}

/** Rows of one report, some 100 octets each: far below what a message may hold, and a decision waits behind no more than one. */
const ROWS = 128;

export class InterimReports {
  readonly #options: InterimOptions;
  #timer: Timer | undefined;
  #told: ReadonlyMap<FlowId, FlowCounters> = new Map();
  /** Tells apart what was begun for one policy server from what is for the next. */
  #turn = 0;

  constructor(options: InterimOptions) {
    this.#options = options;
  }

  /**
   * The policy is in force: everything is news to who made it.
   * @param interval - never shorter than this from report to report. 0: there SHOULD be none (§2.2.15); undefined: nobody asked
   */
  begin(interval: Millis | undefined): void {
    this.end();
    this.#told = new Map();
    if (interval !== undefined && interval > 0) this.#arm(interval, this.#turn);
  }

  end(): void {
    this.#turn += 1;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #arm(interval: Millis, turn: number): void {
    const { clock, log } = this.#options;
    this.#timer = clock.after(interval, () => {
      this.#report(turn)
        .catch((error: unknown) => {
          // Nobody concludes anything from an interval that is not closed.
          if (!(error instanceof KernelError)) throw error;
          log.warn("router.interim-failed", { error: error.message });
        })
        .catch((error: unknown) => log.error("router.failed", { error }))
        .finally(() => {
          if (turn === this.#turn) this.#arm(interval, turn);
        });
    });
  }

  async #report(turn: number): Promise<void> {
    const { kernel, send } = this.#options;
    // Flows that go meanwhile have their final counters told.
    const counted = [...(await kernel.counters())].filter(([id]) => kernel.desired.flows.has(id));
    const changed = counted.filter(([id, now]) => !isEqual(now, this.#told.get(id) ?? ZERO_FLOW_COUNTERS));
    for (let from = 0; from < changed.length; from += ROWS) {
      if (turn !== this.#turn) return;
      send(changed.slice(from, from + ROWS).map(interimRow));
      await setImmediate();
    }
    if (turn !== this.#turn) return;
    this.#told = new Map(counted);
    send([]);
  }
}

const interimRow = ([id, { inProfile, outOfProfile }]: readonly [FlowId, FlowCounters]): Binding =>
  encodeRow(pib.sluiceInterim, id, {
    clfrElement: pridOf(pib.dsClfrElement, id),
    inProfilePackets: BigInt(inProfile.packets),
    inProfileOctets: BigInt(inProfile.octets),
    outOfProfilePackets: BigInt(outOfProfile.packets),
    outOfProfileOctets: BigInt(outOfProfile.octets),
  });

const isSame = (one: Counter, other: Counter): boolean => one.packets === other.packets && one.octets === other.octets;

const isEqual = (one: FlowCounters, other: FlowCounters): boolean =>
  isSame(one.inProfile, other.inProfile) && isSame(one.outOfProfile, other.outOfProfile);

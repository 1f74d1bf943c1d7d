/**
 * Keeps the kernel as it is wanted: decisions are carried out at once, and whatever somebody else changes is found by
 * passes (on events, on a timer, after failures) and repaired.
 *
 * A decision never waits for a reading that is under way: the reading leaves out what the decision touched. Only a decision
 * that failed waits for one, to learn the truth before its second and last try.
 */
import type { Clock, Timer } from "../../model/clock.js";
import { KernelError } from "../../model/errors.js";
import type { Logger } from "../../model/log.js";
import type { ReconcileStatus } from "../../model/reconcile.js";
import { type Millis, millis, seconds, type Timestamp } from "../../model/units.js";
import type { FlowCounters } from "../../model/usage.js";
import type {
  DesiredState,
  Enforced,
  FlowId,
  FlowRule,
  KernelEvent,
  KernelKeeper,
  KernelPolicy,
  KernelPort,
  KernelWatch,
  LocalState,
  UsageSink,
} from "../port.js";
import { CounterMemory } from "./counter-memory.js";
import { describeError } from "./describe.js";
import { type Carriers, Intent, otherCarriers } from "./intent.js";
import { Pass, type PassResult, structureDiffers, takeReading } from "./pass.js";
import { type ScheduleEvent, type ScheduleState, scheduleFrom, stepSchedule } from "./pass-schedule.js";
import { RepairReports } from "./repair-reports.js";
import { RepeatedLog } from "./repeated-log.js";
import { isLost, type Scope, Transactions } from "./transactions.js";
import { Troubles } from "./troubles.js";
import { type Turn, Turns } from "./turns.js";
import { type Waiting, waitingPromise } from "./waiting.js";

/** Between two comparisons of the kernel with what is wanted, when nothing seems to happen. */
export const DEFAULT_RECONCILE_INTERVAL: Millis = seconds(60);
const DEBOUNCE = millis(50);
const SPACING = 4;
const BACK_OFF = millis(250);
/** The part that speaks to the kernel may die while we start: it is asked again. */
const START_TRIES = 3;

export interface ReconcilerOptions {
  readonly kernel: KernelPort;
  readonly local: LocalState;
  readonly usage: UsageSink;
  readonly clock: Clock;
  readonly log: Logger;
  readonly reconcileInterval?: Millis;
}

/** What is wrong with the request itself does not become right by another try. */
const isHopeless = (error: unknown): boolean =>
  error instanceof KernelError && /_(INVALID|UNKNOWN|UNSUPPORTED|CLOSED)$/.test(error.code);

export class Reconciler implements KernelKeeper {
  readonly #options: ReconcilerOptions;
  readonly #intent: Intent;
  readonly #memory = new CounterMemory();
  readonly #turns = new Turns();
  /** What the last of those that wait for everything wants. */
  #asked: Carriers;
  readonly #transactions: Transactions;
  readonly #troubles = new Troubles();
  readonly #log: RepeatedLog;
  readonly #reports: RepairReports;
  #schedule: ScheduleState;
  #alarm: Timer | undefined;
  #watch: KernelWatch | undefined;
  #pass: Promise<void> = Promise.resolve();
  #waiting: Waiting[] = [];
  /** What happened since the last pass, for its log line. */
  readonly #reasons = new Set<string>();
  /** Events so far; and those before the last reading that was believed, if the structure is known to be right since. */
  #told = 0;
  #known: number | undefined;
  #passes = 0;
  #lastPass: ReconcileStatus["lastPass"];

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    const { kernel, local, usage, clock, log, reconcileInterval = DEFAULT_RECONCILE_INTERVAL } = options;
    this.#intent = new Intent(local);
    this.#asked = this.#intent.desired;
    this.#log = new RepeatedLog(log, clock);
    this.#reports = new RepairReports(this.#log);
    const parts = { kernel, intent: this.#intent, memory: this.#memory, usage, log: this.#log };
    this.#transactions = new Transactions(parts);
    this.#schedule = scheduleFrom({
      interval: reconcileInterval,
      debounce: DEBOUNCE,
      spacing: SPACING,
      backOff: BACK_OFF,
    });
  }

  get desired(): DesiredState {
    return this.#intent.desired;
  }

  async start(): Promise<void> {
    const { kernel } = this.#options;
    // First: what happens after the reading must not be missed.
    this.#watch = await kernel.watch((event) => this.#heard(event));
    const begun = this.#now();
    for (let tries = 1; ; tries += 1) {
      try {
        await this.#adopt();
        break;
      } catch (error) {
        if (!isLost(error) || tries === START_TRIES) throw error;
      }
    }
    this.#step({ kind: "ended", ok: true, duration: (this.#now() - begun) as Millis });
    if (this.#reasons.size > 0) this.#step({ kind: "changed" });
  }

  async update(policy: KernelPolicy): Promise<Enforced> {
    const ids = [...policy.flows.keys()];
    const exclusive = otherCarriers(this.#turns.exclusive ? this.#asked : this.desired, policy);
    const turn = exclusive ? this.#takeEverything(policy) : this.#turns.take(ids);
    try {
      await turn.ready;
      const back = this.#intent.wish(policy);
      const uncertain = ids.some((id) => this.#intent.flows.uncertain.has(id));
      const scope = { flows: ids, carriers: exclusive ? "all" : "used" } as const;
      // Others may be in these pools by now.
      return await this.#enforce(scope, exclusive ? back.all : back.flows, uncertain);
    } finally {
      turn.end();
    }
  }

  async replace(policy: KernelPolicy): Promise<Enforced> {
    const turn = this.#takeEverything(policy);
    try {
      await turn.ready;
      const before = [...this.#intent.flows.desired.keys()];
      const back = this.#intent.wishOnly(policy);
      const flows = { [Symbol.iterator]: () => this.#everyFlow(before) };
      return await this.#enforce({ flows, carriers: "all" }, back.all, !(await this.#knows()));
    } finally {
      turn.end();
    }
  }

  async counters(of?: Iterable<FlowRule>): Promise<ReadonlyMap<FlowId, FlowCounters>> {
    const { flows } = this.#intent;
    const asked = of === undefined ? undefined : [...of];
    const moment = this.#memory.moment();
    const counted = await this.#options.kernel.counters(asked);
    const totals = new Map<FlowId, FlowCounters>();
    for (const [id, now] of counted) {
      totals.set(id, flows.desired.has(id) ? this.#memory.note(id, now, moment) : now);
    }
    const ids = asked === undefined ? flows.pendingUpdates.keys() : asked.map(({ id }) => id);
    for (const id of ids) {
      const last = totals.has(id) || !flows.desired.has(id) ? undefined : this.#memory.last(id);
      if (last !== undefined) totals.set(id, last);
    }
    return totals;
  }

  status(): ReconcileStatus {
    return {
      passes: this.#passes,
      ...(this.#lastPass === undefined ? {} : { lastPass: this.#lastPass }),
      repairs: this.#reports.repairs,
      failures: this.#transactions.failures,
      pending: this.#intent.pending,
    };
  }

  problems(): readonly string[] {
    return this.#troubles.list();
  }

  /** Waits for what is being applied; whoever waits for a pass is told that there will be none. */
  async close(): Promise<void> {
    this.#step({ kind: "close" });
    await this.#watch?.close();
    const closed = new KernelError("KERNEL_CLOSED", "the reconciler is closed", { operation: "reconcile" });
    for (const { reject } of this.#waiting.splice(0)) reject(closed);
    await this.#pass;
    await this.#turns.idle();
    this.#log.close();
  }

  async #adopt(): Promise<void> {
    const { kernel } = this.#options;
    const told = this.#told;
    const observed = await takeReading({ kernel, intent: this.#intent, memory: this.#memory });
    this.#intent.adopt();
    for (const [id, { counters }] of observed.flows) this.#memory.note(id, counters, this.#memory.moment());
    if (structureDiffers(this.#intent, observed)) {
      await kernel.apply({ ...this.#intent.desired, flows: new Map() }, [{ kind: "structure" }]);
      // Whether its interfaces are there is seen by the next reading.
      this.#reports.expectAnother();
      this.#reasons.add("the structure was made");
    }
    this.#known = told;
  }

  /**
   * Whether what was last read still holds, but for our own doing. With very many flows a reading takes longer than anything
   * else in a restart. What becomes of a tunnel's routes is told by nobody.
   */
  async #knows(): Promise<boolean> {
    const { flows, pools, tunnels } = this.#intent;
    const caughtUp = (await this.#watch?.caughtUp()) ?? false;
    const certain = flows.uncertain.size + pools.uncertain.size + tunnels.uncertain.size === 0;
    return caughtUp && certain && tunnels.desired.size + tunnels.held.size === 0 && this.#known === this.#told;
  }

  #takeEverything({ pools, tunnels }: KernelPolicy): Turn {
    const before = this.#turns.exclusive ? this.#asked : this.desired;
    this.#asked = { pools, tunnels: tunnels ?? before.tunnels };
    return this.#turns.takeEverything();
  }

  *#everyFlow(before: readonly FlowId[]): Generator<FlowId> {
    yield* new Set([...before, ...this.#intent.flows.desired.keys(), ...this.#intent.flows.pendingDeletions.keys()]);
  }

  /** Twice at most, the second time knowing what the kernel holds. */
  async #enforce(scope: Scope, undo: () => void, readFirst: boolean): Promise<Enforced> {
    try {
      if (readFirst) await this.#truth();
      try {
        return await this.#transactions.carryOut(scope);
      } catch (error) {
        if (isHopeless(error)) throw error;
        this.#known = undefined;
        await this.#truth();
        return await this.#transactions.carryOut(scope);
      }
    } catch (error) {
      const ids = [...scope.flows];
      undo();
      for (const id of ids) {
        if (!this.#intent.flows.desired.has(id) && !this.#intent.flows.held.has(id)) this.#memory.forget(id);
      }
      if (!isHopeless(error)) this.#because("a decision failed", { kind: "failed" });
      throw error;
    }
  }

  /** Resolves when a pass that began from now on believes what it read. */
  #truth(): Promise<void> {
    const { promise, ...waiting } = waitingPromise();
    if (this.#schedule.phase === "closed") {
      waiting.reject(new KernelError("KERNEL_CLOSED", "the reconciler is closed", { operation: "reconcile" }));
    } else {
      this.#waiting.push(waiting);
      this.#because("a decision needs to know", { kind: "wanted" });
    }
    return promise;
  }

  #heard(event: KernelEvent): void {
    this.#told += 1;
    switch (event.kind) {
      case "ruleset":
        this.#because("the ruleset changed", { kind: "changed" });
        break;
      case "interface":
        this.#because(`interface ${event.interface} changed`, { kind: "changed" });
        break;
      case "queueing":
        if (this.#options.local.interfaces.some(({ name }) => name === event.interface)) {
          this.#because(`the queueing of ${event.interface} changed`, { kind: "changed" });
        }
        break;
      case "lost":
        this.#because(`events were lost: ${event.reason}`, { kind: "changed" });
        break;
    }
  }

  #because(reason: string, event: ScheduleEvent): void {
    if (this.#reasons.size < 8) this.#reasons.add(reason);
    this.#step(event);
  }

  #step(event: ScheduleEvent): void {
    const { state, action } = stepSchedule(this.#schedule, event, this.#now());
    this.#schedule = state;
    this.#alarm?.cancel();
    const { alarm } = action;
    this.#alarm =
      alarm === undefined ? undefined : this.#options.clock.after(alarm, () => this.#step({ kind: "alarm" }));
    if (action.run) this.#pass = this.#runPass();
  }

  /** Never rejects. */
  async #runPass(): Promise<void> {
    const at = this.#now();
    const told = this.#told;
    const waiting = this.#waiting.splice(0);
    const reasons = [...this.#reasons];
    this.#reasons.clear();
    let result: PassResult | undefined;
    try {
      const parts = { kernel: this.#options.kernel, intent: this.#intent, memory: this.#memory };
      const pass = new Pass({ ...parts, turns: this.#turns, transactions: this.#transactions });
      result = await pass.run(() => {
        for (const { resolve } of waiting) resolve();
      });
      this.#troubles.set(this.#reports.tell(result, reasons), at);
      if (result.left) this.#because("something was left", { kind: "changed" });
      if (result.unseen) this.#because("the structure was made", { kind: "changed" });
    } catch (error) {
      for (const { reject } of waiting) reject(error);
      this.#troubles.add("reading", `the kernel cannot be read: ${describeError(error)}`, this.#now());
      this.#log.write("error", "kernel.reading.failed", describeError(error), () => ({ error }));
    }
    const duration = (this.#now() - at) as Millis;
    const ok = result?.ok ?? false;
    this.#known = ok ? told : undefined;
    this.#passes += 1;
    this.#lastPass = { at, duration, ok, differences: result?.differences ?? 0 };
    this.#step({ kind: "ended", ok, duration });
  }

  #now(): Timestamp {
    return this.#options.clock.now();
  }
}

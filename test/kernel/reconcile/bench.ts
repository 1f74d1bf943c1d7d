/** A reconciler on a kernel in memory and on a clock that is moved by hand. */
import { FakeKernel } from "../../../src/kernel/fake.js";
import type { FlowId, FlowRule, LocalState, PoolClass } from "../../../src/kernel/port.js";
import { Reconciler } from "../../../src/kernel/reconcile/reconciler.js";
import type { LogFields, Logger } from "../../../src/model/log.js";
import { dscp, octets } from "../../../src/model/units.js";
import type { FlowCounters } from "../../../src/model/usage.js";
import { FakeClock, settle } from "../../support/fake-clock.js";
import { link, pool } from "../fixtures.js";

export const LOCAL: LocalState = { interfaces: [link("wan0")], signalling: [], signallingDscp: dscp(24) };

export const packets = (count: number): FlowCounters => ({
  inProfile: { packets: count, octets: octets(count * 200) },
  outOfProfile: { packets: 0, octets: octets(0) },
});

export const poolsOf = (...pools: readonly PoolClass[]): ReadonlyMap<number, PoolClass> =>
  new Map(pools.map((each) => [each.id, each]));

export const POOLS = poolsOf(pool(1));

export const flowsOf = (...rules: readonly FlowRule[]): ReadonlyMap<FlowId, FlowRule> =>
  new Map(rules.map((rule) => [rule.id, rule]));

export const without = (...ids: readonly FlowId[]): ReadonlyMap<FlowId, undefined> =>
  new Map(ids.map((id) => [id, undefined]));

export interface Line {
  readonly level: string;
  readonly event: string;
  readonly fields: LogFields;
}

export class Bench {
  readonly clock = new FakeClock();
  readonly lines: Line[] = [];
  /** As the usage journal: it outlives the process. */
  readonly journal = new Map<FlowId, FlowCounters>();
  kernel = new FakeKernel({ clock: this.clock });
  keeper = this.#newKeeper();

  /** The process was killed, and comes back on the same kernel. */
  restart(): void {
    this.kernel.dieAt(1, false);
    this.kernel = this.kernel.reopen();
    this.keeper = this.#newKeeper();
  }

  async flows(): Promise<readonly FlowId[]> {
    return [...(await this.kernel.read()).flows.keys()].sort((one, other) => one - other);
  }

  written(event: string): readonly Line[] {
    return this.lines.filter((line) => line.event === event);
  }

  /** Lets time go by until it has settled. */
  async during<Result>(work: Promise<Result>, limit = 60_000): Promise<Result> {
    let done = false;
    const finish = (): void => {
      done = true;
    };
    work.then(finish, finish);
    await settle();
    for (let passed = 0; !done && passed < limit; passed += 10) await this.clock.pass(10);
    return work;
  }

  #newKeeper(): Reconciler {
    const write =
      (level: string) =>
      (event: string, fields: LogFields | (() => LogFields) = {}): void => {
        this.lines.push({ level, event, fields: typeof fields === "function" ? fields() : fields });
      };
    const log: Logger = {
      debug: write("debug"),
      info: write("info"),
      warn: write("warn"),
      error: write("error"),
      child: () => log,
    };
    const usage = {
      record: (counters: ReadonlyMap<FlowId, FlowCounters>): void => {
        for (const [id, each] of counters) this.journal.set(id, each);
      },
    };
    return new Reconciler({ kernel: this.kernel, local: LOCAL, usage, clock: this.clock, log });
  }
}

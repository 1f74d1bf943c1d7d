/** A kernel in memory: what tests and the roles' own suites run on. Same contract as the real one, plus faults. */
import type { Clock } from "../model/clock.js";
import { SYSTEM_CLOCK } from "../model/clock.js";
import { KernelError } from "../model/errors.js";
import { flowKeyId } from "../model/flow.js";
import { type BitsPerSecond, type Millis, type Octets, toBitsPerSecond, toBytesPerSecond } from "../model/units.js";
import { addFlowCounters, type FlowCounters, ZERO_COUNTER, ZERO_FLOW_COUNTERS } from "../model/usage.js";
import { type FlowAddition, planChanges, stepsOf } from "./plan.js";
import type {
  ApplyResult,
  BackendInfo,
  DesiredState,
  FlowId,
  FlowRule,
  KernelChange,
  KernelEvent,
  KernelPort,
  KernelWatch,
  ManagedInterface,
  ObservedClass,
  ObservedFlow,
  ObservedState,
  PoolClass,
  PoolId,
  RenderedStep,
  Tunnel,
  TunnelId,
} from "./port.js";
import { structureId } from "./structure-id.js";
import { checkSteps } from "./validate.js";

interface Contents {
  structureId: string | undefined;
  interfaces: readonly ManagedInterface[];
  readonly pools: Map<PoolId, PoolClass>;
  readonly tunnels: Map<TunnelId, Tunnel>;
  readonly flows: Map<FlowId, ObservedFlow>;
}

const empty = (): Contents => ({
  structureId: undefined,
  interfaces: [],
  pools: new Map(),
  tunnels: new Map(),
  flows: new Map(),
});

const copyOf = (contents: Contents): Contents => ({
  ...contents,
  pools: new Map(contents.pools),
  tunnels: new Map(contents.tunnels),
  flows: new Map(contents.flows),
});

/** As the kernel keeps it: whole octets per second. */
const wholeOctets = (rate: BitsPerSecond): BitsPerSecond => toBitsPerSecond(toBytesPerSecond(rate));

function refused(operation: string, errno: string): KernelError {
  return new KernelError("KERNEL_REFUSED", `the kernel refused ${operation}: ${errno}`, { operation, errno });
}

export interface FakeKernelOptions {
  readonly clock?: Clock;
}

/** Every fault stays until it is used up or taken back; none is there at first. */
export class FakeKernel implements KernelPort {
  readonly backend: BackendInfo = { name: "fake", detail: "a kernel in memory" };
  /** Every call of `apply` that went through, in order. */
  readonly applied: (readonly KernelChange[])[] = [];
  readonly #clock: Clock;
  /** Shared by every port onto this kernel. */
  #kernel: { contents: Contents } = { contents: empty() };
  #failure: { readonly at: number; readonly error: KernelError } | undefined;
  #delay = 0 as Millis;
  readonly #absent = new Set<string>();
  readonly #listeners = new Set<(event: KernelEvent) => void>();
  #closed = false;

  constructor(options: FakeKernelOptions = {}) {
    this.#clock = options.clock ?? SYSTEM_CLOCK;
  }

  /** The next `apply` that has a change of index `at` (from 0) fails there, and changes nothing. */
  failAt(at: number, error: KernelError = refused(`change ${at}`, "ENOMEM")): void {
    this.#failure = { at, error };
  }

  /** Every later `apply` takes this long on the clock. */
  slow(delay: Millis): void {
    this.#delay = delay;
  }

  /** Somebody else deletes a flow. */
  loseFlow(id: FlowId): void {
    this.#kernel.contents.flows.delete(id);
  }

  losePool(id: PoolId): void {
    this.#kernel.contents.pools.delete(id);
  }

  /** Somebody else flushes the ruleset: table, pools and flows are gone. */
  loseEverything(): void {
    this.#kernel.contents = empty();
  }

  /** Somebody else damages the table or a tree; flows and pools stay. */
  loseStructure(): void {
    this.#kernel.contents.structureId = undefined;
  }

  /** Traffic: adds to a flow's counters. */
  count(id: FlowId, counters: Partial<FlowCounters>): void {
    const flow = this.#kernel.contents.flows.get(id);
    if (flow === undefined) throw refused(`count flow ${id}`, "ENOENT");
    const added = addFlowCounters(flow.counters, { ...ZERO_FLOW_COUNTERS, ...counters });
    this.#kernel.contents.flows.set(id, { ...flow, counters: added });
  }

  /** As after a restart of the router: a new port onto the same kernel. */
  reopen(): FakeKernel {
    const next = new FakeKernel({ clock: this.#clock });
    next.#kernel = this.#kernel;
    return next;
  }

  async read(): Promise<ObservedState> {
    this.#open("read");
    const { structureId: madeFor, interfaces, pools, tunnels, flows } = this.#kernel.contents;
    return {
      structure: madeFor !== undefined,
      ...(madeFor === undefined ? {} : { structureId: madeFor }),
      interfaces: interfaces.map(({ name, rate }) => ({ name, present: !this.#absent.has(name), rate })),
      tunnels: new Map(tunnels),
      pools: new Map(pools),
      classes: this.#classes(),
      flows: new Map(flows),
    };
  }

  plan(desired: DesiredState, observed: ObservedState): readonly KernelChange[] {
    return planChanges(desired, observed);
  }

  async apply(desired: DesiredState, changes: readonly KernelChange[]): Promise<ApplyResult> {
    this.#open("apply");
    if (this.#delay > 0) await new Promise<void>((resolve) => this.#clock.after(this.#delay, resolve));
    this.#open("apply");
    const steps = stepsOf(changes);
    checkSteps(desired, steps);
    if (this.#failure !== undefined && this.#failure.at < changes.length) {
      const { error } = this.#failure;
      this.#failure = undefined;
      throw error;
    }
    const next = copyOf(this.#kernel.contents);
    if (steps.structure) {
      next.structureId = structureId(desired);
      next.interfaces = desired.interfaces;
    }
    if (next.structureId === undefined && changes.length > 0) throw refused("change without a structure", "ENOENT");
    for (const tunnel of steps.tunnelSets) next.tunnels.set(tunnel.id, tunnel);
    for (const pool of steps.poolSets) next.pools.set(pool.id, { ...pool, rate: wholeOctets(pool.rate) });
    const removed = this.#remove(next, steps.removes);
    this.#add(next, steps.adds);
    for (const pool of steps.poolRemoves) next.pools.delete(pool.id);
    for (const tunnel of steps.tunnelRemoves) next.tunnels.delete(tunnel.id);
    this.#kernel.contents = next;
    this.applied.push(changes);
    return { removed };
  }

  async render(): Promise<readonly RenderedStep[]> {
    return [];
  }

  async renderCleanup(): Promise<readonly RenderedStep[]> {
    return [];
  }

  async watch(listener: (event: KernelEvent) => void): Promise<KernelWatch> {
    this.#open("watch");
    this.#listeners.add(listener);
    return {
      close: async () => {
        this.#listeners.delete(listener);
      },
    };
  }

  /** Tells those who watch. A change made by a `lose…` method without this is a lost event. */
  emit(event: KernelEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  /** A device goes away, or comes back; its tree goes with it. */
  setPresent(name: string, present: boolean): void {
    if (present) this.#absent.delete(name);
    else this.#absent.add(name);
  }

  async counters(of?: Iterable<FlowRule>): Promise<ReadonlyMap<FlowId, FlowCounters>> {
    this.#open("counters");
    const { flows } = this.#kernel.contents;
    const wanted = of === undefined ? undefined : new Set([...of].map(({ id }) => id));
    const chosen = [...flows].filter(([id]) => wanted === undefined || wanted.has(id));
    return new Map(chosen.map(([id, flow]) => [id, flow.counters]));
  }

  async cleanup(): Promise<void> {
    this.#open("cleanup");
    this.#kernel.contents = empty();
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #open(operation: string): void {
    if (this.#closed) throw new KernelError("KERNEL_CLOSED", "the kernel port is closed", { operation });
  }

  #remove(next: Contents, rules: readonly FlowRule[]): Map<FlowId, FlowCounters> {
    const removed = new Map<FlowId, FlowCounters>();
    for (const rule of rules) {
      const flow = next.flows.get(rule.id);
      if (flow === undefined || flowKeyId(flow.rule.key) !== flowKeyId(rule.key))
        throw refused(`delete flow ${rule.id}`, "ENOENT");
      next.flows.delete(rule.id);
      removed.set(rule.id, flow.counters);
    }
    return removed;
  }

  #add(next: Contents, rules: readonly FlowAddition[]): void {
    if (rules.length === 0) return;
    const keys = new Set([...next.flows.values()].map((flow) => flowKeyId(flow.rule.key)));
    for (const { rule, counters = ZERO_FLOW_COUNTERS } of rules) {
      const key = flowKeyId(rule.key);
      if (keys.has(key)) throw refused(`create flow ${rule.id}`, "EEXIST");
      keys.add(key);
      next.flows.set(rule.id, { rule: { ...rule, rate: wholeOctets(rule.rate) }, counters });
    }
  }

  #classes(): readonly ObservedClass[] {
    const { interfaces, pools, structureId: madeFor } = this.#kernel.contents;
    if (madeFor === undefined) return [];
    return interfaces.flatMap((link): readonly ObservedClass[] => {
      const live = { interface: link.name, ceil: link.rate, sent: ZERO_COUNTER, dropped: 0, backlog: 0 as Octets };
      return [
        { ...live, kind: "link", rate: link.rate },
        { ...live, kind: "signalling", rate: link.signallingRate },
        ...[...pools.values()].map((pool) => ({ ...live, kind: "pool" as const, pool: pool.id, rate: pool.rate })),
        { ...live, kind: "default", rate: link.rate },
      ];
    });
  }
}

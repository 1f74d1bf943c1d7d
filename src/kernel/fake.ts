/** A kernel in memory: what tests and the roles' own suites run on. Same contract as the real one, plus faults. */
import type { Clock } from "../model/clock.js";
import { SYSTEM_CLOCK } from "../model/clock.js";
import { KernelError } from "../model/errors.js";
import { flowKeyId } from "../model/flow.js";
import { type BitsPerSecond, type Millis, type Octets, toBitsPerSecond, toBytesPerSecond } from "../model/units.js";
import { addFlowCounters, type FlowCounters, ZERO_COUNTER, ZERO_FLOW_COUNTERS } from "../model/usage.js";
import { isOn } from "./aggregate-match.js";
import { carrySetsOf } from "./nft/carry-sets.js";
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
  /** Maps that the structure has for aggregates. */
  carryMaps: ReadonlySet<string>;
  readonly pools: Map<PoolId, PoolClass>;
  readonly tunnels: Map<TunnelId, Tunnel>;
  readonly flows: Map<FlowId, ObservedFlow>;
  /** Whose key it is. */
  readonly keys: Map<string, FlowId>;
}

const empty = (): Contents => ({
  structureId: undefined,
  interfaces: [],
  carryMaps: new Set(),
  pools: new Map(),
  tunnels: new Map(),
  flows: new Map(),
  keys: new Map(),
});

/** As the kernel keeps it: whole octets per second. */
const wholeOctets = (rate: BitsPerSecond): BitsPerSecond => toBitsPerSecond(toBytesPerSecond(rate));

function refused(operation: string, errno: string): KernelError {
  return new KernelError("KERNEL_REFUSED", `the kernel refused ${operation}: ${errno}`, { operation, errno });
}

const agentLost = (): KernelError =>
  new KernelError("KERNEL_NETLINK_LOST", "the connection to the kernel was lost", { operation: "apply" });

/** Of a process that is no more. */
const never = <Result>(): Promise<Result> => new Promise(() => undefined);

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
  #kernel: { contents: Contents; readonly absent: Set<string> } = { contents: empty(), absent: new Set() };
  #failure: { readonly at: number; readonly error: KernelError; times: number } | undefined;
  #refusedFlow: FlowId | undefined;
  #readFailure: KernelError | undefined;
  #agentLost: { readonly applied: boolean } | undefined;
  #delay = 0 as Millis;
  #readDelay = 0 as Millis;
  /** Calls that are left before the process is killed. */
  #death: { calls: number; readonly landed: boolean } | undefined;
  readonly #listeners = new Set<(event: KernelEvent) => void>();
  #watchesAll = false;
  #closed = false;

  constructor(options: FakeKernelOptions = {}) {
    this.#clock = options.clock ?? SYSTEM_CLOCK;
  }

  /** The next `times` calls of `apply` that have a change of index `at` (from 0) fail there, and change nothing. */
  failAt(at: number, error: KernelError = refused(`change ${at}`, "ENOMEM"), times = 1): void {
    this.#failure = { at, error, times };
  }

  /** Every `apply` that adds this flow fails, until it is told otherwise. */
  refuseFlow(id: FlowId | undefined): void {
    this.#refusedFlow = id;
  }

  /** Every `read` fails, until it is told otherwise. */
  failReads(error: KernelError | undefined): void {
    this.#readFailure = error;
  }

  /** Every later `apply` takes this long on the clock. */
  slow(delay: Millis): void {
    this.#delay = delay;
  }

  /** Every later `read` and `counters` takes this long on the clock; it tells what was there at its beginning. */
  slowReads(delay: Millis): void {
    this.#readDelay = delay;
  }

  /** The part that speaks to the kernel dies in the next `apply`: the caller cannot know whether it was carried out. */
  loseAgent(options: { readonly applied: boolean }): void {
    this.#agentLost = options;
  }

  /**
   * The process is killed in its `call`th call from now (from 1): that one and all later ones are never answered. Whether the kernel
   * carried that one out is `landed`. To go on, `reopen`.
   */
  dieAt(call: number, landed: boolean): void {
    this.#death = { calls: call, landed };
  }

  /** Faults that were asked for and have not come yet are taken back. */
  clearFaults(): void {
    this.#failure = undefined;
    this.#agentLost = undefined;
    this.#refusedFlow = undefined;
    this.#readFailure = undefined;
  }

  /** Somebody else deletes a flow. */
  loseFlow(id: FlowId): void {
    const { flows, keys } = this.#kernel.contents;
    const flow = flows.get(id);
    if (flow !== undefined) keys.delete(flowKeyId(flow.rule.key));
    flows.delete(id);
  }

  /** Somebody else sets a flow's counters back, or forward. */
  resetCounters(id: FlowId, counters: FlowCounters = ZERO_FLOW_COUNTERS): void {
    const flow = this.#kernel.contents.flows.get(id);
    if (flow === undefined) throw refused(`reset flow ${id}`, "ENOENT");
    this.#kernel.contents.flows.set(id, { ...flow, counters });
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
    await this.#call("read");
    if (this.#readFailure !== undefined) throw this.#readFailure;
    const observed = this.#observe();
    await this.#wait(this.#readDelay);
    return observed;
  }

  #observe(): ObservedState {
    const { structureId: madeFor, interfaces, pools, tunnels, flows } = this.#kernel.contents;
    return {
      structure: madeFor !== undefined,
      ...(madeFor === undefined ? {} : { structureId: madeFor }),
      interfaces: interfaces.map(({ name, rate }) => ({ name, present: !this.#kernel.absent.has(name), rate })),
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
    const dying = await this.#call("apply");
    await this.#wait(this.#delay);
    this.#open("apply");
    const result = this.#carryOut(desired, changes);
    if (dying) return never();
    const lost = this.#agentLost;
    this.#agentLost = undefined;
    if (lost !== undefined) throw agentLost();
    return result;
  }

  #carryOut(desired: DesiredState, changes: readonly KernelChange[]): ApplyResult {
    const steps = stepsOf(changes);
    checkSteps(desired, steps);
    if (this.#agentLost?.applied === false) return { removed: new Map() };
    if (this.#failure !== undefined && this.#failure.at < changes.length) {
      const { error } = this.#failure;
      this.#failure.times -= 1;
      if (this.#failure.times === 0) this.#failure = undefined;
      throw error;
    }
    if (steps.adds.some(({ rule }) => rule.id === this.#refusedFlow)) {
      throw refused(`create flow ${this.#refusedFlow}`, "ENOMEM");
    }
    const { contents } = this.#kernel;
    if (contents.structureId === undefined && !steps.structure && changes.length > 0)
      throw refused("change without a structure", "ENOENT");
    checkFlows(contents, steps.removes, steps.adds);
    const carryMaps = steps.structure ? mapsFor(desired, desired.pools.values()) : contents.carryMaps;
    const lacking = [...mapsFor(desired, steps.poolSets)].find((name) => !carryMaps.has(name));
    if (lacking !== undefined) throw refused(`element of ${lacking}`, "ENOENT");
    if (steps.structure) {
      contents.structureId = structureId(desired);
      contents.interfaces = desired.interfaces;
      contents.carryMaps = carryMaps;
    }
    for (const tunnel of steps.tunnelSets) contents.tunnels.set(tunnel.id, tunnel);
    for (const pool of steps.poolSets) contents.pools.set(pool.id, { ...pool, rate: wholeOctets(pool.rate) });
    const removed = removeFlows(contents, steps.removes);
    addFlows(contents, steps.adds);
    for (const pool of steps.poolRemoves) contents.pools.delete(pool.id);
    for (const tunnel of steps.tunnelRemoves) contents.tunnels.delete(tunnel.id);
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
    await this.#call("watch");
    this.#listeners.add(listener);
    return {
      caughtUp: async () => this.#watchesAll,
      close: async () => {
        this.#listeners.delete(listener);
      },
    };
  }

  /** Tells those who watch. A change made by a `lose…` method without this is a lost event. */
  emit(event: KernelEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  /** From now on watches say that they tell every change, as over netlink; before, that they cannot know. */
  watchAll(): void {
    this.#watchesAll = true;
  }

  /** A device goes away, or comes back; its tree goes with it. */
  setPresent(name: string, present: boolean): void {
    if (present) this.#kernel.absent.delete(name);
    else this.#kernel.absent.add(name);
  }

  async counters(of?: Iterable<FlowRule>): Promise<ReadonlyMap<FlowId, FlowCounters>> {
    await this.#call("counters");
    const { flows } = this.#kernel.contents;
    const wanted = of === undefined ? undefined : new Set([...of].map(({ id }) => id));
    const chosen = [...flows].filter(([id]) => wanted === undefined || wanted.has(id));
    const counted = new Map(chosen.map(([id, flow]) => [id, flow.counters]));
    await this.#wait(this.#readDelay);
    return counted;
  }

  async cleanup(): Promise<void> {
    await this.#call("cleanup");
    this.#kernel.contents = empty();
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #open(operation: string): void {
    if (this.#closed) throw new KernelError("KERNEL_CLOSED", "the kernel port is closed", { operation });
  }

  /** Whether this is the call in which the process is killed, and which the kernel carries out all the same. */
  async #call(operation: string): Promise<boolean> {
    this.#open(operation);
    const death = this.#death;
    if (death === undefined) return false;
    death.calls -= 1;
    if (death.calls > 0) return false;
    return death.calls === 0 && death.landed ? true : never();
  }

  async #wait(delay: Millis): Promise<void> {
    if (delay > 0) await new Promise<void>((resolve) => this.#clock.after(delay, resolve));
  }

  #classes(): readonly ObservedClass[] {
    const { interfaces, pools, structureId: madeFor } = this.#kernel.contents;
    if (madeFor === undefined) return [];
    return interfaces.flatMap((link): readonly ObservedClass[] => {
      const onLink = [...pools.values()].filter((pool) => isOn(pool, link.name));
      const live = { interface: link.name, ceil: link.rate, sent: ZERO_COUNTER, dropped: 0, backlog: 0 as Octets };
      return [
        { ...live, kind: "link", rate: link.rate },
        { ...live, kind: "signalling", rate: link.signallingRate },
        ...onLink.map((pool) => ({ ...live, kind: "pool" as const, pool: pool.id, rate: pool.rate })),
        { ...live, kind: "default", rate: link.rate },
      ];
    });
  }
}

const mapsFor = ({ interfaces }: DesiredState, pools: Iterable<PoolClass>): ReadonlySet<string> =>
  new Set(carrySetsOf(pools, interfaces).map(({ name }) => name));

/** What is refused is refused before anything is changed. */
function checkFlows(contents: Contents, removes: readonly FlowRule[], adds: readonly FlowAddition[]): void {
  const gone = new Set<string>();
  for (const { id, key } of removes) {
    const name = flowKeyId(key);
    if (contents.keys.get(name) !== id || gone.has(name)) throw refused(`delete flow ${id}`, "ENOENT");
    gone.add(name);
  }
  const come = new Set<string>();
  for (const { rule } of adds) {
    const name = flowKeyId(rule.key);
    if (come.has(name) || (contents.keys.has(name) && !gone.has(name))) {
      throw refused(`create flow ${rule.id}`, "EEXIST");
    }
    come.add(name);
  }
}

function removeFlows({ flows, keys }: Contents, rules: readonly FlowRule[]): Map<FlowId, FlowCounters> {
  const removed = new Map<FlowId, FlowCounters>();
  for (const { id, key } of rules) {
    removed.set(id, flows.get(id)?.counters ?? ZERO_FLOW_COUNTERS);
    flows.delete(id);
    keys.delete(flowKeyId(key));
  }
  return removed;
}

function addFlows({ flows, keys }: Contents, additions: readonly FlowAddition[]): void {
  for (const { rule, counters = ZERO_FLOW_COUNTERS } of additions) {
    keys.set(flowKeyId(rule.key), rule.id);
    flows.set(rule.id, { rule: { ...rule, rate: wholeOctets(rule.rate) }, counters });
  }
}

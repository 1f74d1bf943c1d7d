/** One transaction with the kernel: brings some flows, and pools and tunnels, to what is wanted, and keeps their counters. */
import { KernelError } from "../../model/errors.js";
import { type FlowCounters, ZERO_FLOW_COUNTERS } from "../../model/usage.js";
import type { Enforced, FlowId, FlowRule, KernelChange, KernelPort, UsageSink } from "../port.js";
import { carryText } from "../structure-id.js";
import type { CounterMemory } from "./counter-memory.js";
import type { DeltaTracker, Sent } from "./delta-tracker.js";
import { describeChange } from "./describe.js";
import type { Intent } from "./intent.js";
import type { RepeatedLog } from "./repeated-log.js";

export interface Scope {
  readonly flows: Iterable<FlowId>;
  /** Pools and tunnels: those that the flows use; all that are missing or otherwise; also those that nobody wants. */
  readonly carriers: "used" | "set" | "all";
}

export interface TransactionParts {
  readonly kernel: KernelPort;
  readonly intent: Intent;
  readonly memory: CounterMemory;
  readonly usage: UsageSink;
  readonly log: RepeatedLog;
}

/** A failed transaction is logged whole, to this many changes. */
const MAX_LOGGED = 256;

const LOST: ReadonlySet<string> = new Set(["KERNEL_NETLINK_LOST", "KERNEL_SHELL_LOST", "KERNEL_TIMEOUT"]);

/** Nobody knows whether the kernel carried it out. */
export const isLost = (error: unknown): boolean => !(error instanceof KernelError) || LOST.has(error.code);

export class Transactions {
  readonly #parts: TransactionParts;
  /** Transactions that the kernel did not carry out. */
  failures = 0;

  constructor(parts: TransactionParts) {
    this.#parts = parts;
  }

  /** All or nothing for flows. The caller has the turn for them. @throws KernelError as the port does. */
  async carryOut(scope: Scope): Promise<Enforced> {
    const asked = [...scope.flows];
    const draft = this.#draft(
      asked.filter((id) => this.#parts.intent.flows.isPending(id)),
      scope.carriers,
    );
    const { removes, adds, before, after, sent } = draft;
    const finals = new Map<FlowId, FlowCounters>();
    const changes: KernelChange[] = [...before];
    try {
      if (removes.length > 0) await this.#noteBefore(removes);
      const additions = adds.map((rule) => this.#addition(rule));
      changes.push(...removes.map((rule) => ({ kind: "flow.remove", rule }) as const), ...additions, ...after);
      if (changes.length > 0) {
        const flows = new Map(adds.map((rule) => [rule.id, rule]));
        const { removed } = await this.#parts.kernel.apply({ ...this.#parts.intent.desired, flows }, changes);
        for (const each of sent) each.applied();
        this.#account(removes, additions, removed, finals);
      }
    } catch (error) {
      for (const each of sent) each.failed(isLost(error));
      this.#logFailure(error, changes);
      throw error;
    }
    this.#settle(asked, finals);
    this.#parts.usage.record(finals);
    return { finals, changes: changes.length };
  }

  /** What is to be done, as it stands now; all of it is in flight from here on. */
  #draft(ids: readonly FlowId[], carriers: Scope["carriers"]) {
    const { flows, pools, tunnels } = this.#parts.intent;
    const removes = ids.flatMap((id) => flows.pendingDeletions.get(id) ?? []);
    const adds = ids.flatMap((id) => flows.pendingUpdates.get(id) ?? []);
    const usedPools = carriers === "used" ? new Set(adds.map(({ pool }) => pool)) : pools.pendingUpdates.keys();
    const usedTunnels = carriers === "used" ? new Set(adds.map(({ tunnel }) => tunnel)) : tunnels.pendingUpdates.keys();
    const poolSets = pendingOf(pools, usedPools);
    const tunnelSets = pendingOf(tunnels, usedTunnels);
    const poolRemoves = carriers === "all" ? unwanted(pools) : [];
    const tunnelRemoves = carriers === "all" ? unwanted(tunnels) : [];
    // The rules name the tunnels that there are, and the maps of aggregates.
    const otherTunnels = tunnelRemoves.length > 0 || tunnelSets.some(({ id }) => !tunnels.held.has(id));
    const otherMaps = poolSets.length + poolRemoves.length > 0 && this.#needsOtherMaps();
    const before: readonly KernelChange[] = [
      ...(otherTunnels || otherMaps ? [{ kind: "structure" } as const] : []),
      ...tunnelSets.map((tunnel) => ({ kind: "tunnel.set", tunnel }) as const),
      ...poolSets.map((pool) => ({ kind: "pool.set", pool }) as const),
    ];
    const after: readonly KernelChange[] = [
      ...poolRemoves.map((pool) => ({ kind: "pool.remove", pool }) as const),
      ...tunnelRemoves.map((tunnel) => ({ kind: "tunnel.remove", tunnel }) as const),
    ];
    const sent = [
      sendAs(flows, ids),
      sendAs(
        pools,
        [...poolSets, ...poolRemoves].map(({ id }) => id),
      ),
      sendAs(
        tunnels,
        [...tunnelSets, ...tunnelRemoves].map(({ id }) => id),
      ),
    ];
    return { removes, adds, before, after, sent };
  }

  #needsOtherMaps(): boolean {
    const { pools, desired } = this.#parts.intent;
    const { interfaces } = desired;
    return carryText({ interfaces, pools: pools.desired }) !== carryText({ interfaces, pools: pools.held });
  }

  /**
   * Killed between the kernel's commit and the journal, we would have nothing else to report. What the kernel says in
   * removing replaces it.
   */
  async #noteBefore(removes: readonly FlowRule[]): Promise<void> {
    const { kernel, memory, usage } = this.#parts;
    const moment = memory.moment();
    const counted = await kernel.counters(removes);
    const finals = new Map<FlowId, FlowCounters>();
    for (const rule of removes) {
      const now = counted.get(rule.id);
      const total = now === undefined ? memory.last(rule.id) : memory.note(rule.id, now, moment);
      if (total !== undefined && !this.#goesOn(rule)) finals.set(rule.id, total);
    }
    usage.record(finals);
  }

  /** A flow that is only treated otherwise counts on; under another session it is another flow. */
  #goesOn(rule: FlowRule): boolean {
    return this.#parts.intent.flows.desired.get(rule.id)?.session === rule.session;
  }

  #addition(rule: FlowRule): Extract<KernelChange, { kind: "flow.add" }> {
    const { intent, memory } = this.#parts;
    const held = intent.flows.held.get(rule.id);
    const counters = held === undefined || held.session === rule.session ? memory.last(rule.id) : undefined;
    return { kind: "flow.add", rule, ...(counters === undefined ? {} : { counters }) };
  }

  #account(
    removes: readonly FlowRule[],
    additions: readonly Extract<KernelChange, { kind: "flow.add" }>[],
    removed: ReadonlyMap<FlowId, FlowCounters>,
    finals: Map<FlowId, FlowCounters>,
  ): void {
    const { memory } = this.#parts;
    const totals = new Map<FlowId, FlowCounters>();
    for (const rule of removes) {
      const last = removed.get(rule.id);
      const total = last === undefined ? memory.last(rule.id) : memory.final(rule.id, last);
      if (total === undefined) continue;
      if (this.#goesOn(rule)) totals.set(rule.id, total);
      else finals.set(rule.id, total);
      memory.forget(rule.id);
    }
    for (const { rule, counters } of additions) {
      const total = totals.get(rule.id) ?? counters;
      if (total !== undefined) memory.restarted(rule.id, counters ?? ZERO_FLOW_COUNTERS, total);
    }
  }

  /** Flows that somebody else had taken away before they were to go: what they were last seen with is their end. */
  #settle(asked: readonly FlowId[], finals: Map<FlowId, FlowCounters>): void {
    const { intent, memory } = this.#parts;
    for (const id of asked) {
      if (intent.flows.desired.has(id) || intent.flows.held.has(id)) continue;
      const last = memory.last(id);
      if (last !== undefined) finals.set(id, last);
      memory.forget(id);
    }
  }

  #logFailure(error: unknown, changes: readonly KernelChange[]): void {
    this.failures += 1;
    const code = error instanceof KernelError ? `${error.code} ${error.detail.errno ?? ""}` : "unexpected";
    this.#parts.log.write("error", "kernel.transaction.failed", code, () => ({
      error,
      changes: changes.slice(0, MAX_LOGGED).map(describeChange),
      ...(changes.length > MAX_LOGGED ? { more: changes.length - MAX_LOGGED } : {}),
    }));
  }
}

const pendingOf = <Id, Value>(tracker: DeltaTracker<Id, Value>, ids: Iterable<Id | undefined>): readonly Value[] =>
  [...ids].flatMap((id) => (id === undefined ? [] : (tracker.pendingUpdates.get(id) ?? [])));

const unwanted = <Id, Value>(tracker: DeltaTracker<Id, Value>): readonly Value[] =>
  [...tracker.pendingDeletions].flatMap(([id, value]) => (tracker.desired.has(id) ? [] : [value]));

function sendAs<Id, Value>(tracker: DeltaTracker<Id, Value>, ids: Iterable<Id>) {
  const sent: Sent<Id, Value> = tracker.send(ids);
  return { applied: () => tracker.applied(sent), failed: (unknown: boolean) => tracker.failed(sent, unknown) };
}

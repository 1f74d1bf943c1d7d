/** The difference between what is wanted and what the kernel holds. Pure; shared by every implementation. */
import type { FlowKey } from "../model/flow.js";
import { toBytesPerSecond } from "../model/units.js";
import type { FlowCounters } from "../model/usage.js";
import { carryAlike } from "./aggregate-match.js";
import type { DesiredState, FlowRule, KernelChange, ObservedState, OutOfProfile, PoolClass, Tunnel } from "./port.js";
import { structureId } from "./structure-id.js";

type FlowChange = Extract<KernelChange, { kind: "flow.add" | "flow.remove" }>;

function sameOutOfProfile(left: OutOfProfile, right: OutOfProfile): boolean {
  if (left.action === "remark" && right.action === "remark") return left.dscp === right.dscp;
  return left.action === right.action;
}

/** nft's language has no burst of 0: what was installed by it, or by hand from a dry run, has 1. */
const sameBurst = (left: number, right: number): boolean => Math.max(1, left) === Math.max(1, right);

/** Field by field: a reading compares a hundred thousand. */
const sameKey = (left: FlowKey, right: FlowKey): boolean =>
  left.protocol === right.protocol &&
  left.destination.port === right.destination.port &&
  left.source.port === right.source.port &&
  left.destination.address === right.destination.address &&
  left.source.address === right.source.address;

/** The kernel counts in whole octets per second: rates that fall together there are the same. */
export function sameRule(left: FlowRule, right: FlowRule): boolean {
  return (
    left.id === right.id &&
    left.session === right.session &&
    sameKey(left.key, right.key) &&
    left.dscp === right.dscp &&
    left.pool === right.pool &&
    toBytesPerSecond(left.rate) === toBytesPerSecond(right.rate) &&
    sameBurst(left.burst, right.burst) &&
    left.packetSize === right.packetSize &&
    left.tunnel === right.tunnel &&
    sameOutOfProfile(left.outOfProfile, right.outOfProfile)
  );
}

export function samePool(left: PoolClass, right: PoolClass): boolean {
  return (
    left.id === right.id &&
    left.name === right.name &&
    toBytesPerSecond(left.rate) === toBytesPerSecond(right.rate) &&
    carryAlike(left, right)
  );
}

export function sameTunnel(left: Tunnel, right: Tunnel): boolean {
  return (
    left.id === right.id &&
    left.name === right.name &&
    left.kind === right.kind &&
    left.local === right.local &&
    left.remote === right.remote &&
    left.sourcePort === right.sourcePort &&
    left.destinationPort === right.destinationPort &&
    left.mtu === right.mtu
  );
}

/**
 * In the order in which changes are applied: structure, tunnels and pools that appear or change, flows (those that go
 * before those that come, so that a key may pass from one to the other), pools and tunnels that go. What the kernel holds
 * and nobody wants is removed.
 */
export function planChanges(desired: DesiredState, observed: ObservedState): readonly KernelChange[] {
  const changes: KernelChange[] = [];
  const { structure, structureId: madeFor } = observed;
  const outdated = madeFor !== undefined && madeFor !== structureId(desired);
  if (!structure || outdated) changes.push({ kind: "structure" });
  for (const tunnel of desired.tunnels.values()) {
    const present = observed.tunnels.get(tunnel.id);
    if (present === undefined || !sameTunnel(present, tunnel)) changes.push({ kind: "tunnel.set", tunnel });
  }
  for (const pool of desired.pools.values()) {
    const present = observed.pools.get(pool.id);
    if (present === undefined || !samePool(present, pool)) changes.push({ kind: "pool.set", pool });
  }
  const { removes, adds } = planFlows(desired, observed);
  changes.push(...removes, ...adds);
  for (const pool of observed.pools.values()) {
    if (!desired.pools.has(pool.id)) changes.push({ kind: "pool.remove", pool });
  }
  for (const tunnel of observed.tunnels.values()) {
    if (!desired.tunnels.has(tunnel.id)) changes.push({ kind: "tunnel.remove", tunnel });
  }
  return changes;
}

function planFlows(desired: DesiredState, observed: ObservedState): { removes: FlowChange[]; adds: FlowChange[] } {
  const removes: FlowChange[] = [];
  const adds: FlowChange[] = [];
  for (const { rule } of observed.flows.values()) {
    const wanted = desired.flows.get(rule.id);
    if (wanted === undefined || !sameRule(wanted, rule)) removes.push({ kind: "flow.remove", rule });
  }
  for (const rule of desired.flows.values()) {
    const present = observed.flows.get(rule.id);
    if (present === undefined || !sameRule(present.rule, rule)) adds.push({ kind: "flow.add", rule });
  }
  return { removes, adds };
}

export interface FlowAddition {
  readonly rule: FlowRule;
  /** Zero by default. */
  readonly counters?: FlowCounters;
}

/** The changes of one call, by the step that carries them out. */
export interface ChangeSteps {
  readonly structure: boolean;
  readonly tunnelSets: readonly Tunnel[];
  readonly poolSets: readonly PoolClass[];
  readonly removes: readonly FlowRule[];
  readonly adds: readonly FlowAddition[];
  readonly poolRemoves: readonly PoolClass[];
  readonly tunnelRemoves: readonly Tunnel[];
}

export function stepsOf(changes: readonly KernelChange[]): ChangeSteps {
  const tunnelSets: Tunnel[] = [];
  const poolSets: PoolClass[] = [];
  const removes: FlowRule[] = [];
  const adds: FlowAddition[] = [];
  const poolRemoves: PoolClass[] = [];
  const tunnelRemoves: Tunnel[] = [];
  let structure = false;
  for (const change of changes) {
    switch (change.kind) {
      case "structure":
        structure = true;
        break;
      case "tunnel.set":
        tunnelSets.push(change.tunnel);
        break;
      case "pool.set":
        poolSets.push(change.pool);
        break;
      case "flow.remove":
        removes.push(change.rule);
        break;
      case "flow.add":
        adds.push(change);
        break;
      case "pool.remove":
        poolRemoves.push(change.pool);
        break;
      case "tunnel.remove":
        tunnelRemoves.push(change.tunnel);
        break;
    }
  }
  return { structure, tunnelSets, poolSets, removes, adds, poolRemoves, tunnelRemoves };
}

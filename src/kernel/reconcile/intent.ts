/** All that is wanted of the kernel, and what it is believed to hold of it. */
import { setImmediate } from "node:timers/promises";
import { samePool, sameRule, sameTunnel } from "../plan.js";
import type {
  DesiredState,
  FlowId,
  FlowRule,
  KernelPolicy,
  LocalState,
  ObservedFlow,
  ObservedState,
  PoolClass,
  PoolId,
  Tunnel,
  TunnelId,
} from "../port.js";
import { DeltaTracker, type Reading } from "./delta-tracker.js";

export interface IntentReading {
  readonly flows: Reading<FlowId>;
  readonly pools: Reading<PoolId>;
  readonly tunnels: Reading<TunnelId>;
}

type Undo = () => void;

/** What was wanted before is wanted again. */
export interface WayBack {
  readonly flows: Undo;
  /** Pools and tunnels, too: only while nobody else changes them. */
  readonly all: Undo;
}

/** What flows are carried in. */
export type Carriers = Pick<DesiredState, "pools" | "tunnels">;

/** Whether a policy wants other pools or tunnels than these. */
export const otherCarriers = (now: Carriers, { pools, tunnels }: KernelPolicy): boolean =>
  differs(now.pools, pools, samePool) || (tunnels !== undefined && differs(now.tunnels, tunnels, sameTunnel));

export class Intent {
  readonly flows = new DeltaTracker<FlowId, FlowRule>(sameRule);
  readonly pools = new DeltaTracker<PoolId, PoolClass>(samePool);
  readonly tunnels = new DeltaTracker<TunnelId, Tunnel>(sameTunnel);
  /** A live view. */
  readonly desired: DesiredState;

  constructor(local: LocalState) {
    const { flows, pools, tunnels } = this;
    this.desired = { ...local, flows: flows.desired, pools: pools.desired, tunnels: tunnels.desired };
  }

  /** Objects that the kernel is not believed to hold as they are wanted. */
  get pending(): number {
    return this.flows.pending + this.pools.pending + this.tunnels.pending;
  }

  /** From now on this is wanted; flows that are not named stay. Gives the way back. */
  wish({ flows, pools, tunnels }: KernelPolicy): WayBack {
    const back = {
      flows: wishEach(this.flows, flows),
      pools: wishAll(this.pools, pools),
      tunnels: tunnels === undefined ? () => undefined : wishAll(this.tunnels, tunnels),
    };
    return {
      flows: back.flows,
      all: () => {
        back.flows();
        back.pools();
        back.tunnels();
      },
    };
  }

  /** As `wish`; flows that are not named are not wanted any more. */
  wishOnly({ flows, ...rest }: KernelPolicy): WayBack {
    const all = new Map<FlowId, FlowRule | undefined>(flows);
    for (const id of this.flows.desired.keys()) if (!all.has(id)) all.set(id, undefined);
    return this.wish({ ...rest, flows: all });
  }

  begin(): IntentReading {
    return { flows: this.flows.begin(), pools: this.pools.begin(), tunnels: this.tunnels.begin() };
  }

  abandon(reading: IntentReading): void {
    this.flows.abandon(reading.flows);
    this.pools.abandon(reading.pools);
    this.tunnels.abandon(reading.tunnels);
  }

  /** @param learn - told of each flow that the reading can say something about. */
  async end(reading: IntentReading, observed: ObservedState, learn: (flow: ObservedFlow) => void): Promise<void> {
    this.pools.end(reading.pools, observed.pools, (pool) => pool);
    this.tunnels.end(reading.tunnels, observed.tunnels, (tunnel) => tunnel);
    const ending = this.flows.ending(reading.flows, observed.flows, (flow) => {
      learn(flow);
      return flow.rule;
    });
    // Packets of the policy server and the control socket are not to wait for a hundred thousand flows.
    for (const _ of ending) await setImmediate();
  }

  /** What the kernel holds is what is wanted: so a restarted router begins. */
  adopt(): void {
    this.flows.adopt();
    this.pools.adopt();
    this.tunnels.adopt();
  }
}

function wishEach<Id, Value>(tracker: DeltaTracker<Id, Value>, wanted: ReadonlyMap<Id, Value | undefined>): Undo {
  const before = [...wanted.keys()].map((id) => [id, tracker.desired.get(id)] as const);
  const make = ([id, value]: readonly [Id, Value | undefined]): void => {
    if (value === undefined) tracker.delete(id);
    else tracker.set(id, value);
  };
  for (const entry of wanted) make(entry);
  return () => before.forEach(make);
}

function wishAll<Id, Value>(tracker: DeltaTracker<Id, Value>, wanted: ReadonlyMap<Id, Value>): Undo {
  const all = new Map<Id, Value | undefined>(wanted);
  for (const id of tracker.desired.keys()) if (!all.has(id)) all.set(id, undefined);
  return wishEach(tracker, all);
}

function differs<Id, Value>(
  left: ReadonlyMap<Id, Value>,
  right: ReadonlyMap<Id, Value>,
  same: (left: Value, right: Value) => boolean,
): boolean {
  if (left.size !== right.size) return true;
  for (const [id, value] of left) {
    const other = right.get(id);
    if (other === undefined || !same(value, other)) return true;
  }
  return false;
}

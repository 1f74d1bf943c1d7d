/** Sessions as rows: their flows, the buckets these share, and the tunnels that carry them. */
import type { Binding } from "../../cops/pr/bindings.js";
import type { TrafficSpec } from "../../model/flow.js";
import type { SessionId } from "../../model/session.js";
import type { InstalledFlow } from "../session-record.js";
import { type BasePolicy, targetKey } from "./base-policy.js";
import { flowBindings, tokenBucketRow } from "./flow-rows.js";
import type { PolicyTunnel } from "./tunnel-rows.js";

export interface FlowsOfSession {
  readonly session: SessionId;
  /** Service class of flows that do not say theirs. */
  readonly class: string;
  readonly flows: readonly InstalledFlow[];
}

export class SessionRows {
  readonly #targets: BasePolicy["targets"];
  /** By the name of their pool. */
  readonly #tunnels: ReadonlyMap<string, PolicyTunnel>;
  readonly #buckets = new BucketTable();

  constructor(targets: BasePolicy["targets"], tunnels: readonly PolicyTunnel[]) {
    this.#targets = targets;
    this.#tunnels = new Map(tunnels.map((tunnel) => [tunnel.pool, tunnel]));
  }

  /** The tunnel of a flow that leaves the access network; what arrives has left its tunnel. */
  tunnelOf({ pool, flow }: InstalledFlow): PolicyTunnel | undefined {
    return pool === undefined || flow.direction !== "up" ? undefined : this.#tunnels.get(pool);
  }

  /** @param steers - whether the router has the tunnels */
  bindings({ session, class: className, flows }: FlowsOfSession, steers: boolean): readonly Binding[] {
    const buckets = new Map<number, Binding>();
    const rows = flows.flatMap((installed) => {
      const { instance, flow, pool } = installed;
      const targets = this.#targets.get(targetKey(installed.class ?? className, pool));
      if (targets === undefined) return [];
      const { key, traffic } = flow;
      const parameters = this.#buckets.instanceOf(traffic);
      buckets.set(parameters, tokenBucketRow(parameters, traffic));
      const tunnel = steers ? this.tunnelOf(installed)?.id : undefined;
      return flowBindings({ instance, session, key, parameters, targets, packetSize: traffic.packetSize, tunnel });
    });
    return [...buckets.values(), ...rows];
  }
}

/**
 * Equal parameters share a row (UNIQUENESS of dsTBParam). Rows are written again with every flow that uses
 * them, which changes nothing, and stay when the last flow has gone: there are few, one per codec.
 */
class BucketTable {
  readonly #instances = new Map<string, number>();

  instanceOf({ rate, burst }: TrafficSpec): number {
    const key = `${Math.ceil(rate / 1000)} ${Math.ceil(burst)}`;
    const instance = this.#instances.get(key) ?? this.#instances.size + 1;
    this.#instances.set(key, instance);
    return instance;
  }
}

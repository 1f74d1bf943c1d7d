/**
 * Connections of registered agents that close: whoever has not come back in time has left, and its sessions are ended.
 * ```
 *  open --closed--> waited for --registered again by the same agent--> open (another connection)
 *                       | time is over
 *                       v
 *                     left: registration gone, sessions ended
 * ```
 */
import type { Clock, Timer } from "../../model/clock.js";
import type { Logger } from "../../model/log.js";
import type { Millis } from "../../model/units.js";
import { agentNameOf } from "../registrar/binding.js";
import type { Registrar } from "../registrar/registrar.js";
import type { FlowId } from "../transport/transport.js";
import type { DialogAgent } from "./policy.js";

export interface FlowWatchParts {
  readonly registrar: Registrar;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly grace: Millis;
  /** Ends the sessions that the agents had a part in. */
  readonly left: (agents: readonly DialogAgent[]) => void;
}

/** Agents of one connection that are waited for. */
const AGENTS = 64;

export class FlowWatch {
  private readonly parts: FlowWatchParts;
  private readonly waiting = new Map<FlowId, Timer>();
  /** Who has ever registered by a connection that is open: who has logged out there may be in a session still. */
  private readonly seen = new Map<FlowId, ReadonlyMap<string, DialogAgent>>();

  constructor(parts: FlowWatchParts) {
    this.parts = parts;
  }

  /** Connections that are waited for. */
  get size(): number {
    return this.waiting.size;
  }

  /** A REGISTER has come by that connection and was accepted. */
  registered(flow: FlowId): void {
    const seen = new Map(this.seen.get(flow));
    for (const binding of this.parts.registrar.onFlow(flow)) {
      const agent = { aor: binding.aor, agent: agentNameOf(binding) };
      if (seen.size < AGENTS) seen.set(`${agent.aor} ${agent.agent}`, agent);
    }
    if (seen.size > 0) this.seen.set(flow, seen);
  }

  closed(flow: FlowId): void {
    const { registrar, clock, grace } = this.parts;
    const agents = [...(this.seen.get(flow)?.values() ?? [])];
    this.seen.delete(flow);
    registrar.closeFlow(flow);
    if (agents.length === 0 || this.waiting.has(flow)) return;
    const timer = clock.after(grace, () => this.over(flow, agents));
    this.waiting.set(flow, timer);
  }

  close(): void {
    for (const timer of this.waiting.values()) timer.cancel();
    this.waiting.clear();
  }

  private over(flow: FlowId, agents: readonly DialogAgent[]): void {
    this.waiting.delete(flow);
    this.parts.registrar.dropFlow(flow);
    const gone = agents.filter((agent) => !isBack(this.parts.registrar, agent));
    if (gone.length === 0) return;
    this.parts.logger.info("sip.agent.left", { users: gone.map(({ aor }) => aor) });
    this.parts.left(gone);
  }
}

/** Registered by any connection, or by none. One that has closed too counts, as it is waited for by itself. */
export const isBack = (registrar: Registrar, { aor, agent }: DialogAgent): boolean =>
  registrar.bindings(aor).some((binding) => agentNameOf(binding) === agent);

/** The router that enforces for our access network, as the session service sees it. */
import type { Refusal } from "../model/decision.js";
import type { SessionId } from "../model/session.js";
import type { FlowCounters } from "../model/usage.js";
import type { InstalledFlow } from "./session-record.js";

/** One transaction at the router: all of it or nothing. Removes come before installs (RFC 3084 §3.3). */
export interface EnforcementChange {
  readonly session: SessionId;
  /** Class of flows that do not say theirs: it names the PHB, the pool and what becomes of excess. */
  readonly class: string;
  readonly remove: readonly InstalledFlow[];
  readonly install: readonly InstalledFlow[];
}

export interface Enforcement {
  /** Resolves when the router said that its kernel has the change, or with why not. */
  change(change: EnforcementChange): Promise<{ readonly admitted: true } | Refusal>;
  readonly connected: boolean;
}

/** What the router tells without being asked. */
export interface EnforcementEvents {
  /** Final counters of flows that the router removed, by instance number; may be told more than once. */
  flowsFinal(finals: ReadonlyMap<number, FlowCounters>): void;
  /** The router holds the flows of these sessions and no others: flows without final counters by now have none. */
  inSync(holds: ReadonlySet<SessionId>): void;
}

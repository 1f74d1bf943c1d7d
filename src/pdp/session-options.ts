/** What the session service works with. */
import type { Clock } from "../model/clock.js";
import type { Logger } from "../model/log.js";
import type { SessionSide } from "../model/session.js";
import type { Octets } from "../model/units.js";
import type { Authority, Grant } from "./authority.js";
import type { Enforcement } from "./enforcement.js";
import type { UnmeasuredRule } from "./negotiation/judge-quality.js";
import type { PathQualitySource } from "./negotiation/path-quality.js";
import type { SessionClass } from "./negotiation/session-class.js";
import type { PoolMap } from "./pools/pool-map.js";
import type { SessionPools } from "./pools/session-pools.js";
import type { RuleBook } from "./rules.js";
import type { SessionRecord, ShedTreatment, StoredDirectives } from "./session-record.js";
import type { SessionStore } from "./session-store.js";
import type { ServiceClass } from "./session-way.js";

export interface SessionServiceOptions {
  readonly rules: RuleBook;
  readonly classes: ReadonlyMap<string, ServiceClass>;
  /** What agents may name; nothing if undefined. */
  readonly sessionClasses?: ReadonlyMap<string, SessionClass>;
  /** Who measures paths; nobody if undefined. */
  readonly quality?: PathQualitySource;
  /** Of needs that nobody measures, and that no class promises: `refuse` if undefined. */
  readonly unmeasured?: UnmeasuredRule;
  readonly ledger: SessionPools;
  /** Communities and the pools between them; without it sessions take from the pool of their class. */
  readonly map?: PoolMap;
  readonly authority: Authority;
  readonly enforcement: Enforcement;
  readonly store: SessionStore;
  readonly linkOverhead: Octets;
  readonly clock: Clock;
  readonly log: Logger;
  /** Called in the transaction that closes a session, so that its usage is recorded once or not at all. */
  readonly settle: (record: SessionRecord) => void;
  /**
   * Told of a session that gave its bandwidth back, and what becomes of it: its parties should know. `shed` of the record
   * says why.
   */
  readonly onShed?: (record: SessionRecord, treatment: ShedTreatment) => void;
  /** What the authority's grant makes the proxy do to the INVITE. */
  readonly directivesOf: (grant: Grant, side: SessionSide) => StoredDirectives;
}

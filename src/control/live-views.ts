/** What sessions carry now, as the control API answers it: made for dashboards. */
import type { SessionId } from "../model/session.js";
import type { Timestamp } from "../model/units.js";
import type { FlowCounters } from "../model/usage.js";

/** `/v1/show/live`, by a policy server: as of the router's last report. */
export interface LiveUsageView {
  readonly at: Timestamp;
  /** Those that are answered and not over. */
  readonly sessions: readonly LiveSessionView[];
}

/** Octets at layer 3, of all flows that the session has had so far. */
export interface LiveSessionView {
  readonly session: SessionId;
  /** Left the access network, and entered it. */
  readonly up: FlowCounters;
  readonly down: FlowCounters;
  /** When its media was last seen to move; absent before the first packet. */
  readonly moved?: Timestamp;
  /** When it ends if nobody refreshes it (RFC 4028). */
  readonly expires?: Timestamp;
}

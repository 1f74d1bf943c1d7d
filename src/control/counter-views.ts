/** Counters and gauges of a role, as the control API answers them. */
import type { Timestamp } from "../model/units.js";

/** `/v1/show/counters`, by a SIP proxy, a portal and a clearinghouse (of its directory): a row for each. */
export interface CounterView {
  /** What it is about and what it counts, with a dot between: `sip.received`. */
  readonly counter: string;
  /** `counter`: since the start. `gauge`: now. */
  readonly kind: "counter" | "gauge";
  readonly value: number;
}

/** `/v1/show/portal`. */
export interface PortalView {
  /** On-line here. */
  readonly users: number;
  readonly logins: number;
  /** Open, with a stream of events each. */
  readonly pages: number;
  readonly connections: number;
  /** Since the start. */
  readonly counters: Readonly<Record<string, number>>;
  /** When the certificate runs out; absent without TLS of its own. */
  readonly certificateUntil?: Timestamp;
}

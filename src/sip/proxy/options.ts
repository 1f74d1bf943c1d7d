/** What a proxy is told when it is made. */
import type { Clock } from "../../model/clock.js";
import type { MessageLog } from "../../model/event.js";
import type { Logger } from "../../model/log.js";
import { type Millis, seconds } from "../../model/units.js";
import type { HostPort } from "../message/grammar.js";
import { DEFAULT_MESSAGE_LIMITS, type MessageLimits } from "../message/limits.js";
import { DEFAULT_TIMERS, type SipTimers } from "../transaction/timers.js";
import type { SipTransport, SocketAddress } from "../transport/transport.js";
import type { ProxyPolicy } from "./policy.js";

export interface RoutingTable {
  /** Domains that this proxy is responsible for, lower case. Its own addresses always are. */
  readonly domains: readonly string[];
  /** `user` or `user@domain` (first looked for) to where that user's agent listens. */
  readonly users: ReadonlyMap<string, HostPort>;
  /** Foreign domain, or `*`, to the next proxy. */
  readonly routes: ReadonlyMap<string, HostPort>;
}

/** A host name to an address; undefined if it has none. Literal addresses never get here. */
export type HostResolver = (hop: HostPort) => Promise<SocketAddress | undefined>;

export interface ProxyLimits {
  readonly message: MessageLimits;
  /** Live transactions: one forwarded request makes two. */
  readonly transactions: number;
  /** Sessions remembered at once. */
  readonly dialogs: number;
  /** Messages of one session that wait for the policy. */
  readonly held: number;
  /** Different provisionals of one INVITE that are passed on. */
  readonly provisionals: number;
  /** How long a message is held before the policy counts as lost. */
  readonly policyWait: Millis;
}

export const DEFAULT_PROXY_LIMITS: ProxyLimits = {
  message: DEFAULT_MESSAGE_LIMITS,
  transactions: 40_000,
  dialogs: 20_000,
  held: 32,
  provisionals: 16,
  // Below 64*T1, so that whoever waits for us is still there.
  policyWait: seconds(30),
};

export interface ProxyOptions {
  readonly transport: SipTransport;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly policy: ProxyPolicy;
  readonly table: RoutingTable;
  readonly timers?: Partial<SipTimers>;
  readonly limits?: Partial<ProxyLimits>;
  readonly resolver?: HostResolver;
  /** Every SIP message sent or received, for `sluice trace`. */
  readonly messageLog?: MessageLog;
  /** `n` octets that nobody can guess; tests make them repeatable. */
  readonly random?: (octets: number) => Buffer;
}

export const timersOf = (options: ProxyOptions): SipTimers => ({ ...DEFAULT_TIMERS, ...options.timers });
export const limitsOf = (options: ProxyOptions): ProxyLimits => ({ ...DEFAULT_PROXY_LIMITS, ...options.limits });

/** What a proxy is told when it is made. */
import type { Clock } from "../../model/clock.js";
import type { MessageLog } from "../../model/event.js";
import type { IpPrefix } from "../../model/ip.js";
import type { Logger } from "../../model/log.js";
import { type Millis, seconds } from "../../model/units.js";
import type { HostPort } from "../message/grammar.js";
import { DEFAULT_MESSAGE_LIMITS, type MessageLimits } from "../message/limits.js";
import { DEFAULT_TIMERS, type SipTimers } from "../transaction/timers.js";
import type { SipTransport, SocketAddress, TransportName } from "../transport/transport.js";
import type { Hop } from "./hop.js";
import type { ProxyPolicy } from "./policy.js";
import type { UserServices } from "./user-services.js";

export interface RoutingTable {
  /** Domains that this proxy is responsible for, lower case. Its own addresses always are. */
  readonly domains: readonly string[];
  /** `user` or `user@domain` (first looked for) to where that user's agent listens. */
  readonly users: ReadonlyMap<string, HostPort>;
  /** Foreign domain, or `*`, to the next proxy. */
  readonly routes: ReadonlyMap<string, HostPort>;
  /** Other domains are looked for by their names (RFC 3263), which is the resolver's work. */
  readonly dns?: boolean;
  /** Addresses that are not public, to which such names may lead all the same. */
  readonly dnsPrefixes?: readonly IpPrefix[];
}

/** A host name to an address, and by what (UDP if nothing is said); undefined if it has none. Addresses never get here. */
export type HostResolver = (hop: Hop) => Promise<(SocketAddress & { readonly transport?: TransportName }) | undefined>;

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
  /** Users who register here. Without it REGISTER is answered 501, and users stand in the table. */
  readonly users?: UserServices;
  /** Every SIP message sent or received, for `sluice trace`. */
  readonly messageLog?: MessageLog;
  /** `n` octets that nobody can guess; tests make them repeatable. */
  readonly random?: (octets: number) => Buffer;
}

export const timersOf = (options: ProxyOptions): SipTimers => ({ ...DEFAULT_TIMERS, ...options.timers });
export const limitsOf = (options: ProxyOptions): ProxyLimits => ({ ...DEFAULT_PROXY_LIMITS, ...options.limits });

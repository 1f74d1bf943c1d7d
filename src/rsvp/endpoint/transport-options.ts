/** What the back ends are opened with. */
import type { Clock } from "../../model/clock.js";
import type { IpAddress, IpFamily } from "../../model/ip.js";
import type { RsvpLimits } from "./limits.js";
import type { RouterAlert, RsvpProtocol, TransportHandlers } from "./transport.js";

export interface TransportOptions {
  readonly handlers: TransportHandlers;
  readonly limits: RsvpLimits;
  readonly clock: Clock;
  /** A node that has no part in aggregating leaves `e2eIgnore` out: then the kernel forwards it untouched. */
  readonly protocols: readonly RsvpProtocol[];
  /** Levels of the Router Alert option to intercept (IPv6 only; IPv4 intercepts all). */
  readonly alerts: readonly RouterAlert[];
  readonly families: readonly IpFamily[];
  readonly udp: UdpRole;
}

/**
 * RFC 2205 appendix C. A `host` speaks UDP only: sends to Pu and listens on Pu and Pu'. A `router` serves such hosts:
 * sends to Pu' and listens on Pu.
 */
export interface UdpRole {
  readonly role: "host" | "router";
  /**
   * The first router by interface [Note 1]: where a message with Router Alert goes, as nobody intercepts UDP. Without
   * one it goes to its own destination.
   */
  readonly nextHops: ReadonlyMap<string, IpAddress>;
}

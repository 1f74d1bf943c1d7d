/** Limits of a COPS endpoint: past each of them the peer gets a clear error or loses its connection. */
import { type Millis, millis, seconds } from "../../model/units.js";

export interface CopsLimits {
  /** Octets of one message, header included. RFC 2748 names no maximum. */
  readonly maxMessage: number;
  /** Octets that may wait to be sent; a peer that does not read is not waited for. */
  readonly maxPending: number;
  /** For the TCP connection, and then for the Client-Open or Client-Accept. */
  readonly openTimeout: Millis;
  /** Connections that a PDP serves at once. */
  readonly maxConnections: number;
  /** Handles that a PEP may have open on one connection. */
  readonly maxHandles: number;
  /** Requests of one connection that a PDP decides at once; further ones get error 4 (RFC 2748 §2.2.8). */
  readonly maxRequests: number;
  /** How long a PDP waits for the report on a decision. */
  readonly reportTimeout: Millis;
  /** Decisions that a PEP may leave without the report they need; past it its client-type is closed. */
  readonly maxUnreported: number;
}

export const DEFAULT_COPS_LIMITS: CopsLimits = {
  maxMessage: 262_144,
  maxPending: 16_777_216,
  openTimeout: seconds(5),
  maxConnections: 1024,
  maxHandles: 100_000,
  maxRequests: 4096,
  reportTimeout: millis(2000),
  maxUnreported: 4096,
};

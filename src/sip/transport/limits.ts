/** What connections may cost, and what was counted of them. */
import { type Millis, seconds } from "../../model/units.js";
import { DEFAULT_GATE_LIMITS, type GateLimits } from "./source-gate.js";

export interface ConnectionLimits extends GateLimits {
  /** From the first octet of a message to its last, and from the opening of a connection to its first message. */
  readonly messageTime: Millis;
  /** A connection by which nothing came or went for this long is closed. Clients ping every 2 min (RFC 5626 §4.4.1). */
  readonly idle: Millis;
  /** For the opening of a connection from here. */
  readonly connectTime: Millis;
  /** How long a hop that took no connection is not asked again. */
  readonly refusalMemory: Millis;
  /** Octets that may wait for a peer that does not read. */
  readonly queueOctets: number;
  /** Interval of WebSocket pings; one that is not answered by the next ends the connection. */
  readonly ping: Millis;
}

export const DEFAULT_CONNECTION_LIMITS: ConnectionLimits = {
  ...DEFAULT_GATE_LIMITS,
  messageTime: seconds(10),
  idle: seconds(300),
  connectTime: seconds(4),
  refusalMemory: seconds(60),
  queueOctets: 262_144,
  ping: seconds(25),
};

/** Since the start. */
export interface ConnectionCounters {
  /** Connections that others opened. */
  accepted: number;
  /** Connections opened from here. */
  opened: number;
  /** Refused: too many in all, or of one source. */
  full: number;
  /** Refused: one source opened them too fast. */
  tooFast: number;
  /** Closed: where a message ends could not be told, or it was too large. */
  broken: number;
  /** Closed: a message, or the reading of ours, took too long. */
  slow: number;
  /** Closed: more waited for the peer than it may. */
  overflow: number;
  idle: number;
  /** WebSocket requests refused for their Origin. */
  foreignOrigin: number;
  /** Other HTTP requests that became no WebSocket. */
  noWebSocket: number;
}

export const newConnectionCounters = (): ConnectionCounters => ({
  accepted: 0,
  opened: 0,
  full: 0,
  tooFast: 0,
  broken: 0,
  slow: 0,
  overflow: 0,
  idle: 0,
  foreignOrigin: 0,
  noWebSocket: 0,
});

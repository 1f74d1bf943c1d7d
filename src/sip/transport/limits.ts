/** What connections may cost, and what was counted of them. */
import { type Millis, seconds } from "../../model/units.js";
import { DEFAULT_GATE_LIMITS, type GateCounters, type GateLimits } from "./source-gate.js";

export interface ConnectionLimits extends GateLimits {
  /** From the opening of a connection to its first message; in a stream also from a message's first octet to its last. */
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
  /**
   * A WebSocket by which nobody is registered for so long is closed, where users register: nothing else may be asked by
   * it. Two requests are a log-in, and the credentials for it are there before the connection is.
   */
  readonly unregistered: Millis;
}

export const DEFAULT_CONNECTION_LIMITS: ConnectionLimits = {
  ...DEFAULT_GATE_LIMITS,
  messageTime: seconds(10),
  idle: seconds(300),
  connectTime: seconds(4),
  refusalMemory: seconds(60),
  queueOctets: 262_144,
  ping: seconds(25),
  unregistered: seconds(30),
};

/** Since the start. */
export interface ConnectionCounters extends GateCounters {
  /** Connections opened from here. */
  opened: number;
  /** Closed: where a message ends could not be told, or it was too large. */
  broken: number;
  /** Closed: a message, or the reading of ours, took too long. */
  slow: number;
  /** Closed: more waited for the peer than it may. */
  overflow: number;
  idle: number;
  /** Closed: WebSockets by which nobody was registered. */
  unregistered: number;
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
  unregistered: 0,
  foreignOrigin: 0,
  noWebSocket: 0,
});

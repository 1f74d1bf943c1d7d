/** How many connections one source and all sources may have, and how fast they may open them. */
import type { Socket } from "node:net";
import type { Clock } from "../../model/clock.js";
import { type IpAddress, parseAddress, sourceKey } from "../../model/ip.js";

export interface GateLimits {
  /** Open connections in all. */
  readonly connections: number;
  /** Open connections of one source. */
  readonly perSource: number;
  /** Connections that one source may open in a minute, on average; as many at once. */
  readonly perMinute: number;
}

export const DEFAULT_GATE_LIMITS: GateLimits = { connections: 4096, perSource: 64, perMinute: 120 };

/** Since the start. */
export interface GateCounters {
  /** Connections that others opened. */
  accepted: number;
  /** Refused: too many in all, or of one source. */
  full: number;
  /** Refused: one source opened them too fast. */
  tooFast: number;
}

export type Admission = "admitted" | "full" | "sourceFull" | "tooFast";

interface Source {
  open: number;
  /** Connections that it may open now. */
  tokens: number;
  /** When `tokens` was right, epoch ms. */
  at: number;
}

const MINUTE_MS = 60_000;

export class SourceGate {
  /** Addresses of proxies, which bring the connections of many sources. */
  readonly trusted: ReadonlySet<IpAddress>;
  private readonly limits: GateLimits;
  private readonly clock: Clock;
  private readonly sources = new Map<string, Source>();
  private open = 0;

  constructor(limits: GateLimits, clock: Clock, trusted: readonly IpAddress[] = []) {
    this.limits = limits;
    this.clock = clock;
    this.trusted = new Set(trusted);
  }

  get size(): number {
    return this.open;
  }

  /** Counts a connection for as long as it is open; one too many is ended. Gives its source if it may stay. */
  admit(socket: Socket, counters: GateCounters): IpAddress | undefined {
    const address = parseAddress(socket.remoteAddress ?? "");
    const admission = address === undefined ? "full" : this.enter(address);
    if (address === undefined || admission !== "admitted") {
      counters[admission === "tooFast" ? "tooFast" : "full"] += 1;
      socket.destroy();
      return undefined;
    }
    counters.accepted += 1;
    socket.once("close", () => this.leave(address));
    return address;
  }

  /** Counts the source that a trusted proxy's connection, admitted before, turns out to be of. False: it may not stay. */
  admitBehind(socket: Socket, source: IpAddress, counters: GateCounters): boolean {
    const admission = this.enterSource(source);
    if (admission === "admitted") {
      socket.once("close", () => this.leaveSource(source));
      return true;
    }
    counters[admission === "tooFast" ? "tooFast" : "full"] += 1;
    return false;
  }

  /** If it admits, `leave` must be called once for the same address. */
  enter(address: IpAddress): Admission {
    if (this.open >= this.limits.connections) return "full";
    const admission = this.trusted.has(address) ? "admitted" : this.enterSource(address);
    if (admission === "admitted") this.open += 1;
    return admission;
  }

  leave(address: IpAddress): void {
    this.open -= 1;
    if (!this.trusted.has(address)) this.leaveSource(address);
  }

  private enterSource(address: IpAddress): Admission {
    const source = this.sourceOf(address);
    if (source.open >= this.limits.perSource) return "sourceFull";
    if (source.tokens < 1) return "tooFast";
    source.tokens -= 1;
    source.open += 1;
    return "admitted";
  }

  private leaveSource(address: IpAddress): void {
    const source = this.sources.get(sourceKey(address));
    if (source !== undefined) source.open -= 1;
  }

  private sourceOf(address: IpAddress): Source {
    const now = this.clock.now();
    const key = sourceKey(address);
    // Each opened at least one connection to be here: their number follows what was open within a minute.
    if (this.sources.size > 2 * this.limits.connections) this.forget(now);
    const before = this.sources.get(key);
    const { perMinute } = this.limits;
    if (before === undefined) {
      const source = { open: 0, tokens: perMinute, at: now };
      this.sources.set(key, source);
      return source;
    }
    before.tokens = Math.min(perMinute, before.tokens + ((now - before.at) * perMinute) / MINUTE_MS);
    before.at = now;
    return before;
  }

  /** Those whose allowance is whole again; if these are too few, all without a connection. */
  private forget(now: number): void {
    for (const isOld of [(source: Source) => now - source.at > MINUTE_MS, () => true]) {
      for (const [key, source] of this.sources) if (source.open === 0 && isOld(source)) this.sources.delete(key);
      if (this.sources.size <= this.limits.connections) return;
    }
  }
}

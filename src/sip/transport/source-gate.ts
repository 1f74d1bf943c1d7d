/** How many connections one source and all sources may have, and how fast they may open them. */
import type { Clock } from "../../model/clock.js";
import { type IpAddress, sourceKey } from "../../model/ip.js";

export interface GateLimits {
  /** Open connections in all. */
  readonly connections: number;
  /** Open connections of one source. */
  readonly perSource: number;
  /** Connections that one source may open in a minute, on average; as many at once. */
  readonly perMinute: number;
}

export const DEFAULT_GATE_LIMITS: GateLimits = { connections: 4096, perSource: 64, perMinute: 120 };

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
  private readonly limits: GateLimits;
  private readonly clock: Clock;
  private readonly sources = new Map<string, Source>();
  private open = 0;

  constructor(limits: GateLimits, clock: Clock) {
    this.limits = limits;
    this.clock = clock;
  }

  get size(): number {
    return this.open;
  }

  /** If it admits, `leave` must be called once for the same address. */
  enter(address: IpAddress): Admission {
    const { connections, perSource } = this.limits;
    if (this.open >= connections) return "full";
    const source = this.sourceOf(address);
    if (source.open >= perSource) return "sourceFull";
    if (source.tokens < 1) return "tooFast";
    source.tokens -= 1;
    source.open += 1;
    this.open += 1;
    return "admitted";
  }

  leave(address: IpAddress): void {
    const source = this.sources.get(sourceKey(address));
    if (source === undefined || source.open === 0) return;
    source.open -= 1;
    this.open -= 1;
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

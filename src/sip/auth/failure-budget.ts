/**
 * How often a password may be wrong: for a user from one source, for a source whatever the user, and for a user wherever it
 * comes from. The last would let a stranger lock a user out; so where a user has lately got in, it does not hold. Pure.
 */
import { sourceKey } from "../../model/ip.js";
import { type Millis, millis, seconds, type Timestamp } from "../../model/units.js";

export interface FailureLimits {
  /** Failures within `window`: past them nothing of that kind is looked at until the window is over. */
  readonly pair: number;
  readonly source: number;
  readonly user: number;
  readonly window: Millis;
  /** Most windows remembered; past it the oldest are forgotten. */
  readonly remembered: number;
  /** How long a user counts as at home where it got in. */
  readonly home: Millis;
}

export const DEFAULT_FAILURE_LIMITS: FailureLimits = {
  pair: 5,
  source: 30,
  user: 100,
  window: seconds(60),
  remembered: 50_000,
  home: seconds(86_400),
};

export interface Claimant {
  readonly user: string;
  /** Address that the request came from. */
  readonly source: string;
}

interface Window {
  readonly since: Timestamp;
  count: number;
}

export class FailureBudget {
  private readonly limits: FailureLimits;
  private readonly windows = new Map<string, Window>();
  private readonly homes = new Map<string, Timestamp>();

  constructor(limits: FailureLimits = DEFAULT_FAILURE_LIMITS) {
    this.limits = limits;
  }

  get size(): number {
    return this.windows.size + this.homes.size;
  }

  /** How long nothing of this claimant is looked at any more; undefined if it may try. */
  blockedFor(claimant: Claimant, now: Timestamp): Millis | undefined {
    const names = namesOf(claimant);
    const isHome = now - (this.homes.get(names.pair) ?? Number.NEGATIVE_INFINITY) < this.limits.home;
    const waits = (isHome ? (["pair", "source"] as const) : (["pair", "source", "user"] as const)).map((scope) => {
      const window = this.windows.get(names[scope]);
      if (window === undefined || window.count < this.limits[scope]) return 0;
      return window.since + this.limits.window - now;
    });
    const longest = Math.max(...waits);
    return longest <= 0 ? undefined : millis(longest);
  }

  failed(claimant: Claimant, now: Timestamp): void {
    for (const name of Object.values(namesOf(claimant))) {
      const window = this.windows.get(name);
      if (window !== undefined && now - window.since < this.limits.window) window.count += 1;
      else remember(this.windows, name, { value: { since: now, count: 1 }, limit: this.limits.remembered });
    }
  }

  succeeded(claimant: Claimant, now: Timestamp): void {
    const { pair } = namesOf(claimant);
    this.windows.delete(pair);
    remember(this.homes, pair, { value: now, limit: this.limits.remembered });
  }
}

/** At the end of the map's order, so that what is dropped is the oldest. */
function remember<V>(map: Map<string, V>, name: string, { value, limit }: { value: V; limit: number }): void {
  map.delete(name);
  const [oldest] = map.keys();
  if (map.size >= limit && oldest !== undefined) map.delete(oldest);
  map.set(name, value);
}

function namesOf({ user, source }: Claimant): Readonly<Record<"pair" | "source" | "user", string>> {
  const place = sourceKey(source);
  return { pair: `pair ${place} ${user}`, source: `source ${place}`, user: `user ${user}` };
}

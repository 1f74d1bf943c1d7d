/** What the stream of the operators' page adds up to: the past of each pool, by host. Pure. */
import type { OpsSnapshot, PoolView, WatchedState } from "../api/types.js";
import { Series } from "../plot/series.js";

export interface PoolPast {
  readonly host: string;
  readonly pool: PoolView;
  readonly isLink: boolean;
  readonly used: Series;
  readonly reserved: Series;
}

/** ms of the past that is shown. */
export const PAST = 300_000;

export class OpsPast {
  readonly #pools = new Map<string, PoolPast>();

  /** Pools and links of a snapshot go to what is known of them; those that are gone are left out. */
  take({ at, hosts }: OpsSnapshot): readonly PoolPast[] {
    const seen = new Set<string>();
    for (const state of hosts) {
      for (const pool of state.pools ?? []) seen.add(this.#add(at, state, pool, isLinkOf(state, pool)));
      for (const link of state.links ?? []) {
        const key = keyOf(state.host, link.name);
        if (!seen.has(key)) seen.add(this.#add(at, state, link, true));
      }
    }
    for (const key of this.#pools.keys()) if (!seen.has(key)) this.#pools.delete(key);
    return [...this.#pools.values()];
  }

  /** Readings from before the page was opened, the oldest first. */
  seed(host: string, pool: string, points: readonly { at: number; used: number; reserved: number }[]): void {
    const past = this.#pools.get(keyOf(host, pool));
    if (past === undefined) return;
    const [used, reserved] = [past.used.readings, past.reserved.readings];
    const first = used[0]?.at ?? Number.POSITIVE_INFINITY;
    const [oldUsed, oldReserved] = [new Series(PAST), new Series(PAST)];
    for (const point of points) {
      if (point.at >= first) break;
      oldUsed.add(point.at, point.used);
      oldReserved.add(point.at, point.reserved);
    }
    for (const { at, value } of used) oldUsed.add(at, value);
    for (const { at, value } of reserved) oldReserved.add(at, value);
    this.#pools.set(keyOf(host, pool), { ...past, used: oldUsed, reserved: oldReserved });
  }

  #add(at: number, { host }: WatchedState, pool: PoolView, isLink: boolean): string {
    const key = keyOf(host, pool.name);
    const known = this.#pools.get(key) ?? { host, used: new Series(PAST), reserved: new Series(PAST) };
    known.used.add(at, pool.used);
    known.reserved.add(at, pool.rate);
    this.#pools.set(key, { ...known, pool, isLink });
    return key;
  }
}

const keyOf = (host: string, pool: string): string => `${host} ${pool}`;

const isLinkOf = ({ links }: WatchedState, { name }: PoolView): boolean =>
  (links ?? []).some((link) => link.name === name);

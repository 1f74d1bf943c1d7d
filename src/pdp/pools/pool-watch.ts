/** Says when a pool is near full, and when it is no longer; when sessions are turned away for want of room. */
import type { Logger } from "../../model/log.js";
import { type BitsPerSecond, type Millis, seconds, type Timestamp } from "../../model/units.js";

/** A pool at one moment. Rates at layer 2. */
export interface PoolLoad {
  readonly pool: string;
  /** By sessions, in the direction with more. */
  readonly used: BitsPerSecond;
  /** What sessions may use now. */
  readonly room: BitsPerSecond;
  /** What they may come to, if it can grow; asked only where it matters. */
  readonly most: () => BitsPerSecond;
  /** Sessions that were refused, or had to let go, since the load before. */
  readonly refused: number;
  readonly shed: number;
}

export interface PoolWatchOptions {
  /** Percent of what sessions may come to at which a pool is near full, rising. */
  readonly thresholds: (pool: string) => readonly number[];
  readonly log: Logger;
}

/** A pool has to fall so much below what it rose above, in percent, and stay there so long. */
const HYSTERESIS = 5;
const RELAX_AFTER: Millis = seconds(10);
/** One line about the same in this time; and how long health remembers. */
const QUIET: Millis = seconds(60);

/** Of a pool that is, or lately was, out of the ordinary. */
interface Watched {
  /** The threshold that it is above. */
  above: number | undefined;
  /** Since when it has been low enough to relax. */
  lowSince: Timestamp | undefined;
  /** The last line that said it is near full, and whether it still stands. */
  told: { readonly threshold: number; readonly at: Timestamp; readonly stands: boolean } | undefined;
  percent: number;
  readonly refused: Tally;
  readonly shed: Tally;
}

interface Tally {
  /** When it was last said, and what has not been said since; those who had to let go are said where it happens. */
  told: Timestamp | undefined;
  untold: number;
  /** Of those that health remembers. */
  recent: number;
  last: Timestamp | undefined;
}

const newTally = (): Tally => ({ told: undefined, untold: 0, recent: 0, last: undefined });

export class PoolWatch {
  readonly #options: PoolWatchOptions;
  /** Pools at rest are not in it. */
  readonly #watched = new Map<string, Watched>();

  constructor(options: PoolWatchOptions) {
    this.#options = options;
  }

  look(load: PoolLoad, at: Timestamp): void {
    const { pool, refused, shed } = load;
    const thresholds = this.#options.thresholds(pool);
    const known = this.#watched.get(pool);
    const percent = percentOf(load, known?.above === undefined ? thresholds[0] : 0);
    const isAtRest = refused + shed === 0 && (thresholds[0] === undefined || percent < thresholds[0]);
    if (known === undefined && isAtRest) return;
    const watched = known ?? newWatched();
    this.#watched.set(pool, watched);
    watched.percent = percent;
    this.#level(load, watched, at);
    count(watched.refused, refused, at);
    count(watched.shed, shed, at);
    this.#tellRefusals(pool, watched.refused, at);
    if (isSettled(watched, at)) this.#watched.delete(pool);
  }

  /** What stands now, one sentence each. */
  warnings(): readonly string[] {
    return [...this.#watched].flatMap(([pool, { above, lowSince, percent, refused, shed }]) => [
      ...(above === undefined || lowSince !== undefined
        ? []
        : [`pool ${pool} is near full: ${Math.floor(percent)} % of it is used`]),
      ...(refused.recent === 0 ? [] : [`pool ${pool} was too full for ${sessions(refused.recent)} lately`]),
      ...(shed.recent === 0 ? [] : [`pool ${pool} was taken back from ${sessions(shed.recent)} lately`]),
    ]);
  }

  #level(load: PoolLoad, watched: Watched, at: Timestamp): void {
    const thresholds = this.#options.thresholds(load.pool);
    const { above, percent } = watched;
    const risen = thresholds.findLast((threshold) => percent >= threshold);
    if (risen !== undefined && (above === undefined || risen > above)) {
      watched.above = risen;
      watched.lowSince = undefined;
      this.#tellRise(load, watched, { threshold: risen, at });
      return;
    }
    if (above === undefined || percent >= above - HYSTERESIS) {
      watched.lowSince = undefined;
      return;
    }
    watched.lowSince ??= at;
    if (at - watched.lowSince < RELAX_AFTER) return;
    watched.lowSince = undefined;
    watched.above = thresholds.findLast((threshold) => threshold < above && percent >= threshold - HYSTERESIS);
    this.#tellFall(load, watched, above);
  }

  #tellRise(load: PoolLoad, watched: Watched, told: { readonly threshold: number; readonly at: Timestamp }): void {
    const before = watched.told;
    const isNews = before === undefined || told.threshold > before.threshold || told.at - before.at >= QUIET;
    if (!isNews) return;
    watched.told = { ...told, stands: true };
    const { pool, used } = load;
    const percent = Math.floor(watched.percent);
    this.#options.log.warn("pdp.pool-near-full", { pool, percent, threshold: told.threshold, used, room: load.room });
  }

  /** Only what was said is taken back. */
  #tellFall({ pool, used, room }: PoolLoad, watched: Watched, threshold: number): void {
    const { told, above, percent } = watched;
    if (told?.stands !== true) return;
    watched.told = { ...told, stands: above !== undefined };
    this.#options.log.info("pdp.pool-relaxed", { pool, percent: Math.floor(percent), threshold, used, room });
  }

  #tellRefusals(pool: string, tally: Tally, at: Timestamp): void {
    if (tally.untold === 0 || (tally.told !== undefined && at - tally.told < QUIET)) return;
    this.#options.log.warn("pdp.pool-refuses", { pool, sessions: tally.untold });
    tally.told = at;
    tally.untold = 0;
  }
}

function count(tally: Tally, sessions: number, at: Timestamp): void {
  if (tally.last !== undefined && at - tally.last >= QUIET) tally.recent = 0;
  if (sessions === 0) return;
  tally.untold += sessions;
  tally.recent += sessions;
  tally.last = at;
}

const newWatched = (): Watched => ({
  above: undefined,
  lowSince: undefined,
  told: undefined,
  percent: 0,
  refused: newTally(),
  shed: newTally(),
});

/** Nothing stands, and nothing has to be kept from being said again too soon. */
function isSettled({ above, told, refused, shed }: Watched, at: Timestamp): boolean {
  const isPast = (time: Timestamp | undefined): boolean => time === undefined || at - time >= QUIET;
  const isForgotten = refused.recent + shed.recent + refused.untold === 0;
  return above === undefined && isForgotten && isPast(told?.at) && isPast(refused.told);
}

/** @param least - below so many percent of the room nobody asks what the pool may come to */
function percentOf({ used, room, most }: PoolLoad, least: number | undefined): number {
  if (used === 0) return 0;
  const now = room === 0 ? Number.POSITIVE_INFINITY : (100 * used) / room;
  if (least === undefined || now < least) return now;
  const limit = Math.max(room, most());
  // More is used than there is: a pool that was taken back.
  return limit === 0 ? 999 : Math.min(999, (100 * used) / limit);
}

const sessions = (count: number): string => (count === 1 ? "1 session" : `${count} sessions`);

/** Warnings about hostile or broken peers, limited, so that a flood of packets is not a flood of lines. */
import type { Clock } from "../model/clock.js";
import type { LogFields, Logger } from "../model/log.js";
import { type Millis, seconds, type Timestamp } from "../model/units.js";

export interface LimitOptions {
  readonly clock: Clock;
  /** One line per event and source in this time. Default 10 s. */
  readonly every?: Millis;
  /** Sources that are remembered; past it all new ones share one place. Default 1000. */
  readonly maxSources?: number;
}

/** `source` tells apart whose fault it is, such as the peer's address. */
export type LimitedWarn = (event: string, source: string, fields?: LogFields) => void;

interface Window {
  readonly since: Timestamp;
  suppressed: number;
}

const OTHERS = "others";

/** Writes the first warning of a source at once; later ones in the same window are counted into the next line. */
export function createLimitedWarn(log: Logger, options: LimitOptions): LimitedWarn {
  const { clock, every = seconds(10), maxSources = 1000 } = options;
  const windows = new Map<string, Window>();
  return (event, source, fields = {}) => {
    const now = clock.now();
    if (windows.size >= maxSources) forgetOld(windows, now, every);
    const own = `${event}\0${source}`;
    const key = windows.has(own) || windows.size < maxSources ? own : `${event}\0${OTHERS}`;
    const window = windows.get(key);
    if (window !== undefined && now - window.since < every) {
      window.suppressed += 1;
      return;
    }
    windows.set(key, { since: now, suppressed: 0 });
    const more = window === undefined || window.suppressed === 0 ? {} : { suppressed: window.suppressed };
    log.warn(event, { source, ...fields, ...more });
  };
}

function forgetOld(windows: Map<string, Window>, now: Timestamp, every: Millis): void {
  for (const [key, window] of windows) {
    // Oldest first; one that still has to tell of suppressed lines is given a second window's time.
    if (now - window.since < (window.suppressed > 0 ? 2 * every : every)) continue;
    windows.delete(key);
  }
}

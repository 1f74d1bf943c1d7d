/** Keeps what strangers send from filling the log: one line a second for each event, with the number left out. */
import type { Clock } from "../../model/clock.js";
import type { LogFields, Logger } from "../../model/log.js";
import type { Timestamp } from "../../model/units.js";

const INTERVAL_MS = 1000;

export class LogLimiter {
  private readonly events = new Map<string, { last: Timestamp; left: number }>();
  private readonly clock: Clock;
  private readonly logger: Logger;

  constructor(clock: Clock, logger: Logger) {
    this.clock = clock;
    this.logger = logger;
  }

  /** @param event - one of a few constants: it is remembered */
  warn(event: string, fields: () => LogFields): void {
    const now = this.clock.now();
    const before = this.events.get(event);
    if (before !== undefined && now - before.last < INTERVAL_MS) {
      before.left += 1;
      return;
    }
    this.logger.warn(event, () => ({ ...fields(), leftOut: before?.left ?? 0 }));
    this.events.set(event, { last: now, left: 0 });
  }
}

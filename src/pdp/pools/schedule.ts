/** What a pool's schedule has for a moment. Pure. */
import type { BitsPerSecond, Timestamp } from "../../model/units.js";

/** In the order in which `Intl` and people count a week. */
const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
export type Weekday = (typeof DAYS)[number];

/** A time of the week with a rate of its own. */
export interface ScheduledTime {
  /** Days on which it begins. */
  readonly days: readonly Weekday[];
  /** Minutes since midnight. It ends on the next day unless `to` is later than `from`. */
  readonly from: number;
  readonly to: number;
  readonly rate: BitsPerSecond;
}

/** A place in the week, as clocks on the wall show it. */
export interface WallTime {
  readonly day: Weekday;
  /** Since midnight. */
  readonly minute: number;
}

/** The rate of the first time that holds; undefined if none does. */
export const scheduledRate = (schedule: readonly ScheduledTime[], now: WallTime): BitsPerSecond | undefined =>
  schedule.find((time) => holds(time, now))?.rate;

function holds({ days, from, to }: ScheduledTime, { day, minute }: WallTime): boolean {
  if (from < to) return days.includes(day) && minute >= from && minute < to;
  return (days.includes(day) && minute >= from) || (days.includes(dayBefore(day)) && minute < to);
}

const dayBefore = (day: Weekday): Weekday => DAYS[(DAYS.indexOf(day) + 6) % 7] ?? "sun";

/**
 * Tells the wall time of a zone (IANA name), summer time included. Making one is slow, asking it is not.
 * @throws RangeError if the zone is not known here
 */
export function wallClock(timeZone: string): (at: Timestamp) => WallTime {
  const format = new Intl.DateTimeFormat("en-GB", {
    timeZone,
    weekday: "short",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  });
  return (at) => {
    const parts = new Map(format.formatToParts(at).map(({ type, value }) => [type, value]));
    const day = DAYS.find((name) => name === parts.get("weekday")?.toLowerCase()) ?? "mon";
    return { day, minute: Number(parts.get("hour")) * 60 + Number(parts.get("minute")) };
  };
}

/** Milliseconds until the next whole minute: zones differ from each other by whole minutes. */
export const untilNextMinute = (at: Timestamp): number => 60_000 - (at % 60_000);

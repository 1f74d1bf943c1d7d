/** Schema of times of the week, such as business hours. */
import { z } from "zod";
import { fault, type Parsed } from "./quantities.js";
import { rate, scalar } from "./scalars.js";

export const WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
export type Weekday = (typeof WEEKDAYS)[number];

const MINUTES_OF_DAY = 1440;

/** `08:30` as minutes since midnight; `24:00` is the end of the day. */
export function parseTimeOfDay(text: string): Parsed<number> {
  const remedy = 'write hours and minutes such as "08:00"; quote them';
  const found = /^(\d{2}):(\d{2})$/.exec(text);
  if (found === null) return fault(`"${text}" is not a time of day`, remedy);
  const [hours, minutes] = [Number(found[1]), Number(found[2])];
  const value = hours * 60 + minutes;
  if (minutes > 59 || value > MINUTES_OF_DAY) return fault(`"${text}" is out of range`, remedy);
  return { value };
}

const timeOfDay = () => scalar("a time of day", "08:00", parseTimeOfDay);

export const scheduleKeys = () =>
  z.strictObject({
    days: z.array(z.enum(WEEKDAYS)).min(1).max(7).describe("Days on which the time begins."),
    from: timeOfDay().describe("When it begins, in `timeZone`."),
    to: timeOfDay().describe("When it ends: on the next day if that is not later than `from`."),
    rate: rate().describe("The pool's rate in that time; its floor if it has a sizing."),
  });

/** An IANA name that this system knows. */
function parseTimeZone(text: string): Parsed<string> {
  if (isTimeZone(text)) return { value: text };
  return fault(`"${text}" is not a time zone known here`, 'write one such as "Europe/Vienna" or "UTC"');
}

export const timeZone = () => scalar("a time zone", "Europe/Vienna", parseTimeZone);

function isTimeZone(text: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: text });
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

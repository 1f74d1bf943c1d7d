/** Schema of times of the week, such as business hours. */
import { z } from "zod";
import { fault, type Parsed } from "./quantities.js";
import { rate, type ScalarKind } from "./scalars.js";

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

const timeOfDay = () =>
  z
    .string()
    .transform((text, context) => {
      const parsed = parseTimeOfDay(text);
      if ("value" in parsed) return parsed.value;
      context.addIssue({ code: "custom", message: parsed.fault.message, params: { remedy: parsed.fault.remedy } });
      return z.NEVER;
    })
    .meta({ kind: "a time of day", example: '"08:00"' } satisfies ScalarKind);

export const scheduleKeys = () =>
  z.strictObject({
    days: z.array(z.enum(WEEKDAYS)).min(1).max(7).describe("Days on which the time begins."),
    from: timeOfDay().describe("When it begins, in `timeZone`."),
    to: timeOfDay().describe("When it ends: on the next day if that is not later than `from`."),
    rate: rate().describe("The pool's rate in that time; its floor if it has a sizing."),
  });

/** An IANA name that this system knows. */
export const timeZone = () =>
  z
    .string()
    .transform((text, context) => {
      if (isTimeZone(text)) return text;
      const remedy = 'write one such as "Europe/Vienna" or "UTC"';
      context.addIssue({ code: "custom", message: `"${text}" is not a time zone known here`, params: { remedy } });
      return z.NEVER;
    })
    .meta({ kind: "a time zone", example: "Europe/Vienna" } satisfies ScalarKind);

function isTimeZone(text: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: text });
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

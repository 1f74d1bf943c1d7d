/** Spans of time on the command line. */
import { parseTime } from "../config/quantities.js";
import { SystemError } from "../model/errors.js";
import type { Millis } from "../model/units.js";

/**
 * As in configurations, such as `30 s`; `m` is short for `min`.
 * @param option - as it is written
 * @throws SystemError CLI_TIME
 */
export function parseSpan(option: string, text: string): Millis {
  const parsed = parseTime(text.replace(/(\d)\s*m$/, "$1 min"));
  if ("value" in parsed) return parsed.value;
  throw new SystemError("CLI_TIME", `${option}: ${parsed.fault.message}`, { remedy: parsed.fault.remedy });
}

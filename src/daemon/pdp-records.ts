/** Billing records of a policy server's users, as they are asked for. */
import type { RecordView } from "../control/record-views.js";
import type { ControlQuery } from "../control/server.js";
import { SystemError } from "../model/errors.js";
import { type Timestamp, timestamp } from "../model/units.js";
import { recordView } from "../pdp/usage-record-view.js";
import type { UsageRecords } from "../pdp/usage-records.js";

/** @throws SystemError CONTROL_QUERY */
export function recordsView(records: UsageRecords, query: ControlQuery): readonly RecordView[] {
  const { user, before, session, limit } = query;
  const wanted = {
    ...(user === undefined ? {} : { user }),
    ...(before === undefined ? {} : { before: timeOf(before) }),
    ...(session === undefined ? {} : { session }),
    ...(limit === undefined ? {} : { limit: wholeOf("limit", limit) }),
  };
  return records.list(wanted).map(recordView);
}

const timeOf = (text: string): Timestamp => timestamp(wholeOf("before", text));

function wholeOf(key: string, text: string): number {
  // Times have fractions.
  if (/^\d{1,16}(?:\.\d{1,6})?$/.test(text)) return Number(text);
  throw new SystemError("CONTROL_QUERY", `${key} is not a number`, { remedy: "times are ms since 1970" });
}

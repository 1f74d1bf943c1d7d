/** Billing records as the control API shows them. Pure. */
import type { RecordView } from "../control/record-views.js";
import { formatAmount } from "../model/amount.js";
import { bitsPerSecond } from "../model/units.js";

import { priceOfRecord, type UserRecord } from "./usage-records.js";

export function recordView(record: UserRecord): RecordView {
  const { tariff: _, providers, class: name, rate, ...shown } = record;
  const view = { ...shown, rate: bitsPerSecond(rate), ...(name === undefined ? {} : { class: name }) };
  const price = priceOfRecord(record);
  if (price === undefined) return view;
  return {
    ...view,
    price: { amount: formatAmount(price.amount), currency: price.currency },
    shares: [
      { provider: providers.originating, amount: formatAmount(price.originating) },
      { provider: providers.terminating, amount: formatAmount(price.terminating) },
      { provider: "clearinghouse", amount: formatAmount(price.clearinghouse) },
    ],
    basis: "own",
  };
}

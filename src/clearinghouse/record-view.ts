/** Prices of sessions as the control API shows them. Pure. */
import type { RecordView } from "../control/record-views.js";
import { formatAmount } from "../model/amount.js";
import { bitsPerSecond, octets } from "../model/units.js";
import { domainOf } from "./rules.js";
import type { SettledRecord } from "./store.js";

/** As the caller sees it: what left for the callee is `out`. */
export function settledView(record: SettledRecord): RecordView {
  const { source, destination, usage, price, basis, serviceClass, result } = record;
  const provider = (value: string, peer: string | undefined): string =>
    domainOf({ type: "sip", value }) ?? peer ?? "unknown";
  return {
    session: record.session ?? ("0".repeat(16) as RecordView["session"]),
    at: record.endedAt,
    user: source,
    peer: destination,
    ...(serviceClass === undefined ? {} : { class: serviceClass }),
    ...(result === undefined ? {} : { result }),
    rate: bitsPerSecond(usage.rate),
    seconds: usage.milliseconds / 1000,
    octetsIn: octets(record.octetsBackward),
    octetsOut: octets(record.octetsForward),
    outOfProfile: octets(usage.octetsOutOfProfile),
    price: { amount: formatAmount(price.amount), currency: price.currency },
    shares: [
      { provider: provider(source, record.originatingPeer), amount: formatAmount(price.originating) },
      { provider: provider(destination, record.terminatingPeer), amount: formatAmount(price.terminating) },
      { provider: "clearinghouse", amount: formatAmount(price.clearinghouse) },
    ],
    basis,
  };
}

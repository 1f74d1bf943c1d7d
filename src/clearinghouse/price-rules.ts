/** From the configuration's prices and shares to what the clearinghouse works with. */
import type { ClearinghouseConfig } from "../config/clearinghouse.js";
import { millionths, type ShareConfig } from "../config/clearinghouse-prices.js";
import type { PriceRule } from "./price-book.js";

export function priceRules(prices: ClearinghouseConfig["prices"], shares: ShareConfig): readonly PriceRule[] {
  const plan = {
    originating: millionths(shares.originating),
    terminating: millionths(shares.terminating),
    clearinghouse: millionths(shares.clearinghouse),
  };
  return prices.map(({ class: name, from, to, ...amounts }) => ({
    class: name,
    from,
    to,
    tariff: { ...amounts, shares: plan },
  }));
}

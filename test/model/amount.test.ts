import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AMOUNT_MAX, formatAmount, parseAmount } from "../../src/model/amount.js";

describe("an amount", () => {
  it.each([
    ["0", 0n],
    ["12", 12_000_000n],
    ["0.000001", 1n],
    ["1000000", 1_000_000_000_000n],
    ["1000000.000001", undefined],
    ["0.0000001", undefined],
    ["-1", undefined],
    ["1e3", undefined],
    ["1,5", undefined],
    [" 1", undefined],
    ["", undefined],
    [".5", undefined],
  ])("%s", (text, amount) => expect(parseAmount(text)).toBe(amount));

  it("is written as short as it is exact, with two decimals at least", () => {
    expect([0n, 10_000n, 1_500_000n, 1n, 123_456_789n].map(formatAmount)).toEqual([
      "0.00",
      "0.01",
      "1.50",
      "0.000001",
      "123.456789",
    ]);
  });

  it("is read as it was written", () => {
    const amounts = fc.bigInt({ min: 0n, max: AMOUNT_MAX });
    fc.assert(fc.property(amounts, (amount) => parseAmount(formatAmount(amount)) === amount));
  });
});

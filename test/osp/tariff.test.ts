import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatAmount, parseAmount } from "../../src/model/amount.js";
import { decodeMessage, encodeMessage } from "../../src/osp/codec/message.js";
import type { AuthorisationResponse } from "../../src/osp/codec/messages.js";
import { PRICE_MAX, type PricedUsage, priceOf, storedTariff, type Tariff, tariffFrom } from "../../src/osp/tariff.js";
import { AUTHORISATION_RESPONSE } from "./codec/golden.js";

const FREE: Tariff = {
  currency: "EUR",
  setup: 0n,
  perMinute: 0n,
  perMegabyte: 0n,
  perMegabyteOutOfProfile: 0n,
  perMbitMinute: 0n,
  shares: { originating: 450_000, terminating: 450_000, clearinghouse: 100_000 },
};
const NOTHING: PricedUsage = { milliseconds: 60_000, rate: 0, octetsInProfile: 0, octetsOutOfProfile: 0 };
const amountOf = (tariff: Partial<Tariff>, usage: Partial<PricedUsage> = {}): string =>
  formatAmount(priceOf({ ...FREE, ...tariff }, { ...NOTHING, ...usage }).amount);
const euro = (text: string): bigint => parseAmount(text) ?? -1n;

describe("the price of a session", () => {
  it("is made of set-up, time, octets and reserved rate, each exactly", () => {
    expect(amountOf({ setup: euro("0.05") })).toBe("0.05");
    expect(amountOf({ perMinute: euro("0.01") }, { milliseconds: 90_000 })).toBe("0.015");
    expect(amountOf({ perMegabyte: euro("0.02") }, { octetsInProfile: 2_500_000 })).toBe("0.05");
    expect(amountOf({ perMegabyteOutOfProfile: euro("0.02") }, { octetsOutOfProfile: 500_000 })).toBe("0.01");
    expect(amountOf({ perMbitMinute: euro("0.5") }, { rate: 80_000 })).toBe("0.04");
    // 0.1 + 0.2, which no binary fraction can say.
    expect(amountOf({ setup: euro("0.1"), perMinute: euro("0.2") })).toBe("0.30");
    const all = { setup: euro("0.05"), perMinute: euro("0.01"), perMegabyte: euro("0.02"), perMbitMinute: euro("0.5") };
    expect(amountOf(all, { milliseconds: 90_000, octetsInProfile: 2_500_000, rate: 80_000 })).toBe("0.175");
  });

  it("is rounded once, half a millionth up", () => {
    expect(amountOf({ perMinute: 1n }, { milliseconds: 29_999 })).toBe("0.00");
    expect(amountOf({ perMinute: 1n }, { milliseconds: 30_000 })).toBe("0.000001");
    // Two halves make a whole.
    expect(amountOf({ perMinute: 1n, perMegabyte: 1n }, { milliseconds: 15_000, octetsInProfile: 250_000 })).toBe(
      "0.000001",
    );
  });

  it("is nothing for a session that was never answered", () => {
    expect(amountOf({ setup: euro("1"), perMegabyte: euro("1") }, { milliseconds: 0, octetsInProfile: 1e9 })).toBe(
      "0.00",
    );
  });

  const amounts = fc.bigInt({ min: 0n, max: 1_000_000_000_000n });
  const tariffs = fc.record({
    currency: fc.constant("EUR"),
    setup: amounts,
    perMinute: amounts,
    perMegabyte: amounts,
    perMegabyteOutOfProfile: amounts,
    perMbitMinute: amounts,
    shares: fc.tuple(fc.nat(1_000_000), fc.nat(1_000_000)).map(([one, other]) => {
      const [low, high] = [Math.min(one, other), Math.max(one, other)];
      return { originating: low, terminating: high - low, clearinghouse: 1_000_000 - high };
    }),
  });
  const usages = fc.record({
    milliseconds: fc.nat(1e15),
    rate: fc.nat(1e12),
    octetsInProfile: fc.nat(Number.MAX_SAFE_INTEGER),
    octetsOutOfProfile: fc.nat(Number.MAX_SAFE_INTEGER),
  });

  it("is shared out to the last millionth, and fits everywhere", () => {
    fc.assert(
      fc.property(tariffs, usages, (tariff, usage) => {
        const { amount, originating, terminating, clearinghouse } = priceOf(tariff, usage);
        expect(originating + terminating + clearinghouse).toBe(amount);
        expect(amount >= 0n && amount <= PRICE_MAX).toBe(true);
        for (const share of [originating, terminating, clearinghouse]) expect(share >= 0n).toBe(true);
        // Less than a millionth is what rounding takes from a party.
        expect(originating * 1_000_000n - amount * BigInt(tariff.shares.originating) > -1_000_000n).toBe(true);
      }),
    );
  });

  it("never falls when more was used", () => {
    fc.assert(
      fc.property(tariffs, usages, usages, (tariff, one, more) => {
        const both = {
          milliseconds: one.milliseconds + more.milliseconds,
          rate: one.rate + more.rate,
          octetsInProfile: one.octetsInProfile + more.octetsInProfile,
          octetsOutOfProfile: one.octetsOutOfProfile + more.octetsOutOfProfile,
        };
        expect(priceOf(tariff, both).amount >= priceOf(tariff, one).amount).toBe(true);
      }),
    );
  });

  it("comes back the same when its tariff was kept, or told", () => {
    fc.assert(
      fc.property(tariffs, (tariff) => {
        expect(tariffFrom(JSON.parse(JSON.stringify(storedTariff(tariff))))).toEqual(tariff);
        const [response] = AUTHORISATION_RESPONSE.message.components as AuthorisationResponse[];
        const octets = encodeMessage({ messageId: "1", components: [{ ...response!, tariff }] });
        const [tag] = octets.toString().match(/<SluiceTariff[^>]*>/) ?? [];
        expect(tag).toContain('critical="False"');
        expect((decodeMessage(octets).components[0] as AuthorisationResponse).tariff).toEqual(tariff);
      }),
    );
  });
});

describe("a tariff from the network", () => {
  const [response] = AUTHORISATION_RESPONSE.message.components as AuthorisationResponse[];
  const xml = encodeMessage({ messageId: "1", components: [{ ...response!, tariff: FREE }] }).toString();
  it.each([
    ["a currency that is none", 'currency="EUR"', 'currency="euro"'],
    ["an amount that is none", 'setup="0.00"', 'setup="-1"'],
    ["shares that are more than the whole", 'originating="450000"', 'originating="460000"'],
    ["a share that is none", 'terminating="450000"', 'terminating="45 %"'],
  ])("is refused with %s", (_what, from, to) => {
    expect(xml).toContain(from);
    expect(decodeMessage(Buffer.from(xml.replace(from, to))).components[0]).toMatchObject({ kind: "invalid" });
  });
});

/**
 * What a session costs and who gets how much of it, by a tariff that was fixed when it was authorised. Exact: amounts are whole
 * millionths of a currency unit, and rounded once, at the end. Pure.
 */
import { formatAmount, type MicroUnits, parseAmount } from "../model/amount.js";

/** Parts of a million; together they are the whole. */
export interface SharePlan {
  readonly originating: number;
  readonly terminating: number;
  readonly clearinghouse: number;
}

export const WHOLE_SHARE = 1_000_000;

export interface Tariff {
  /** ISO 4217. */
  readonly currency: string;
  /** Once, for a session that was answered. */
  readonly setup: MicroUnits;
  readonly perMinute: MicroUnits;
  /** For 10^6 octets in profile, both directions, at layer 3. */
  readonly perMegabyte: MicroUnits;
  /** For 10^6 octets out of profile, likewise. */
  readonly perMegabyteOutOfProfile: MicroUnits;
  /** For each Mbit/s that was reserved, each minute; of the direction with more, at layer 3. */
  readonly perMbitMinute: MicroUnits;
  readonly shares: SharePlan;
}

/** What is paid for. */
export interface PricedUsage {
  /** From the answer to the end; 0: never answered. */
  readonly milliseconds: number;
  /** bit/s; 0: nothing was reserved. */
  readonly rate: number;
  readonly octetsInProfile: number;
  readonly octetsOutOfProfile: number;
}

export interface Price {
  readonly currency: string;
  readonly amount: MicroUnits;
  /** Their sum is the amount. */
  readonly originating: MicroUnits;
  readonly terminating: MicroUnits;
  readonly clearinghouse: MicroUnits;
}

/** What every database and every number still holds exactly: nine thousand million currency units. */
export const PRICE_MAX: MicroUnits = BigInt(Number.MAX_SAFE_INTEGER);

const MS_PER_MINUTE = 60_000n;
const MILLION = 1_000_000n;

/** Nothing is paid for a session that was never answered. Half a millionth is rounded up. At most PRICE_MAX. */
export function priceOf(tariff: Tariff, usage: PricedUsage): Price {
  const due = usage.milliseconds > 0 ? tariff.setup + whole(variable(tariff, usage)) : 0n;
  const amount = due < PRICE_MAX ? due : PRICE_MAX;
  return { currency: tariff.currency, amount, ...sharesOf(amount, tariff.shares) };
}

/** In parts of a million minutes' milliseconds: the least that makes each term a whole number. */
function variable(tariff: Tariff, usage: PricedUsage): bigint {
  const time = BigInt(Math.round(usage.milliseconds));
  const rate = BigInt(Math.round(usage.rate));
  const octets = (count: number, each: MicroUnits): bigint => BigInt(Math.round(count)) * each * MS_PER_MINUTE;
  return (
    tariff.perMinute * time * MILLION +
    tariff.perMbitMinute * time * rate +
    octets(usage.octetsInProfile, tariff.perMegabyte) +
    octets(usage.octetsOutOfProfile, tariff.perMegabyteOutOfProfile)
  );
}

const UNIT = MS_PER_MINUTE * MILLION;

const whole = (parts: bigint): MicroUnits => (parts * 2n + UNIT) / (UNIT * 2n);

/** Rounded down for the parties; what is left over is the clearinghouse's. */
function sharesOf(amount: MicroUnits, plan: SharePlan): Pick<Price, "originating" | "terminating" | "clearinghouse"> {
  const share = (parts: number): MicroUnits => (amount * BigInt(parts)) / MILLION;
  const [originating, terminating] = [share(plan.originating), share(plan.terminating)];
  return { originating, terminating, clearinghouse: amount - originating - terminating };
}

/** As JSON holds it, and as it is kept: bigint has no form there. */
export type StoredTariff = Omit<Tariff, "setup" | `per${string}`> & {
  readonly [Key in Extract<keyof Tariff, "setup" | `per${string}`>]: string;
};

export function storedTariff(tariff: Tariff): StoredTariff {
  const { currency, shares } = tariff;
  return {
    currency,
    shares,
    setup: formatAmount(tariff.setup),
    perMinute: formatAmount(tariff.perMinute),
    perMegabyte: formatAmount(tariff.perMegabyte),
    perMegabyteOutOfProfile: formatAmount(tariff.perMegabyteOutOfProfile),
    perMbitMinute: formatAmount(tariff.perMbitMinute),
  };
}

/** Of what `storedTariff` made; amounts that are none count as nothing. */
export function tariffFrom(stored: StoredTariff): Tariff {
  const { currency, shares } = stored;
  const amount = (text: string): MicroUnits => parseAmount(text) ?? 0n;
  return {
    currency,
    shares,
    setup: amount(stored.setup),
    perMinute: amount(stored.perMinute),
    perMegabyte: amount(stored.perMegabyte),
    perMegabyteOutOfProfile: amount(stored.perMegabyteOutOfProfile),
    perMbitMinute: amount(stored.perMbitMinute),
  };
}

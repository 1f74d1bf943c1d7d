/** Amounts of money as people, files and messages write them: exact decimals, never binary fractions. */

/** Millionths of a currency unit. */
export type MicroUnits = bigint;

const UNIT = 1_000_000n;
const DECIMALS = 6;

/** Largest amount in a price or tariff: a million currency units. */
export const AMOUNT_MAX: MicroUnits = 1_000_000n * UNIT;

/** `12`, `0.0125`: six decimals at most. Undefined for anything else, and beyond AMOUNT_MAX. */
export function parseAmount(text: string): MicroUnits | undefined {
  const match = /^(\d{1,7})(?:\.(\d{1,6}))?$/.exec(text);
  if (match === null) return undefined;
  const [, units = "0", decimals = ""] = match;
  const amount = BigInt(units) * UNIT + BigInt(decimals.padEnd(DECIMALS, "0"));
  return amount <= AMOUNT_MAX ? amount : undefined;
}

/** The shortest exact text, with two decimals at least. */
export function formatAmount(amount: MicroUnits): string {
  const decimals = String(amount % UNIT).padStart(DECIMALS, "0");
  return `${amount / UNIT}.${decimals.replace(/0{1,4}$/, "")}`;
}

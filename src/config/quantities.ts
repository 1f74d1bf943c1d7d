/** Quantities as people write them: a number and a unit. Each parser gives a value, or says what is wrong. */
import type { BitsPerSecond, Millis, Octets } from "../model/units.js";

/** What is wrong with a value, and what to write instead. */
export interface Fault {
  readonly message: string;
  readonly remedy: string;
}

export type Parsed<T> = { readonly value: T } | { readonly fault: Fault };

export const fault = (message: string, remedy: string): { readonly fault: Fault } => ({ fault: { message, remedy } });

interface Quantity {
  /** What is measured, with its article: "a rate". */
  readonly what: string;
  readonly example: string;
  /** Factor from each accepted unit to the base unit. */
  readonly units: Readonly<Record<string, number>>;
  readonly low: number;
  readonly high: number;
  readonly range: string;
}

const NUMBER_AND_UNIT = /^(\d{1,15}(?:\.\d{1,9})?)\s*([A-Za-z][A-Za-z/]*)?$/;

function parseQuantity(quantity: Quantity, text: string): Parsed<number> {
  const known = Object.keys(quantity.units);
  const found = NUMBER_AND_UNIT.exec(text.trim());
  if (found === null) return fault(`"${text}" is not ${quantity.what}`, `write one such as "${quantity.example}"`);
  const [, digits = "", unit] = found;
  if (unit === undefined) return fault(`"${text}" has no unit`, `write ${quantity.what} such as "${quantity.example}"`);
  const factor = quantity.units[unit];
  if (factor === undefined) {
    return fault(`"${unit}" is not a unit of ${quantity.what}`, `use one of ${known.join(", ")}`);
  }
  const value = Math.round(Number(digits) * factor);
  if (value < quantity.low || value > quantity.high) {
    return fault(`"${text}" is out of range`, `allowed is ${quantity.range}`);
  }
  return { value };
}

const RATE: Quantity = {
  what: "a rate",
  example: "170 kbit/s",
  // bit/s only: octets per second would invite mistakes by a factor of eight.
  units: { "bit/s": 1, "kbit/s": 1e3, "Mbit/s": 1e6, "Gbit/s": 1e9 },
  low: 1000,
  high: 1e12,
  range: "1 kbit/s to 1000 Gbit/s",
};

const TIME: Quantity = {
  what: "a time",
  example: "30 s",
  units: { ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 },
  low: 1,
  high: 3660 * 86_400_000,
  range: "1 ms to 3660 d",
};

const SIZE: Quantity = {
  what: "a size",
  example: "256 KiB",
  units: { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, kB: 1e3, MB: 1e6, GB: 1e9 },
  low: 1,
  high: 1e12,
  range: "1 B to 1000 GB",
};

/** `10 Mbit/s`, `170 kbit/s`. */
export const parseRate = (text: string): Parsed<BitsPerSecond> => parseQuantity(RATE, text) as Parsed<BitsPerSecond>;
/** `30 s`, `500 ms`, `5 min`. */
export const parseTime = (text: string): Parsed<Millis> => parseQuantity(TIME, text) as Parsed<Millis>;
/** `256 KiB`. */
export const parseSize = (text: string): Parsed<Octets> => parseQuantity(SIZE, text) as Parsed<Octets>;

function grouped(value: number, steps: readonly (readonly [number, string])[]): string {
  const [factor, unit] = steps.find(([step]) => value >= step && value % step === 0) ?? steps.at(-1) ?? [1, ""];
  return `${value / factor} ${unit}`;
}

/** The shortest exact text with a unit, as `parseRate` reads it. */
export const formatRate = (rate: BitsPerSecond): string =>
  grouped(rate, [
    [1e9, "Gbit/s"],
    [1e6, "Mbit/s"],
    [1e3, "kbit/s"],
    [1, "bit/s"],
  ]);

/** The shortest exact text with a unit, as `parseTime` reads it. */
export const formatTime = (time: Millis): string =>
  grouped(time, [
    [86_400_000, "d"],
    [3_600_000, "h"],
    [60_000, "min"],
    [1000, "s"],
    [1, "ms"],
  ]);

/** The shortest exact text with a unit, as `parseSize` reads it. */
export const formatSize = (size: Octets): string =>
  grouped(size, [
    [1024 ** 2, "MiB"],
    [1024, "KiB"],
    [1, "B"],
  ]);

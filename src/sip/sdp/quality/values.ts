/** Numbers and ranges of quality in attribute values, with their units. */
import type { QualityRange } from "../../../model/quality.js";
import { type BitsPerSecond, kilobitsPerSecond, type Millis, millis } from "../../../model/units.js";
import { type Fault, fault } from "../attribute-reader.js";

export interface ValueKind<Value extends number> {
  readonly form: RegExp;
  /** The value, or undefined if it means nothing. */
  readonly make: (number: number) => Value | undefined;
  readonly says: string;
  /** Which of two is the better. */
  readonly better: "smaller" | "larger";
}

const DECIMAL = /^\d{1,5}(?:\.\d{1,3})?$/;

export const LATENCY: ValueKind<Millis> = {
  form: DECIMAL,
  make: (number) => (number > 0 ? millis(number) : undefined),
  says: "milliseconds above 0, up to 99999.999",
  better: "smaller",
};

export const JITTER: ValueKind<Millis> = {
  form: DECIMAL,
  make: millis,
  says: "milliseconds, up to 99999.999",
  better: "smaller",
};

export const LOSS: ValueKind<number> = {
  form: /^(?:0(?:\.\d{1,12})?|1(?:\.0{1,12})?)$/,
  make: (number) => number,
  says: "a fraction from 0 to 1",
  better: "smaller",
};

export const RATE: ValueKind<BitsPerSecond> = {
  form: /^\d{1,7}$/,
  make: (number) => (number > 0 ? kilobitsPerSecond(number) : undefined),
  says: "whole kbit/s above 0",
  better: "larger",
};

export const isBetter = (kind: { readonly better: "smaller" | "larger" }, left: number, right: number): boolean =>
  kind.better === "smaller" ? left < right : left > right;

export function readValue<Value extends number>(kind: ValueKind<Value>, text: string, at: number): Value | Fault {
  const value = kind.form.test(text) ? kind.make(Number(text)) : undefined;
  return value ?? fault(at, `it must be ${kind.says}`);
}

/** `wanted` or `wanted-worst`. */
export function readRange<Value extends number>(
  kind: ValueKind<Value>,
  text: string,
  at: number,
): QualityRange<Value> | Fault {
  const dash = text.indexOf("-");
  const wanted = readValue(kind, dash < 0 ? text : text.slice(0, dash), at);
  if (typeof wanted === "object") return wanted;
  if (dash < 0) return { wanted, worst: wanted };
  const worst = readValue(kind, text.slice(dash + 1), at + dash + 1);
  if (typeof worst === "object") return worst;
  if (isBetter(kind, worst, wanted)) {
    return fault(at + dash + 1, "the worst acceptable is better than what is wanted");
  }
  return { wanted, worst };
}

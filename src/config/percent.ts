/** Shares of a whole, as people write them. */
import { fault, type Parsed } from "./quantities.js";

const PERCENT = /^(\d{1,3}(?:\.\d{1,9})?)\s*%$/;

/** `0.5 %` as a number of 0 to 1. */
export function parsePercent(text: string): Parsed<number> {
  const digits = PERCENT.exec(text.trim())?.[1];
  if (digits === undefined) return fault(`"${text}" is not a percentage`, 'write one such as "0.5 %"');
  const hundredths = Number(digits);
  if (hundredths > 100) return fault(`"${text}" is out of range`, "allowed is 0 % to 100 %");
  // 0.07 % is 0.0007, and not what floating point makes of 0.07 / 100.
  return { value: Number(`${digits}e-2`) };
}

/** Schema of a clearinghouse's `prices` and `shares`: what sessions cost, and who gets how much of it. */
import { z } from "zod";
import type { CrossProblem } from "./common.js";
import { fault, type Parsed } from "./quantities.js";
import { domainName, identifier, percent } from "./scalars.js";

/** Whole millionths of a currency unit: nothing that is paid is a binary fraction. */
const MICRO_DIGITS = 6;

/** `0.0125` of a currency unit, as millionths. */
export function parseAmountText(text: string): Parsed<bigint> {
  const found = /^(\d{1,6})(?:\.(\d{1,6}))?$/.exec(text.trim());
  if (found === null) {
    return fault(`"${text}" is not an amount`, 'write one such as "0.0125": six decimals, less than a million');
  }
  const [, units = "0", decimals = ""] = found;
  return { value: BigInt(`${units}${decimals.padEnd(MICRO_DIGITS, "0")}`) };
}

const amount = () =>
  z
    .unknown()
    .transform((input, context): bigint => {
      const isWritten = typeof input === "string" || typeof input === "number";
      const parsed = isWritten
        ? parseAmountText(String(input))
        : fault("this is not an amount", 'write one such as "0.0125"');
      if ("value" in parsed) return parsed.value;
      context.addIssue({ code: "custom", message: parsed.fault.message, params: { remedy: parsed.fault.remedy } });
      return z.NEVER;
    })
    .meta({ kind: "an amount", example: "0.0125" });

const currency = () =>
  z
    .string()
    .regex(/^[A-Z]{3}$/, { error: "a currency is three capital letters (ISO 4217)" })
    .meta({ kind: "a currency", example: "EUR" });

const any = () => z.literal("*");

export const priceKeys = () =>
  z.strictObject({
    class: z
      .union([any(), identifier()])
      .default("*")
      .describe("Service class that the caller's policy server asks for; `*`: any, best effort as well."),
    from: z.union([any(), domainName()]).default("*").describe("Domain of the caller; `*`: any."),
    to: z.union([any(), domainName()]).default("*").describe("Domain of the callee; `*`: any."),
    currency: currency().describe("What the amounts are in."),
    setup: amount().default(0n).describe("For each session that was answered."),
    perMinute: amount().default(0n).describe("For each minute from the answer to the end, to the millisecond."),
    perMegabyte: amount()
      .default(0n)
      .describe("For each 1000000 octets in profile, both directions, counted at layer 3."),
    perMegabyteOutOfProfile: amount().default(0n).describe("The same, out of profile."),
    perMbitMinute: amount()
      .default(0n)
      .describe("For each Mbit/s reserved, each minute; of the direction with more, counted at layer 3."),
  });

export const shareKeys = () =>
  z.strictObject({
    originating: percent().describe("Share of the provider of the caller."),
    terminating: percent().describe("Share of the provider of the callee."),
    clearinghouse: percent().describe("Share of the clearinghouse, with what rounding leaves over."),
  });

export type ShareConfig = z.output<ReturnType<typeof shareKeys>>;

export const DEFAULT_SHARES: ShareConfig = { originating: 0.45, terminating: 0.45, clearinghouse: 0.1 };

/** Parts of a million. */
export const millionths = (fraction: number): number => Math.round(fraction * 1_000_000);

export function checkShares({ originating, terminating, clearinghouse }: ShareConfig): readonly CrossProblem[] {
  const sum = millionths(originating) + millionths(terminating) + millionths(clearinghouse);
  if (sum === 1_000_000) return [];
  return [
    {
      path: ["shares"],
      message: `the shares are ${sum / 10_000} % together`,
      remedy: "make them 100 %, to four decimals",
    },
  ];
}

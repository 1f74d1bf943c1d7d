/** Schema of a clearinghouse's `prices` and `shares`: what sessions cost, and who gets how much of it. */
import { z } from "zod";
import { type MicroUnits, parseAmount } from "../model/amount.js";
import type { CrossProblem } from "./common.js";
import { fault, type Parsed } from "./quantities.js";
import { domainName, identifier, percent, scalar } from "./scalars.js";

/** `0.0125` of a currency unit. */
export function parsePrice(text: string): Parsed<MicroUnits> {
  const value = parseAmount(text.trim());
  if (value !== undefined) return { value };
  return fault(`"${text}" is not an amount`, 'write one such as "0.0125": six decimals at most, up to a million');
}

const amount = () => scalar("an amount", "0.0125", parsePrice);

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

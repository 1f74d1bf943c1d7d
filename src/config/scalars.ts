/** Schemas of single values. A value's kind and an example go into the generated reference. */
import { z } from "zod";
import {
  parseDomain,
  parseHttpUrl,
  parseIdentifier,
  parseInterface,
  parseIp,
  parseIpPrefix,
  parseOspId,
  parsePhb,
  parseSipUri,
  parseSocketAddress,
  parseUser,
  parseUserPattern,
} from "./names.js";
import { parsePercent } from "./percent.js";
import { fault, type Parsed, parseRate, parseSize, parseTime } from "./quantities.js";

/** What the reference says about a scalar; kept in zod's metadata. */
export interface ScalarKind extends Record<string, unknown> {
  readonly kind: string;
  readonly example: string;
}

/** A value that `parse` reads from its text. */
export function scalar<T>(kind: string, example: string, parse: (text: string) => Parsed<T>) {
  return z
    .unknown()
    .transform((input, context): T => {
      const parsed = isText(input)
        ? parse(String(input))
        : fault(notText(input), `write ${kind}, such as "${example}"`);
      if ("value" in parsed) return parsed.value;
      context.addIssue({ code: "custom", message: parsed.fault.message, params: { remedy: parsed.fault.remedy } });
      return z.NEVER;
    })
    .meta({ kind, example } satisfies ScalarKind);
}

// YAML reads an unquoted `170` as a number; it reaches the parser as text, so that it can say what is missing.
const isText = (input: unknown): input is string | number => typeof input === "string" || typeof input === "number";

function notText(input: unknown): string {
  if (input === null) return "there is no value";
  if (Array.isArray(input)) return "a list does not fit here";
  return typeof input === "object" ? "a group of keys does not fit here" : `${String(input)} does not fit here`;
}

export const rate = () => scalar("a rate", "170 kbit/s", parseRate);
/** A number of 0 to 1. */
export const percent = () => scalar("a percentage", "0.5 %", parsePercent);
export const time = () => scalar("a time", "30 s", parseTime);
export const size = () => scalar("a size", "256 KiB", parseSize);
export const domainName = () => scalar("a domain name", "a.example", parseDomain);
export const userName = () => scalar("a user name", "alice", parseUser);
export const identifier = () => scalar("a name", "voice", parseIdentifier);
export const ospId = () => scalar("an OSP identity", "1000", parseOspId);
export const interfaceName = () => scalar("an interface name", "eth0", parseInterface);
export const ipAddress = () => scalar("an IP address", "10.1.0.6", parseIp);
export const ipPrefix = () => scalar("an IP prefix", "10.1.0.0/24", parseIpPrefix);
export const socketAddress = () => scalar("an address and port", "10.1.0.6:3288", parseSocketAddress);
export const sipUri = () => scalar("a SIP URI", "sip:alice@10.1.0.10:5060", parseSipUri);
export const userPattern = () => scalar("a user pattern", "*@a.example", parseUserPattern);
export const phb = () => scalar("a per-hop behaviour", "EF", parsePhb);
export const httpUrl = () => scalar("a URL", "http://10.4.0.7:5045/osp", parseHttpUrl);

/** A whole number without a unit, in `low..high`. */
export const count = (low: number, high: number) =>
  z
    .number()
    .int()
    .min(low)
    .max(high)
    .meta({ kind: `a whole number, ${low} to ${high}`, example: String(low) } satisfies ScalarKind);

/** COPS client-types outside the IETF's range: private use, and first come first served (RFC 2748 §4). */
export const clientType = () =>
  count(0x4000, 0xffff).meta({ kind: "a COPS client-type, 0x4000 to 0xffff", example: "0x5349" } satisfies ScalarKind);

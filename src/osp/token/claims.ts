/**
 * The ASCII form of a token's content: `V=1`, then one `k=value` a line. Letters are those the field's
 * validators know; an unknown letter would make them reject the token.
 */
import { ProtocolError } from "../../model/errors.js";
import type { Timestamp } from "../../model/units.js";
import { decodeBase64, formatTimestamp, parseTimestamp } from "../codec/fields.js";
import { parseTransactionId, type TransactionId } from "../codec/messages.js";

/** What a token says. Times are whole seconds. */
export interface TokenClaims {
  readonly transactionId: TransactionId;
  /** SourceInfo of the authorised call. */
  readonly calling: string;
  /** DestinationInfo of the authorised call. */
  readonly called: string;
  /** Octets of the SIP Call-ID. */
  readonly callId: Buffer;
  readonly validAfter: Timestamp;
  readonly validUntil: Timestamp;
  /** Seconds the session may last; absent is no limit. */
  readonly limit?: number | undefined;
  /** The destination's domain, in the field for its network id: binds the token to one receiver. */
  readonly audience?: string | undefined;
}

/** The field's validators copy content and values into buffers of these sizes. */
const CONTENT_OCTETS = 999;
const VALUE_OCTETS = 199;

/**
 * @param random makes tokens of equal claims differ; decimal
 * @throws ProtocolError OSP_TOKEN_CLAIM where a value has white space, is empty or is too long for deployed validators
 */
export function encodeClaims(claims: TokenClaims, random: number): Buffer {
  const { limit, audience } = claims;
  const lines: (readonly [string, string] | undefined)[] = [
    ["V", "1"],
    ["r", String(random)],
    ["c", claims.calling],
    ["C", claims.called],
    ["i", claims.callId.toString("base64")],
    ["a", formatTimestamp(claims.validAfter)],
    ["u", formatTimestamp(claims.validUntil)],
    ["I", claims.transactionId],
    limit === undefined ? undefined : ["A", String(Math.floor(limit))],
    audience === undefined ? undefined : ["e", audience],
  ];
  const present = lines.filter((line) => line !== undefined);
  const bad = present.find(([, value]) => !isTokenValue(value));
  if (bad !== undefined) throw claimError(`the value of ${bad[0]} has blanks or is not 1..${VALUE_OCTETS} octets`);
  const content = Buffer.from(present.map(([letter, value]) => `${letter}=${value}\n`).join(""), "utf8");
  if (content.length > CONTENT_OCTETS) throw claimError(`the content has more than ${CONTENT_OCTETS} octets`);
  return content;
}

const claimError = (message: string): ProtocolError =>
  new ProtocolError("OSP_TOKEN_CLAIM", `a token cannot carry this call: ${message}`);

/** Whether a token can carry `value`: no white space or controls, and a length every validator takes. */
export function isTokenValue(value: string): boolean {
  return /^[^\s\p{Cc}\p{Surrogate}]+$/u.test(value) && Buffer.byteLength(value) <= VALUE_OCTETS;
}

/** Undefined for anything that is not exactly of this form: order of lines is free, a letter comes once. */
export function decodeClaims(content: Buffer): TokenClaims | undefined {
  if (content.length > CONTENT_OCTETS) return undefined;
  const lines = content.toString("utf8").split("\n");
  if (lines.shift() !== "V=1") return undefined;
  if (lines.at(-1) === "") lines.pop();
  const values = new Map<string, string>();
  for (const line of lines) {
    const letter = line.charAt(0);
    const value = line.slice(2);
    if (line.charAt(1) !== "=" || !"rcCiauIAedDonsU".includes(letter)) return undefined;
    if (values.has(letter) || !isTokenValue(value)) return undefined;
    values.set(letter, value);
  }
  return claimsOf(values);
}

function claimsOf(values: ReadonlyMap<string, string>): TokenClaims | undefined {
  const transactionId = parseTransactionId(values.get("I") ?? "");
  const calling = values.get("c");
  const called = values.get("C");
  const callId = decodeBase64(values.get("i") ?? "");
  const validAfter = parseTimestamp(values.get("a") ?? "");
  const validUntil = parseTimestamp(values.get("u") ?? "");
  const amount = values.get("A");
  if (amount !== undefined && !/^\d{1,12}$/.test(amount)) return undefined;
  if (transactionId === undefined || calling === undefined || called === undefined) return undefined;
  if (callId === undefined || callId.length === 0 || validAfter === undefined || validUntil === undefined) {
    return undefined;
  }
  const limit = amount === undefined ? undefined : Number(amount);
  return { transactionId, calling, called, callId, validAfter, validUntil, limit, audience: values.get("e") };
}

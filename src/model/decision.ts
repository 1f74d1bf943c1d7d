/** What a policy server may decide. A refusal is data: it says why, and with what numbers. */
import type { BitsPerSecond } from "./units.js";

export const REFUSAL_REASONS = [
  "notAuthorised", // no rule lets this user start this service
  "rateLimited", // too many sessions of this user or in this time
  "tokenInvalid", // the OSP token was missing, forged, expired or used before
  "clearinghouseRefused",
  "clearinghouseUnreachable",
  "mediaUnacceptable", // the SDP asks for what the rules do not offer
  "mediaUnreadable", // the SDP is not SDP
  "insecure", // the parties' descriptions give less security than was required
  "noRoom", // a pool is full
  "rateUnavailable", // no pool on the way has room for the least rate that a session which asks for quality needs
  "qualityUnavailable", // the path does not keep the latency, jitter or loss that the session needs
  "routerUnavailable", // nobody there to enforce it
  "routerFailed", // the kernel did not take it
  "policyUnavailable", // the policy server did not answer
] as const;

export type RefusalReason = (typeof REFUSAL_REASONS)[number];

export interface Refusal {
  readonly admitted: false;
  readonly reason: RefusalReason;
  /** One sentence for a person: it goes into the SIP Warning and into `explain`. */
  readonly text: string;
  readonly pool?: string;
  readonly needed?: BitsPerSecond;
  readonly free?: BitsPerSecond;
}

/** The SIP answer that says a refusal to a caller: RFC 3261 §21. */
export interface RefusalStatus {
  readonly status: 403 | 488 | 503 | 580;
  readonly phrase: string;
  /** RFC 3261 §20.43: 370 where bandwidth is what lacks, else 399. */
  readonly warnCode: 370 | 399;
  /** Seconds, where trying again makes sense (RFC 3261 §20.33). */
  readonly retryAfter?: number;
}

export function refusalStatus(reason: RefusalReason): RefusalStatus {
  switch (reason) {
    case "notAuthorised":
    case "tokenInvalid":
    case "clearinghouseRefused":
      return { status: 403, phrase: "Forbidden", warnCode: 399 };
    case "mediaUnacceptable":
    case "mediaUnreadable":
    case "insecure":
      return { status: 488, phrase: "Not Acceptable Here", warnCode: 399 };
    // RFC 3312 §8: a requirement on quality that the network cannot meet.
    case "qualityUnavailable":
      return { status: 580, phrase: "Precondition Failure", warnCode: 399 };
    case "rateUnavailable":
      return { status: 580, phrase: "Precondition Failure", warnCode: 370 };
    case "noRoom":
      return { status: 503, phrase: "Service Unavailable", warnCode: 370, retryAfter: 30 };
    case "rateLimited":
      return { status: 503, phrase: "Service Unavailable", warnCode: 399, retryAfter: 30 };
    case "clearinghouseUnreachable":
    case "routerUnavailable":
    case "routerFailed":
    case "policyUnavailable":
      return { status: 503, phrase: "Service Unavailable", warnCode: 399, retryAfter: 10 };
  }
}

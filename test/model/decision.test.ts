import { describe, expect, it } from "vitest";
import { REFUSAL_REASONS, type RefusalReason, refusalStatus } from "../../src/model/decision.js";

/** Status, warn-code, seconds of Retry-After. */
const SAID: Readonly<Record<RefusalReason, readonly [number, number, number?]>> = {
  notAuthorised: [403, 399],
  rateLimited: [503, 399, 30],
  tokenInvalid: [403, 399],
  clearinghouseRefused: [403, 399],
  clearinghouseUnreachable: [503, 399, 10],
  mediaUnacceptable: [488, 399],
  mediaUnreadable: [488, 399],
  insecure: [488, 399],
  noRoom: [503, 370, 30],
  rateUnavailable: [580, 370],
  qualityUnavailable: [580, 399],
  routerUnavailable: [503, 399, 10],
  routerFailed: [503, 399, 10],
  policyUnavailable: [503, 399, 10],
};

describe("a refusal's SIP answer", () => {
  it.each(REFUSAL_REASONS)("of %s", (reason) => {
    const { status, warnCode, retryAfter } = refusalStatus(reason);
    expect([status, warnCode, ...(retryAfter === undefined ? [] : [retryAfter])]).toEqual(SAID[reason]);
  });

  it("says when to try again only where RFC 3261 §20.33 has it", () => {
    const told = REFUSAL_REASONS.map(refusalStatus).filter(({ retryAfter }) => retryAfter !== undefined);
    expect(new Set(told.map(({ status }) => status))).toEqual(new Set([503]));
  });
});

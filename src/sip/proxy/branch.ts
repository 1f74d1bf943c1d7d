/** Branches: unguessable, and able to tell a loop from a spiral (RFC 3261 §16.6 step 8, RFC 5393 §4.2). */
import { createHmac, randomBytes } from "node:crypto";
import type { SipRequest } from "../message/message.js";
import { MAGIC_COOKIE, type Via } from "../message/via.js";

/**
 * `z9hG4bK` + 16 random hex digits + `.` + 16 digits over what routing depends on. The second part is keyed, so that a
 * peer can neither read from it nor make it.
 */
export class BranchMaker {
  private readonly key: Buffer;
  private readonly random: (octets: number) => Buffer;

  constructor(random: (octets: number) => Buffer = randomBytes) {
    this.random = random;
    this.key = random(32);
  }

  /** @param received - the request as it came in, before any rewriting */
  make(received: SipRequest): string {
    return `${this.plain()}.${this.print(received)}`;
  }

  /** For requests that nobody sent us: CANCEL guards, BYE of our own. */
  plain(): string {
    return MAGIC_COOKIE + this.random(8).toString("hex");
  }

  tag(): string {
    return this.random(6).toString("hex");
  }

  /** For an ACK passed on without a transaction: equal for its retransmissions (§16.11). */
  stateless(received: SipRequest): string {
    const via = received.topVia?.raw ?? "";
    return `${MAGIC_COOKIE}${this.hash(`ack|${via}|${received.callId}`)}.${this.print(received)}`;
  }

  /** §16.3 step 4: the request was here before and nothing that decides its way has changed since. */
  isLoop(received: SipRequest, isOurs: (via: Via) => boolean): boolean {
    const ours = received.vias.filter(isOurs);
    if (ours.length === 0) return false;
    const print = this.print(received);
    return ours.some((via) => via.branch?.endsWith(`.${print}`) === true);
  }

  private print(request: SipRequest): string {
    const parts = [
      request.requestUri,
      request.fromTag,
      request.toTag,
      request.callId,
      request.cseq?.number,
      request.header("proxy-require"),
      ...request.routes,
    ];
    return this.hash(parts.join("\n"));
  }

  private hash(text: string): string {
    return createHmac("sha256", this.key).update(text, "latin1").digest("hex").slice(0, 16);
  }
}

/** Which responses of one INVITE were decided, so that a retransmission is not asked about again. */
import { createHash } from "node:crypto";
import type { SipResponse } from "../message/message.js";

export type Fate =
  | { readonly kind: "deciding" }
  /** As it was passed on, the policy's edits included. */
  | { readonly kind: "forwarded"; readonly message: SipResponse }
  /** A 2xx that we acknowledged and ended ourselves; `again` repeats the ACK. */
  | { readonly kind: "hungUp"; readonly again: () => void };

export class SeenResponses {
  private readonly fates = new Map<string, Fate>();
  private readonly limit: number;

  /** @param limit - different responses remembered; more are dropped */
  constructor(limit: number) {
    this.limit = limit;
  }

  find(response: SipResponse): Fate | undefined {
    return this.fates.get(identity(response));
  }

  /** False if there are too many. A 2xx always has room, since the call depends on it. */
  begin(response: SipResponse): boolean {
    if (this.fates.size >= this.limit * (response.status >= 200 ? 2 : 1)) return false;
    this.fates.set(identity(response), { kind: "deciding" });
    return true;
  }

  settle(response: SipResponse, fate: Fate): void {
    this.fates.set(identity(response), fate);
  }

  /** Its retransmission may try once more. */
  forget(response: SipResponse): void {
    this.fates.delete(identity(response));
  }
}

/** Equal for a retransmission. RSeq tells reliable provisionals apart (RFC 3262 §3), the body an early answer. */
function identity(response: SipResponse): string {
  const { status, body } = response;
  // A 2xx of one To tag has one meaning, whatever a careless agent changes in its retransmissions.
  if (status >= 200) return `${status}|${response.toTag ?? ""}`;
  const print = body.length === 0 ? "" : createHash("sha256").update(body).digest("base64");
  return `${status}|${response.toTag ?? ""}|${response.header("rseq") ?? ""}|${print}`;
}

/** What a message inside a dialog is in the exchange of offer and answer (RFC 3264 §4, RFC 3261 §13.2.1, §14). Pure. */
import type { SipMessage, SipRequest, SipResponse } from "../../sip/message/message.js";
import type { Offer, SessionRecord } from "../session-record.js";
import { descriptionOf } from "./message-reading.js";

export type MidDialog =
  | { readonly kind: "offer" }
  | { readonly kind: "answer"; readonly to: Offer }
  /** The open offer came to nothing. */
  | { readonly kind: "failure" }
  /** What is agreed, or open, stays as it is. */
  | { readonly kind: "nothing" };

const NOTHING: MidDialog = { kind: "nothing" };

/**
 * A request offers; so does the 2xx of an INVITE without a description, and then the ACK answers (§14.1, §14.2). That INVITE itself
 * is not shown to policy servers: an offer is known by the request that it belongs to.
 */
export function midDialog(
  message: SipMessage,
  { offer, reoffer }: Pick<SessionRecord, "offer" | "reoffer">,
  callerTag: string,
): MidDialog {
  const status = message.kind === "response" ? (message as SipResponse).status : undefined;
  const isAnswered = (to: Offer | undefined): to is Offer => to !== undefined && belongs(message, to, callerTag);
  const method = status === undefined ? (message as SipRequest).method : undefined;
  // RFC 3262 §5: where a reliable provisional offered, its PRACK answers; else it may offer anew.
  if (method === "PRACK" && !isAnswered(offer)) return { kind: "offer" };
  if (method !== undefined && method !== "PRACK" && method !== "ACK") return { kind: "offer" };
  if (status !== undefined && status >= 300) return isAnswered(reoffer) ? { kind: "failure" } : NOTHING;
  const isUpdate = message.cseq?.method === "UPDATE";
  if (descriptionOf(message) === undefined) {
    // RFC 4028 §7.4: a refresh need not carry an offer. An UPDATE's 2xx without a description answers none (RFC 3311 §5.2).
    return isAnswered(reoffer) && !isUpdate ? { kind: "answer", to: reoffer } : NOTHING;
  }
  // Said again after a synchronisation, it is the answer to what is in force.
  const to = [reoffer, offer].find(isAnswered);
  if (to !== undefined) return { kind: "answer", to };
  return status !== undefined && message.cseq?.method === "INVITE" ? { kind: "offer" } : NOTHING;
}

/** Whether the message is what comes to that offer: a response to the request with it, or the ACK or PRACK of the response with it. */
function belongs(message: SipMessage, { by, cseq }: Offer, callerTag: string): boolean {
  const isByRequester = (by === "caller") === (message.fromTag === callerTag);
  if (isByRequester !== (message.kind === "response")) return false;
  // RFC 3262 §7.2: RAck is the number of the provisional, and then that of its request.
  const rack = message.header("rack")?.trim().split(/\s+/)[1];
  const number = rack === undefined ? message.cseq?.number : Number(rack);
  return cseq === undefined || cseq === number;
}

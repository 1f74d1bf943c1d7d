/** Which transaction a message belongs to: RFC 3261 §17.1.3 and §17.2.3. */
import type { SipRequest, SipResponse } from "../message/message.js";
import { MAGIC_COOKIE, sentBy } from "../message/via.js";

/** Of the server transaction that the request makes or belongs to; an ACK belongs to its INVITE. */
export function serverKey(request: SipRequest, method: string = request.method): string {
  const via = request.topVia;
  const base = method === "ACK" ? "INVITE" : method;
  const branch = via?.branch;
  if (via !== undefined && branch?.startsWith(MAGIC_COOKIE)) return `${branch}|${sentBy(via)}|${base}`;
  // §17.2.3, RFC 2543 peers: Request-URI, From tag, Call-ID, CSeq number and top Via. The To tag is left out, since an
  // ACK carries one that its INVITE had not; two dialogs never share the rest.
  const parts = [request.requestUri, request.fromTag ?? "", request.callId, request.cseq?.number ?? 0, via?.raw ?? ""];
  return `2543|${parts.join("|")}|${base}`;
}

/** Of the client transaction: the branch that we made, and the method, since a CANCEL shares its INVITE's branch. */
export function clientKey(message: SipRequest | SipResponse): string {
  return `${message.topVia?.branch ?? ""}|${message.cseq?.method ?? ""}`;
}

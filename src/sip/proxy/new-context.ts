/** What is known of a session when its INVITE arrives. */
import type { SessionId } from "../../model/session.js";
import type { DialogContext } from "./policy.js";
import type { Arrival } from "./relay.js";
import type { Router } from "./routing.js";

export function newContext({ request, remote }: Arrival, session: SessionId, router: Router): DialogContext {
  return {
    session,
    callId: request.callId,
    callerTag: request.fromTag ?? "",
    calleeTag: undefined,
    side: router.isOursBy(router.preprocess(request).requestUri) ? "terminating" : "originating",
    caller: request.from?.uri ?? "",
    callee: request.requestUri,
    source: remote,
  };
}

/** How the policy is asked about the INVITE that makes a session, and about one inside it. */
import { responseTo } from "../message/build.js";
import type { SipRequest, SipResponse } from "../message/message.js";
import type { Call } from "./call.js";
import type { InviteRules } from "./invite-relay.js";

export function sessionRules(call: Call): InviteRules {
  const { policy } = call;
  return {
    makesDialog: true,
    request: (request) =>
      call.decide(
        () => policy.invite(call.context, request),
        (late) => {
          // The caller was refused meanwhile: what the policy has reserved must go again.
          if (late.forward) void call.decide(() => policy.ended(call.context, "timeout", responseTo(request, 503)));
        },
      ),
    response: (response) => call.decide(() => policy.response(call.context, response)),
    failure: async () => undefined,
    dropped: () => call.discard(),
    ended: (kind, message) => void call.end(kind, message),
  };
}

/** A re-INVITE: asked about if it, or its answer, carries an offer. */
export function reofferRules(call: Call, invite: SipRequest): InviteRules {
  const { policy } = call;
  const offered = invite.body.length > 0;
  let asked = false;
  let told = false;
  // RFC 3261 §14.1: a failed re-INVITE leaves the session as it was; the policy may have reserved for the new one.
  const failure = async (response: SipResponse): Promise<void> => {
    if (!asked || told) return;
    told = true;
    await call.decide(() => policy.reoffer(call.context, response));
  };
  return {
    makesDialog: false,
    request: async (request) => {
      if (!offered) return { forward: true };
      asked = true;
      return call.decide(() => policy.reoffer(call.context, request));
    },
    response: async (response) => {
      if (response.status < 200 || (!offered && response.body.length === 0)) return { forward: true };
      asked = true;
      return call.decide(() => policy.reoffer(call.context, response));
    },
    failure,
    dropped: () => undefined,
    ended: (_kind, message) => {
      const answer = message.kind === "response" ? (message as SipResponse) : responseTo(invite, 487);
      call.hold(() => failure(answer));
    },
  };
}

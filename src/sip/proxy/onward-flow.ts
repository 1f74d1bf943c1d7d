/** By which connection a request inside a dialog goes on. */
import type { SipRequest } from "../message/message.js";
import type { FlowId } from "../transport/transport.js";
import type { Call } from "./call.js";
import { otherParty } from "./dialog-legs.js";
import type { RelayHost } from "./relay.js";

/** That of the other party, if it is registered here: it may have come back by another one than the route set names. */
export function flowOnwards(host: RelayHost, call: Call | undefined, request: SipRequest): FlowId | undefined {
  if (call?.isOwn(request) !== true) return undefined;
  const party = otherParty(call.partyOf(request));
  return call.context.agents?.[party] === undefined ? undefined : host.flowTo(call.context, party);
}

/** By which way a request inside a dialog goes on. */
import type { SipRequest } from "../message/message.js";
import type { Call } from "./call.js";
import { otherParty } from "./dialog-legs.js";
import type { ForwardWish } from "./forwarder.js";
import type { RelayHost } from "./relay.js";

/**
 * To the other party. If that is registered here, by its connection: it may have come back by another one than the route
 * set names.
 * @param call - that the request makes, or is inside of
 */
export function onwards(
  host: RelayHost,
  call: Call | undefined,
  request: SipRequest,
): Pick<ForwardWish, "flow" | "leg"> {
  if (call === undefined) return {};
  const party = otherParty(call.partyOf(request));
  const { agents, legs } = call.context;
  return { flow: agents?.[party] === undefined ? undefined : host.flowTo(call.context, party), leg: legs?.[party] };
}

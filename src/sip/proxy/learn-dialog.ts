/** What the answers to an INVITE say of its dialog (RFC 3261 §12.1): the callee's tag, and how both parties are reached. */
import type { HostPort } from "../message/grammar.js";
import type { SipResponse } from "../message/message.js";
import type { Call } from "./call.js";
import { legsOf } from "./dialog-legs.js";
import type { Outgoing } from "./forwarder.js";
import { onlyFlowTo } from "./record-route.js";
import type { Arrival } from "./relay.js";

export interface InviteWay {
  readonly arrival: Arrival;
  readonly outgoing: Outgoing;
  /** True for a host and port at which this proxy listens. */
  readonly isSelf: (place: HostPort) => boolean;
}

/** @param answer - a provisional above 100, or a 2xx, to the INVITE that makes the session */
export function learnDialog(call: Call, answer: SipResponse, { arrival, outgoing, isSelf }: InviteWay): void {
  call.learnCallee(answer.toTag, answer.status >= 200);
  // Of several 2xx the first makes the session; of provisionals the latest counts until then.
  if (answer.toTag === undefined || call.context.calleeTag !== answer.toTag) return;
  const { request: invite, local: callerSide, remote: source } = arrival;
  const callerFlow = onlyFlowTo(invite, source);
  const { local: calleeSide, remote } = outgoing;
  const start = { invite, callerSide, callerFlow, accepted: answer, calleeSide, calleeFlow: remote.flow };
  const legs = legsOf(start, isSelf);
  if (legs !== undefined) call.context = { ...call.context, legs };
}

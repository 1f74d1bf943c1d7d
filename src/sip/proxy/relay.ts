/** What a relay of one request needs from the proxy that makes it. */
import type { Clock } from "../../model/clock.js";
import type { Logger } from "../../model/log.js";
import { responseTo } from "../message/build.js";
import type { HostPort } from "../message/grammar.js";
import type { SipRequest, SipResponse } from "../message/message.js";
import type { SipTimers } from "../transaction/timers.js";
import type { TransactionLayer } from "../transaction/transaction-layer.js";
import type { Destination, FlowId, LocalPoint } from "../transport/transport.js";
import type { BranchMaker } from "./branch.js";
import type { DialogParty } from "./dialog-legs.js";
import type { Forwarder } from "./forwarder.js";
import type { ProxyLimits } from "./options.js";
import type { DialogAgent, DialogContext, RefusedVerdict } from "./policy.js";
import type { Located } from "./user-services.js";
import type { Wire } from "./wire.js";

export interface RelayHost {
  readonly layer: TransactionLayer;
  readonly wire: Wire;
  readonly forwarder: Forwarder;
  readonly branches: BranchMaker;
  readonly clock: Clock;
  readonly timers: SipTimers;
  readonly limits: ProxyLimits;
  readonly logger: Logger;
  /** True for a host and port at which this proxy listens. */
  isSelf(place: HostPort): boolean;
  /** True for a URI of a domain of this proxy, or of itself. */
  isOurs(uri: string): boolean;
  /** Whom a request outside a dialog is really for, if there is anybody to ask. */
  locate(request: SipRequest): Promise<Located> | undefined;
  /** Which registered agent is at the other end of a connection. */
  agentOn(
    flow: FlowId | undefined,
    who: { readonly from?: string; readonly contact?: string },
  ): DialogAgent | undefined;
  /** The connection by which a party of a dialog is reached now, if by any. */
  flowTo(context: DialogContext, party: DialogParty): FlowId | undefined;
}

/** A request on its way in: as received (stamped), and the local address that it came to. */
export interface Arrival {
  readonly request: SipRequest;
  readonly local: LocalPoint;
  readonly remote: Destination;
}

/** The answer to `request` that a refusal, or an unroutable target, amounts to. */
export function refusalTo(
  request: SipRequest,
  refusal: Omit<RefusedVerdict, "forward">,
  branches: BranchMaker,
): SipResponse {
  const { status, phrase } = refusal;
  // A status that is no failure would tell the caller that there is a call.
  const failure = Number.isInteger(status) && status >= 300 && status <= 699 ? status : 500;
  return responseTo(request, failure, { phrase, headers: refusal.headers ?? [], toTag: branches.tag() });
}

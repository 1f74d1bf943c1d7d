/**
 * The two legs of a dialog as the proxy in its middle sees them: enough to end it at each party in the name of the
 * other (RFC 3261 §12). Pure.
 */
import type { ExtraHeader } from "../message/build.js";
import { makeHeaderLine } from "../message/header-line.js";
import { SipRequest, type SipResponse } from "../message/message.js";
import { parseNameAddr, parseSipUri, type SipUri } from "../message/uri.js";
import type { SocketAddress } from "../transport/transport.js";

export type DialogParty = "caller" | "callee";

export interface DialogLeg {
  /** Where the party wants requests: the URI of the Contact that it gave last. */
  readonly target: string;
  /** What lies between this proxy and the party, the nearest first. */
  readonly routes: readonly string[];
  /** The address of this proxy that faces the party. */
  readonly local: SocketAddress;
  /** The highest CSeq number that went to the party in the other's name; 0 if none did. */
  readonly cseq: number;
  /** The party's From or To, tag included. */
  readonly name: string;
}

export type DialogLegs = Readonly<Record<DialogParty, DialogLeg>>;

/** Between the last number that this proxy remembers and its own: a restarted one has forgotten the latest (§12.2.2). */
const CSEQ_GAP = 100;
const CSEQ_MAX = 2 ** 31 - 1;

export const otherParty = (party: DialogParty): DialogParty => (party === "caller" ? "callee" : "caller");

export interface DialogStart {
  /** The INVITE as it came, and the address that it came to. */
  readonly invite: SipRequest;
  readonly callerSide: SocketAddress;
  /** The 2xx as it came, and the address that the INVITE left from. */
  readonly accepted: SipResponse;
  readonly calleeSide: SocketAddress;
}

/** Legs of the dialog that a 2xx makes; undefined if a party gave no Contact. */
export function legsOf(start: DialogStart, isSelf: (uri: SipUri) => boolean): DialogLegs | undefined {
  const { invite, callerSide, accepted, calleeSide } = start;
  const [caller, callee] = [invite.contact?.uri, accepted.contact?.uri];
  const [from, to] = [invite.header("from"), accepted.header("to")];
  if (caller === undefined || callee === undefined || from === undefined || to === undefined) return undefined;
  const number = invite.cseq?.number ?? 0;
  return {
    // §12.1.1: the callee's route set is the Record-Route as it arrives. Of it, this lies between the caller and here.
    caller: { target: caller, routes: invite.recordRoutes, local: callerSide, cseq: 0, name: from },
    callee: { target: callee, routes: routesBeyond(accepted, isSelf), local: calleeSide, cseq: number, name: to },
  };
}

/**
 * The caller's route set is the 2xx's Record-Route in reverse (§12.1.2); the part after this proxy's own entry is what
 * lies between it and the callee.
 */
export function routesBeyond(accepted: SipResponse, isSelf: (uri: SipUri) => boolean): string[] {
  const routes = accepted.recordRoutes.toReversed();
  const isOurs = (route: string): boolean => {
    const uri = routeUri(route);
    return uri !== undefined && isSelf(uri);
  };
  return routes.slice(routes.findLastIndex(isOurs) + 1);
}

/** The URI of an entry of Route or Record-Route. */
export const routeUri = (route: string): SipUri | undefined => parseSipUri(parseNameAddr(route)?.uri ?? route);

/** A request from `from` passes inside the dialog. */
export function withRequest(legs: DialogLegs, from: DialogParty, request: SipRequest): DialogLegs {
  const to = otherParty(from);
  const number = request.cseq?.number ?? 0;
  return number <= legs[to].cseq ? legs : { ...legs, [to]: { ...legs[to], cseq: number } };
}

/** §12.2.1.2, §12.2.2: a 2xx to re-INVITE or UPDATE of `from` says where both want requests from now on. */
export function withRefresh(
  legs: DialogLegs,
  from: DialogParty,
  { request, accepted }: { readonly request: SipRequest; readonly accepted: SipResponse },
): DialogLegs {
  const to = otherParty(from);
  return {
    ...legs,
    [from]: { ...legs[from], target: request.contact?.uri ?? legs[from].target },
    [to]: { ...legs[to], target: accepted.contact?.uri ?? legs[to].target },
  };
}

/** A BYE to `party` in the other's name (§12.2.1.1, §15.1.1), as if it had just arrived here: without Via. */
export function byeTo(
  legs: DialogLegs,
  party: DialogParty,
  { callId, headers }: { readonly callId: string; readonly headers: readonly ExtraHeader[] },
): SipRequest {
  const { target, routes, cseq, name } = legs[party];
  const number = Math.min(cseq + CSEQ_GAP, CSEQ_MAX);
  const lines = [
    ...routes.map((route) => makeHeaderLine("Route", route)),
    makeHeaderLine("From", legs[otherParty(party)].name),
    makeHeaderLine("To", name),
    makeHeaderLine("Call-ID", callId),
    makeHeaderLine("CSeq", `${number} BYE`),
    ...headers.map((header) => makeHeaderLine(header.name, header.value)),
    makeHeaderLine("Content-Length", "0"),
  ];
  return new SipRequest(`BYE ${target} SIP/2.0`, lines, Buffer.alloc(0));
}

/**
 * The two legs of a dialog as the proxy in its middle sees them: enough to end it at each party in the name of the
 * other (RFC 3261 §12). Pure.
 */
import type { ExtraHeader } from "../message/build.js";
import { makeHeaderLine } from "../message/header-line.js";
import { SipRequest, type SipResponse } from "../message/message.js";
import { parseNameAddr, parseSipUri, type SipUri } from "../message/uri.js";
import type { FlowId, LocalPoint } from "../transport/transport.js";
import { type Hop, hopOf } from "./hop.js";

export type DialogParty = "caller" | "callee";

export interface DialogLeg {
  /** Where the party wants requests: the URI of the Contact that it gave last. */
  readonly target: string;
  /** What lies between this proxy and the party, the nearest first. */
  readonly routes: readonly string[];
  /** The address of this proxy that faces the party. */
  readonly local: LocalPoint;
  /** The connection that alone leads to the party. */
  readonly flow?: FlowId | undefined;
  /** The highest CSeq number that went to the party in the other's name; 0 if none did. */
  readonly cseq: number;
  /** The party's From or To, tag included. */
  readonly name: string;
}

export type DialogLegs = Readonly<Record<DialogParty, DialogLeg>>;

/** Between the last number that this proxy remembers and its own: a restarted one has forgotten the latest (§12.2.2). */
const CSEQ_GAP = 100;
/** Of a dialog whose requests do not pass: the parties count on among themselves. */
const UNSEEN_GAP = 1_000_000;
const CSEQ_MAX = 2 ** 31 - 1;

export const otherParty = (party: DialogParty): DialogParty => (party === "caller" ? "callee" : "caller");

export interface DialogStart {
  /** The INVITE as it came, and the address that it came to. */
  readonly invite: SipRequest;
  readonly callerSide: LocalPoint;
  readonly callerFlow?: FlowId | undefined;
  /** The 2xx as it came, and the address that the INVITE left from. */
  readonly accepted: SipResponse;
  readonly calleeSide: LocalPoint;
  readonly calleeFlow?: FlowId | undefined;
}

/** Legs of the dialog that a 2xx makes; undefined if a party gave no Contact. */
export function legsOf(start: DialogStart, isSelf: (uri: SipUri) => boolean): DialogLegs | undefined {
  const { invite, callerSide, callerFlow, accepted, calleeSide, calleeFlow } = start;
  const before = invite.recordRoutes.length;
  const [caller, callee] = [invite.contact?.uri, accepted.contact?.uri];
  const [from, to] = [invite.header("from"), accepted.header("to")];
  if (caller === undefined || callee === undefined || from === undefined || to === undefined) return undefined;
  const number = invite.cseq?.number ?? 0;
  return {
    // §12.1.1: the callee's route set is the Record-Route as it arrives. Of it, this lies between the caller and here.
    caller: { target: caller, routes: invite.recordRoutes, local: callerSide, flow: callerFlow, cseq: 0, name: from },
    callee: {
      target: callee,
      routes: routesBeyond(accepted, { before, isSelf }),
      local: calleeSide,
      flow: calleeFlow,
      cseq: number,
      name: to,
    },
  };
}

/**
 * The caller's route set is the 2xx's Record-Route in reverse (§12.1.2); the part after this proxy's own entry is what
 * lies between it and the callee. Without an entry of its own it is the part after the `before` entries that the INVITE had
 * when it came here.
 */
export function routesBeyond(
  accepted: SipResponse,
  { before, isSelf }: { readonly before: number; readonly isSelf: (uri: SipUri) => boolean },
): string[] {
  const routes = accepted.recordRoutes.toReversed();
  const isOurs = (route: string): boolean => {
    const uri = routeUri(route);
    return uri !== undefined && isSelf(uri);
  };
  const last = routes.findLastIndex(isOurs);
  return routes.slice(last < 0 ? before : last + 1);
}

/** The URI of an entry of Route or Record-Route. */
export const routeUri = (route: string): SipUri | undefined => parseSipUri(parseNameAddr(route)?.uri ?? route);

/** Where a request to the leg's party may go next (§16.12): to the first of its routes, or to its Contact. */
export const hopsTowards = ({ routes, target }: DialogLeg): readonly Hop[] =>
  [...routes.slice(0, 1), target].flatMap((text) => {
    const uri = routeUri(text);
    return (uri && hopOf(uri)) ?? [];
  });

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

export interface ByeParts {
  readonly callId: string;
  readonly headers: readonly ExtraHeader[];
  /** The dialog's requests have not passed here. */
  readonly isDirect?: boolean;
}

/** A BYE to `party` in the other's name (§12.2.1.1, §15.1.1), as if it had just arrived here: without Via. */
export function byeTo(legs: DialogLegs, party: DialogParty, { callId, headers, isDirect }: ByeParts): SipRequest {
  const { target, routes, cseq, name } = legs[party];
  const number = Math.min(cseq + (isDirect === true ? UNSEEN_GAP : CSEQ_GAP), CSEQ_MAX);
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

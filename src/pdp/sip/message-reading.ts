/** From a SIP message that a proxy sent along to what the session service works with. Pure. */
import { domainOf } from "../../model/address-of-record.js";
import type { Refusal } from "../../model/decision.js";
import { DecodeError } from "../../model/errors.js";
import { parseAddress } from "../../model/ip.js";
import { type SessionSide, sessionIdOf } from "../../model/session.js";
import type { SipMessage, SipRequest, SipResponse } from "../../sip/message/message.js";
import { parseMessage } from "../../sip/message/parse.js";
import { type NameAddr, parseSipUri } from "../../sip/message/uri.js";
import type { SessionAnswerFacts, SessionAttemptFacts } from "../session-facts.js";
import type { Offer } from "../session-record.js";
import {
  askedFlow,
  installableFlow,
  type MediaRules,
  placesOf,
  type Reading,
  readFlows,
  refuse,
} from "./described-flows.js";

export interface ReadingRules extends MediaRules {
  /** Users of this domain are ours. */
  readonly domain: string;
}

/** Carries the OSP token from domain to domain (draft-johnston-sip-osp-token). */
export const TOKEN_HEADER = "P-OSP-Auth-Token";
/** base64 of the longest token that is looked at. */
const TOKEN_LIMIT = 8192;

/** @throws DecodeError if the octets are no SIP message */
export function readMessage(octets: Buffer): SipMessage {
  const parsed = parseMessage(octets);
  if (parsed.kind === "request") return parsed.request;
  if (parsed.kind === "response") return parsed.response;
  throw new DecodeError("SIP_EMPTY", "no SIP message", { offset: 0, object: "Signaled ClientSI" });
}

/** As far as an INVITE could be read: whom a refusal is about, so that it can be explained. */
export type InviteReading =
  | { readonly ok: true; readonly value: SessionAttemptFacts }
  | { readonly ok: false; readonly refusal: Refusal; readonly about?: SessionAttemptFacts };

export function readInvite(invite: SipRequest, peer: string, rules: ReadingRules): InviteReading {
  const caller = addressOfRecord(invite.from);
  const callee = uriAddress(invite.requestUri);
  const fromTag = invite.fromTag;
  if (caller === undefined || callee === undefined || fromTag === undefined || invite.callId === "") {
    return refuse("mediaUnreadable", "From or Request-URI is not a SIP address");
  }
  const side: SessionSide = domainOf(callee) === rules.domain ? "terminating" : "originating";
  const offer = offerOf(invite, fromTag);
  const flows = offer === undefined ? undefined : readFlows(offer, undefined, { rules, side });
  const read = flows?.ok === true ? flows.value : [];
  const facts: SessionAttemptFacts = {
    id: sessionIdOf(invite.callId, fromTag),
    callId: invite.callId,
    peer,
    side,
    caller,
    callee,
    offer,
    media: [...new Set(read.map(({ media }) => media))],
    flows: read.map((flow) => askedFlow(flow, side)),
    places: offer === undefined || flows?.ok !== true ? undefined : placesOf(offer, side),
    token: invite.header(TOKEN_HEADER)?.slice(0, TOKEN_LIMIT),
  };
  return flows?.ok === false ? { ...flows, about: facts } : { ok: true, value: facts };
}

/** What is agreed, or still open, when `response` (or the ACK) came to an INVITE. */
export function readAnswer(
  message: SipMessage,
  state: { readonly offer: Offer | undefined; readonly reoffer: Offer | undefined; readonly side: SessionSide },
  rules: ReadingRules,
): Reading<SessionAnswerFacts> {
  const final = isFinal(message);
  const body = descriptionOf(message);
  const offer = state.reoffer ?? state.offer;
  const context = { rules, side: state.side, answerer: answererAddress(message) };
  if (offer === undefined) {
    // RFC 3261 §13.2.1: an INVITE without an offer gets it in the answer, and answers it in the ACK.
    const made = offerOf(message, message.fromTag);
    // The Contact of this message is that of who offers: where the answer's media will be is not known yet.
    const flows = made === undefined ? undefined : readFlows(made, undefined, { rules, side: state.side });
    if (flows !== undefined && !flows.ok) return flows;
    const pending = (flows?.value ?? []).map((flow) => askedFlow(flow, state.side));
    return { ok: true, value: { flows: [], pending, final, offers: { offer: made, reoffer: undefined } } };
  }
  const flows = readFlows(offer, body, context);
  if (!flows.ok) return flows;
  const found = flows.value.map((flow) => ({ flow, installable: installableFlow(flow, state.side) }));
  const { reoffer } = state;
  return {
    ok: true,
    value: {
      flows: found.flatMap(({ installable }) => installable ?? []),
      pending: found.filter((each) => each.installable === undefined).map(({ flow }) => askedFlow(flow, state.side)),
      final,
      offers:
        body === undefined
          ? { offer: state.offer, reoffer }
          : { offer: { ...offer, answered: true }, reoffer: undefined },
    },
  };
}

/**
 * Whether the parties are told by it what they were granted: a 2xx to the INVITE or to a request in its dialog, or a reliable
 * provisional with a description, which is the answer as much as if the 2xx had it (RFC 3262 §5). Parties that wait for
 * their networks before anybody is alerted (RFC 3312) need it then.
 */
export function tellsGrants(message: SipMessage): boolean {
  if (message.kind !== "response" || message.cseq?.method === "BYE") return false;
  const { status } = message as SipResponse;
  if (status >= 200) return status < 300;
  return status > 100 && message.header("rseq") !== undefined && descriptionOf(message) !== undefined;
}

/** Answers to PRACK and UPDATE come before the callee has answered as well. */
function isFinal(message: SipMessage): boolean {
  const method = message.cseq?.method;
  return method === "ACK" || (method === "INVITE" && (message as SipResponse).status >= 200);
}

/** An offer inside the dialog, in a request or in its 2xx, and the most that it may come to. */
export function readReoffer(
  message: SipMessage,
  { callerTag, side }: { readonly callerTag: string; readonly side: SessionSide },
  rules: ReadingRules,
): Reading<{ readonly offer: Offer; readonly flows: SessionAttemptFacts["flows"] } | undefined> {
  const offer = offerOf(message, callerTag);
  if (offer === undefined) return { ok: true, value: undefined };
  const flows = readFlows(offer, undefined, { rules, side });
  if (!flows.ok) return flows;
  return { ok: true, value: { offer, flows: flows.value.map((flow) => askedFlow(flow, side)) } };
}

function offerOf(message: SipMessage, callerTag: string | undefined): Offer | undefined {
  const sdp = descriptionOf(message);
  if (sdp === undefined) return undefined;
  const sender = message.kind === "response" ? message.toTag : message.fromTag;
  const cseq = message.cseq === undefined ? {} : { cseq: message.cseq.number };
  return { by: sender === callerTag ? "caller" : "callee", sdp, ...cseq };
}

/** The session description that a message carries, latin1. */
export function descriptionOf(message: SipMessage): string | undefined {
  const isSdp = message.contentType?.toLowerCase() === "application/sdp";
  return isSdp && message.body.length > 0 ? message.body.toString("latin1") : undefined;
}

/** Where the answerer's media will most likely come from: the address of its Contact. */
function answererAddress(message: SipMessage): string | undefined {
  const host = message.contact === undefined ? undefined : parseSipUri(message.contact.uri)?.host;
  return host === undefined ? undefined : parseAddress(host);
}

function addressOfRecord(party: NameAddr | undefined): string | undefined {
  return party === undefined ? undefined : uriAddress(party.uri);
}

/** `user@domain`, lower case. */
function uriAddress(text: string): string | undefined {
  const uri = parseSipUri(text);
  return uri?.user === undefined ? undefined : `${uri.user}@${uri.host}`.toLowerCase();
}

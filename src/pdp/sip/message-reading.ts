/** From a SIP message that a proxy sent along to what the session service works with. Pure. */
import { domainOf } from "../../model/address-of-record.js";
import type { Refusal, RefusalReason } from "../../model/decision.js";
import { DecodeError } from "../../model/errors.js";
import type { FlowDirection } from "../../model/flow.js";
import { type IpAddress, type IpPrefix, parseAddress, prefixContains } from "../../model/ip.js";
import { type SessionSide, sessionIdOf } from "../../model/session.js";
import type { SipMessage, SipRequest, SipResponse } from "../../sip/message/message.js";
import { parseMessage } from "../../sip/message/parse.js";
import { type NameAddr, parseSipUri } from "../../sip/message/uri.js";
import type { SessionDescription } from "../../sip/sdp/description.js";
import { flowsOf, type MediaFlow, type Party } from "../../sip/sdp/flows.js";
import { mediaPlace } from "../../sip/sdp/places.js";
import { readSdp } from "../../sip/sdp/reader.js";
import type { AskedFlow, FlowAsk } from "../negotiation/flow-ask.js";
import type { AnsweredFlow, SessionAnswerFacts, SessionAttemptFacts } from "../session-facts.js";
import type { Offer } from "../session-record.js";

export interface ReadingRules {
  /** Users of this domain are ours. */
  readonly domain: string;
  /** Media of our side must come from and go to here. */
  readonly prefixes: readonly IpPrefix[];
  readonly symmetric: boolean;
}

export type Reading<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly refusal: Refusal };

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
    flows: read.map((flow) => reservation(flow, side)),
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
  const final = message.kind !== "response" || (message as SipResponse).status >= 200;
  const body = sdpOf(message);
  const offer = state.reoffer ?? state.offer;
  const context = { rules, side: state.side, answerer: answererAddress(message) };
  if (offer === undefined) {
    // RFC 3261 §13.2.1: an INVITE without an offer gets it in the answer, and answers it in the ACK.
    const made: Offer | undefined = body === undefined ? undefined : { by: "callee", sdp: body };
    // The Contact of this message is that of who offers: where the answer's media will be is not known yet.
    const flows = made === undefined ? undefined : readFlows(made, undefined, { rules, side: state.side });
    if (flows !== undefined && !flows.ok) return flows;
    const pending = (flows?.value ?? []).map((flow) => reservation(flow, state.side));
    return { ok: true, value: { flows: [], pending, final, offers: { offer: made, reoffer: undefined } } };
  }
  const flows = readFlows(offer, body, context);
  if (!flows.ok) return flows;
  const installable = flows.value.flatMap((flow) => sessionFlow(flow, state.side));
  const pending = flows.value.filter((flow) => sessionFlow(flow, state.side).length === 0);
  const offers = body === undefined ? state : { offer, reoffer: undefined };
  return {
    ok: true,
    value: {
      flows: installable,
      pending: pending.map((flow) => reservation(flow, state.side)),
      final,
      offers: { offer: offers.offer, reoffer: offers.reoffer },
    },
  };
}

/** An offer inside the dialog, and the most that it may come to. */
export function readReoffer(
  message: SipMessage,
  { callerTag, side }: { readonly callerTag: string; readonly side: SessionSide },
  rules: ReadingRules,
): Reading<{ readonly offer: Offer; readonly flows: SessionAttemptFacts["flows"] } | undefined> {
  const offer = offerOf(message, callerTag);
  if (offer === undefined) return { ok: true, value: undefined };
  const flows = readFlows(offer, undefined, { rules, side });
  if (!flows.ok) return flows;
  return { ok: true, value: { offer, flows: flows.value.map((flow) => reservation(flow, side)) } };
}

function offerOf(message: SipMessage, callerTag: string): Offer | undefined {
  const sdp = sdpOf(message);
  return sdp === undefined ? undefined : { by: message.fromTag === callerTag ? "caller" : "callee", sdp };
}

function sdpOf(message: SipMessage): string | undefined {
  const isSdp = message.contentType?.toLowerCase() === "application/sdp";
  return isSdp && message.body.length > 0 ? message.body.toString("latin1") : undefined;
}

interface FlowContext {
  readonly rules: ReadingRules;
  readonly side: SessionSide;
  readonly answerer?: string | undefined;
}

function readFlows(offer: Offer, answer: string | undefined, context: FlowContext): Reading<readonly MediaFlow[]> {
  const { rules, side, answerer } = context;
  let described: { readonly offer: SessionDescription; readonly answer: SessionDescription | undefined };
  try {
    const read = (sdp: string) => readSdp(Buffer.from(sdp, "latin1"));
    described = { offer: read(offer.sdp), answer: answer === undefined ? undefined : read(answer) };
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return refuse("mediaUnreadable", `session description: ${error.message}`);
  }
  const result = flowsOf(described.offer, described.answer, {
    offerer: offer.by,
    symmetric: rules.symmetric,
    ...(answerer === undefined ? {} : { answererAddress: answerer }),
  });
  if (result.kind === "unusable") {
    return refuse(result.reason === "insecure" ? "insecure" : "mediaUnacceptable", result.text);
  }
  const own = offer.by === localParty(side) ? described.offer : described.answer;
  const stray = own === undefined ? undefined : strayAddress(own, rules);
  if (stray !== undefined) return refuse("mediaUnacceptable", `media address ${stray} is not in this access network`);
  return { ok: true, value: result.flows };
}

const localParty = (side: SessionSide): Party => (side === "originating" ? "caller" : "callee");

const directionOf = (flow: MediaFlow, side: SessionSide): FlowDirection =>
  flow.toward === localParty(side) ? "down" : "up";

/** Nobody gets a class for packets of somebody else's network: the first address that our side named and is not ours. */
function strayAddress(own: SessionDescription, { prefixes }: ReadingRules): string | undefined {
  return namedAddresses(own).find((address) => !prefixes.some((prefix) => prefixContains(prefix, address)));
}

/** Where a party receives media, in the order of its description. */
function namedAddresses(description: SessionDescription): readonly IpAddress[] {
  const media = description.media.filter(({ port }) => port !== 0);
  return media.flatMap((medium) => {
    const place = mediaPlace(description, medium);
    if (place.kind !== "place") return [];
    return [place.address, place.rtcpAddress].filter((address) => address !== undefined);
  });
}

const reservation = (flow: MediaFlow, side: SessionSide): AskedFlow => ({
  direction: directionOf(flow, side),
  traffic: flow.traffic,
  key: flow.key,
  ask: askOf(flow),
});

const askOf = ({ index, shared, media, component, sessionClass, need, least, security }: MediaFlow): FlowAsk => ({
  index,
  shared,
  media,
  isControl: component === "rtcp",
  sessionClass,
  need,
  least,
  security,
});

/** Where the offering party's first medium is. @param offer - one that could be read */
function placesOf(offer: Offer, side: SessionSide): SessionAttemptFacts["places"] {
  const description = readSdp(Buffer.from(offer.sdp, "latin1"));
  const address = namedAddresses(description)[0];
  if (address === undefined) return undefined;
  return offer.by === localParty(side) ? { local: address } : { far: address };
}

function sessionFlow(flow: MediaFlow, side: SessionSide): AnsweredFlow[] {
  if (flow.key === undefined || flow.gate === "closed") return [];
  const { key, component, traffic } = flow;
  return [{ key, component, direction: directionOf(flow, side), traffic, ask: askOf(flow) }];
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

const refuse = (reason: RefusalReason, text: string): { readonly ok: false; readonly refusal: Refusal } => ({
  ok: false,
  refusal: { admitted: false, reason, text },
});

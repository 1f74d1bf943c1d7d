/** From an offer, and the answer if there is one, to flows as a session asks for them. Pure. */
import type { Refusal, RefusalReason } from "../../model/decision.js";
import { DecodeError } from "../../model/errors.js";
import type { FlowDirection } from "../../model/flow.js";
import { type IpAddress, type IpPrefix, prefixContains } from "../../model/ip.js";
import type { SessionSide } from "../../model/session.js";
import type { SessionDescription } from "../../sip/sdp/description.js";
import { flowsOf, type MediaFlow, type Party } from "../../sip/sdp/flows.js";
import { mediaPlace } from "../../sip/sdp/places.js";
import { readSdp } from "../../sip/sdp/reader.js";
import type { AskedFlow, FlowAsk } from "../negotiation/flow-ask.js";
import type { AnsweredFlow, SessionAttemptFacts } from "../session-facts.js";
import type { Offer } from "../session-record.js";

/** What media of our side are held against. */
export interface MediaRules {
  /** Media of our side must come from and go to here. */
  readonly prefixes: readonly IpPrefix[];
  readonly symmetric: boolean;
}

export type Reading<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly refusal: Refusal };

export interface FlowContext {
  readonly rules: MediaRules;
  readonly side: SessionSide;
  /** Address that the answerer's media will probably come from. */
  readonly answerer?: IpAddress | undefined;
}

/** Refuses what cannot be read, cannot be enforced, or names addresses of somebody else's network as its own. */
export function readFlows(
  offer: Offer,
  answer: string | undefined,
  context: FlowContext,
): Reading<readonly MediaFlow[]> {
  const { rules, side, answerer } = context;
  let described: { readonly offer: SessionDescription; readonly answer: SessionDescription | undefined };
  try {
    described = { offer: readOffer(offer), answer: answer === undefined ? undefined : readText(answer) };
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

const readText = (sdp: string): SessionDescription => readSdp(Buffer.from(sdp, "latin1"));

/** An offer is looked at when it is made, and soon again with its answer. */
const OFFERS_KEPT = 64;
const offersRead = new Map<string, SessionDescription>();

/** @throws DecodeError */
function readOffer({ sdp }: Offer): SessionDescription {
  const known = offersRead.get(sdp);
  if (known !== undefined) return known;
  const description = readText(sdp);
  offersRead.set(sdp, description);
  const [oldest] = offersRead.keys();
  if (offersRead.size > OFFERS_KEPT && oldest !== undefined) offersRead.delete(oldest);
  return description;
}

const localParty = (side: SessionSide): Party => (side === "originating" ? "caller" : "callee");

const directionOf = (flow: MediaFlow, side: SessionSide): FlowDirection =>
  flow.toward === localParty(side) ? "down" : "up";

/** Nobody gets a class for packets of somebody else's network: the first address that our side named and is not ours. */
function strayAddress(own: SessionDescription, { prefixes }: MediaRules): string | undefined {
  const addresses = [...new Set(namedAddresses(own))];
  return addresses.find((address) => !prefixes.some((prefix) => prefixContains(prefix, address)));
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

export const askedFlow = (flow: MediaFlow, side: SessionSide): AskedFlow => ({
  direction: directionOf(flow, side),
  traffic: flow.traffic,
  key: flow.key,
  ask: askOf(flow, side),
});

function askOf({ component, mandatory, ...flow }: MediaFlow, side: SessionSide): FlowAsk {
  const { index, shared, media, sessionClass, need, least, security } = flow;
  const isMandatory = mandatory?.includes(localParty(side)) === true;
  const isControl = component === "rtcp";
  return { index, shared, media, isControl, sessionClass, need, least, mandatory: isMandatory, security };
}

/** Where the offering party's first medium is. @param offer - one that could be read */
export function placesOf(offer: Offer, side: SessionSide): SessionAttemptFacts["places"] {
  const address = namedAddresses(readOffer(offer))[0];
  if (address === undefined) return undefined;
  return offer.by === localParty(side) ? { local: address } : { far: address };
}

/** Undefined for what is reserved and not let through: its place is not known yet, or its gate is closed. */
export function installableFlow(flow: MediaFlow, side: SessionSide): AnsweredFlow | undefined {
  const { key, component, traffic, gate } = flow;
  if (key === undefined || gate === "closed") return undefined;
  return { key, component, direction: directionOf(flow, side), traffic, ask: askOf(flow, side) };
}

export const refuse = (reason: RefusalReason, text: string): { readonly ok: false; readonly refusal: Refusal } => ({
  ok: false,
  refusal: { admitted: false, reason, text },
});

/** From an offer and its answer to the unidirectional flows of the session (RFC 3264, 3605, 5761). */
import type { FlowKey, TrafficSpec } from "../../model/flow.js";
import { familyOf, type IpAddress, type IpFamily } from "../../model/ip.js";
import { withTransports } from "./bundle.js";
import { mainCodecs } from "./codecs.js";
import type { SdpBandwidth, SdpCodec, SdpMedia, SessionDescription } from "./description.js";
import type { MediaFlow, Party } from "./media-flow.js";
import { merged } from "./merged-flows.js";
import { mediaPlace, type Place, type Unusable, unusable } from "./places.js";
import { mandatoryNetworks } from "./quality/mandatory.js";
import { type MediumQuality, mediumQuality } from "./quality/medium.js";
import { type MediaReservation, mediaReservation } from "./quality/reservation.js";
import { addTraffic, rtcpTraffic } from "./rates.js";

export type { MediaFlow, Party } from "./media-flow.js";

export interface FlowOptions {
  /** Whose description the offer is: `callee` for an offer in the 2xx, or a re-INVITE of the callee. */
  readonly offerer?: Party;
  /** Media is sent from the port that it is received on (RFC 4961). If false source ports are any. */
  readonly symmetric?: boolean;
  /** Address that the answerer's media will probably come from, while there is no answer. */
  readonly answererAddress?: IpAddress;
  /** bit/s of a video or data medium without b=. */
  readonly unstatedRate?: number;
}

export type FlowsResult =
  | { readonly kind: "flows"; readonly flows: readonly MediaFlow[] }
  /** Readable, but nothing that could be enforced. */
  | Unusable;

const UNSTATED_RATE = 1_000_000;

/** One medium with both its descriptions. */
interface Pair {
  readonly index: number;
  readonly offered: SdpMedia;
  readonly offeredPlace: Place;
  readonly answered: SdpMedia | undefined;
  readonly answeredPlace: Place | undefined;
  readonly offer: SessionDescription;
  readonly answer: SessionDescription | undefined;
  readonly quality: MediumQuality;
}

/** All flows of both directions. Rejected media (port 0) have none; equal 5-tuples are summed up. */
export function flowsOf(
  offer: SessionDescription,
  answer: SessionDescription | undefined,
  options: FlowOptions = {},
): FlowsResult {
  // RFC 3264 §6: the answer has as many m= lines as the offer.
  if (answer !== undefined && answer.media.length !== offer.media.length) {
    return unusable("answerMismatch", `the answer has ${answer.media.length} media, the offer ${offer.media.length}`);
  }
  const exchange = withTransports({ offer, answer });
  const flows: MediaFlow[] = [];
  for (const [index, offered] of exchange.offer.media.entries()) {
    const answered = exchange.answer?.media[index];
    // RFC 3264 §5.1, §6: port 0 is no offer, or a refusal of it.
    if (offered.port === 0 || answered?.port === 0) continue;
    const found = mediumFlows({ index, offered, answered, ...exchange }, options);
    if ("kind" in found) return found;
    flows.push(...found);
  }
  return { kind: "flows", flows: merged(flows) };
}

type Found = Pick<Pair, "index" | "offered" | "answered" | "offer" | "answer">;

function mediumFlows(found: Found, options: FlowOptions): MediaFlow[] | Unusable {
  const { offer, offered, answer, answered } = found;
  const quality = mediumQuality(found);
  if (quality.kind === "unusable") return quality;
  if (!isDatagram(offered)) return [];
  const offeredPlace = mediaPlace(offer, offered);
  const answeredPlace = answer === undefined || answered === undefined ? undefined : mediaPlace(answer, answered);
  if (offeredPlace.kind === "unusable") return offeredPlace;
  if (answeredPlace?.kind === "unusable") return answeredPlace;
  const mismatch = answeredPlace?.family !== undefined && answeredPlace.family !== offeredPlace.family;
  if (mismatch) return unusable("familyMismatch", "media between IPv4 and IPv6");
  return flowsOfPair({ ...found, offeredPlace, answeredPlace, quality }, options);
}

/** Media that travel in UDP; others (TCP, BFCP) are not a real-time flow. */
function isDatagram(media: SdpMedia): boolean {
  return /^(?:RTP\/S?AVPF?|UDP\/TLS\/RTP\/S?AVPF?|UDP|UDPTL|UDP\/DTLS\/SCTP|DTLS\/SCTP)$/.test(media.protocol);
}

function flowsOfPair(pair: Pair, options: FlowOptions): MediaFlow[] {
  const offerer = options.offerer ?? "caller";
  const answerer: Party = offerer === "caller" ? "callee" : "caller";
  return [...directionFlows(pair, offerer, options), ...directionFlows(pair, answerer, options)];
}

interface End {
  readonly media: SdpMedia | undefined;
  readonly place: Place | undefined;
}

/** RTP (or data) and RTCP towards one party, for each port pair. */
function directionFlows(pair: Pair, toward: Party, options: FlowOptions): MediaFlow[] {
  const towardOfferer = toward === (options.offerer ?? "caller");
  const offerEnd: End = { media: pair.offered, place: pair.offeredPlace };
  const answerEnd: End = { media: pair.answered, place: pair.answeredPlace };
  const receiver = towardOfferer ? offerEnd : answerEnd;
  const sender = towardOfferer ? answerEnd : offerEnd;
  const family = pair.offeredPlace.family ?? 4;
  const description = receiver.media ?? pair.offered;
  const bandwidth = bandwidthOf(towardOfferer ? pair.offer : (pair.answer ?? pair.offer), description);
  const { quality } = pair;
  const parts = {
    receiver: description,
    sender: sender.media,
    bandwidth: bandwidth.bandwidth,
    maxPacketRate: bandwidth.maxPacketRate,
    codecs: codecsOf(pair),
    family,
    unstated: options.unstatedRate ?? UNSTATED_RATE,
    headerExtensions: hasExtensions(pair),
  };
  const { need, changes } = towardOfferer ? quality.towardOfferer : quality.towardAnswerer;
  const reserved = mediaReservation(parts, need);
  const isRtp = pair.offered.protocol.includes("RTP/");
  const rtcp = isRtp ? rtcpTraffic(bandwidth.bandwidth, reserved.traffic) : undefined;
  const muxed = pair.offered.rtcpMux && pair.answered?.rtcpMux === true;
  const gate = isOpen(pair, towardOfferer) ? "open" : "closed";
  const networks = mandatoryNetworks(pair.offered, pair.answered, options.offerer ?? "caller");
  const mandatory = towardOfferer ? networks.towardOfferer : networks.towardAnswerer;
  const common = {
    toward,
    media: pair.offered.kind,
    index: pair.index,
    security: quality.security,
    ...(quality.sessionClass === undefined ? {} : { sessionClass: quality.sessionClass }),
    ...(mandatory.length === 0 ? {} : { mandatory }),
  };
  const flows: MediaFlow[] = [];
  for (let nth = 0; nth < pair.offered.portCount; nth += 1) {
    const key = (component: "rtp" | "rtcp") => keyOf(receiver, sender, { nth, component, family, options });
    const whole = muxed && rtcp !== undefined ? withRtcp(reserved, rtcp) : reserved;
    // Multiplexed RTCP goes on during a hold (RFC 3264 §8.4), and so must their common gate.
    const open = muxed && rtcp !== undefined ? "open" : gate;
    const told = changes === undefined ? whole : { ...whole, changes };
    flows.push({ ...common, ...told, key: key("rtp"), component: isRtp ? "rtp" : "data", gate: open });
    if (rtcp === undefined || muxed) continue;
    flows.push({ ...common, key: key("rtcp"), component: "rtcp", gate: "open", traffic: rtcp });
  }
  return flows;
}

const withRtcp = (reserved: MediaReservation, rtcp: TrafficSpec): MediaReservation => ({
  ...reserved,
  traffic: addTraffic(reserved.traffic, rtcp),
  ...(reserved.least === undefined ? {} : { least: addTraffic(reserved.least, rtcp) }),
});

/** Either side may speak of them, for all media or for one. */
const hasExtensions = ({ offer, offered, answer, answered }: Pair): boolean =>
  [offer.session, offered, answer?.session, answered].some((scope) => scope?.headerExtensions === true);

/** RFC 3264 §6.1: what the answer accepts first is what will be sent; before it anything offered may be. */
function codecsOf(pair: Pair): SdpCodec[] {
  if (pair.answered === undefined) return mainCodecs(pair.offered);
  return mainCodecs(pair.answered).slice(0, 1);
}

interface KeyParts {
  readonly nth: number;
  readonly component: "rtp" | "rtcp";
  readonly family: IpFamily;
  readonly options: FlowOptions;
}

function keyOf(receiver: End, sender: End, parts: KeyParts): FlowKey | undefined {
  const { nth, component, options } = parts;
  const destination = endOf(receiver, component, nth);
  const known = endOf(sender, component, nth);
  const sourceAddress = known?.address ?? (sender.place === undefined ? options.answererAddress : undefined);
  if (destination === undefined || sourceAddress === undefined) return undefined;
  if (familyOf(sourceAddress) !== familyOf(destination.address)) return undefined;
  const port = options.symmetric === false ? undefined : known?.port;
  return { protocol: "udp", source: { address: sourceAddress, port }, destination };
}

/** Address and port where a party receives; undefined on old-style hold or where the port would not exist. */
function endOf(end: End, component: "rtp" | "rtcp", nth: number): { address: IpAddress; port: number } | undefined {
  const { media, place } = end;
  if (media === undefined || place?.address === undefined) return undefined;
  if (component === "rtp") return portAt(place.address, media.port + 2 * nth);
  // RFC 3605 §2.1: a=rtcp, with or without another address; else the next higher port (RFC 3550 §11).
  if (nth === 0 && media.rtcp !== undefined) {
    return portAt(place.rtcpAddress ?? place.address, media.rtcp.port);
  }
  return portAt(place.address, media.port + 2 * nth + 1);
}

const portAt = (address: IpAddress, port: number) => (port > 65_535 ? undefined : { address, port });

/** RFC 3264 §6.1 and §8.4: packets go towards a party that receives, from one that sends. */
function isOpen(pair: Pair, towardOfferer: boolean): boolean {
  const offered = pair.offered.direction ?? pair.offer.session.direction ?? "sendrecv";
  const answered = pair.answered?.direction ?? pair.answer?.session.direction ?? "sendrecv";
  const [receives, sends] = towardOfferer ? [offered, answered] : [answered, offered];
  const receiverPlace = towardOfferer ? pair.offeredPlace : pair.answeredPlace;
  const held = receiverPlace !== undefined && receiverPlace.address === undefined;
  const flows = (receives === "sendrecv" || receives === "recvonly") && (sends === "sendrecv" || sends === "sendonly");
  return flows && !held;
}

/** Session-level b= is for all media together (RFC 8866 §5.8): it says something of a medium only if that is alone. */
function bandwidthOf(
  description: SessionDescription,
  media: SdpMedia,
): { bandwidth: SdpBandwidth; maxPacketRate: number | undefined } {
  const alone = !description.media.some((other) => other.port !== 0 && other !== media);
  const session = alone ? description.session : undefined;
  return {
    bandwidth: { ...session?.bandwidth, ...media.bandwidth },
    maxPacketRate: media.maxPacketRate ?? session?.maxPacketRate,
  };
}

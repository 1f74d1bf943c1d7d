/** From an offer and its answer to the unidirectional flows of the session (RFC 3264, 3605, 5761). */
import { type FlowKey, flowKeyId, type TrafficSpec } from "../../model/flow.js";
import { familyOf, type IpAddress, type IpFamily } from "../../model/ip.js";
import { mainCodecs } from "./codecs.js";
import type { SdpBandwidth, SdpCodec, SdpMedia, SessionDescription } from "./description.js";
import { mediaPlace, type Place, type Unusable } from "./places.js";
import { addTraffic, mediaTraffic, rtcpTraffic } from "./rates.js";

export type Party = "caller" | "callee";

export interface MediaFlow {
  /** Undefined while the place that it goes to is not known: reserve, install nothing. */
  readonly key: FlowKey | undefined;
  readonly toward: Party;
  /** `audio`, `video` … */
  readonly media: string;
  /** Index of its m= line. */
  readonly index: number;
  readonly component: "rtp" | "rtcp" | "data";
  /** `closed` on hold: the reservation stays, no packet is let through (RFC 3264 §8.4). */
  readonly gate: "open" | "closed";
  readonly traffic: TrafficSpec;
}

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
}

/** All flows of both directions. Rejected media (port 0) have none; equal 5-tuples are summed up. */
export function flowsOf(
  offer: SessionDescription,
  answer: SessionDescription | undefined,
  options: FlowOptions = {},
): FlowsResult {
  // RFC 3264 §6: the answer has as many m= lines as the offer.
  if (answer !== undefined && answer.media.length !== offer.media.length) {
    const text = `the answer has ${answer.media.length} media, the offer ${offer.media.length}`;
    return { kind: "unusable", reason: "answerMismatch", text };
  }
  const flows: MediaFlow[] = [];
  for (const [index, offered] of offer.media.entries()) {
    const answered = answer?.media[index];
    // RFC 3264 §5.1, §6: port 0 is no offer, or a refusal of it.
    if (offered.port === 0 || answered?.port === 0 || !isDatagram(offered)) continue;
    const offeredPlace = mediaPlace(offer, offered);
    const answeredPlace = answer === undefined || answered === undefined ? undefined : mediaPlace(answer, answered);
    if (offeredPlace.kind === "unusable") return offeredPlace;
    if (answeredPlace?.kind === "unusable") return answeredPlace;
    const mismatch = answeredPlace?.family !== undefined && answeredPlace.family !== offeredPlace.family;
    if (mismatch) return { kind: "unusable", reason: "familyMismatch", text: "media between IPv4 and IPv6" };
    flows.push(...flowsOfPair({ index, offered, offeredPlace, answered, answeredPlace, offer, answer }, options));
  }
  return { kind: "flows", flows: merged(flows) };
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
  const traffic = mediaTraffic({
    receiver: description,
    sender: sender.media,
    bandwidth: bandwidth.bandwidth,
    maxPacketRate: bandwidth.maxPacketRate,
    codecs: codecsOf(pair),
    family,
    unstated: options.unstatedRate ?? UNSTATED_RATE,
    headerExtensions: hasExtensions(pair),
  });
  const isRtp = pair.offered.protocol.includes("RTP/");
  const rtcp = isRtp ? rtcpTraffic(bandwidth.bandwidth, traffic) : undefined;
  const muxed = pair.offered.rtcpMux && pair.answered?.rtcpMux === true;
  const gate = isOpen(pair, towardOfferer) ? "open" : "closed";
  const common = { toward, media: pair.offered.kind, index: pair.index };
  const flows: MediaFlow[] = [];
  for (let nth = 0; nth < pair.offered.portCount; nth += 1) {
    const key = (component: "rtp" | "rtcp") => keyOf(receiver, sender, { nth, component, family, options });
    const whole = muxed && rtcp !== undefined ? addTraffic(traffic, rtcp) : traffic;
    // Multiplexed RTCP goes on during a hold (RFC 3264 §8.4), and so must their common gate.
    const open = muxed && rtcp !== undefined ? "open" : gate;
    flows.push({ ...common, key: key("rtp"), component: isRtp ? "rtp" : "data", gate: open, traffic: whole });
    if (rtcp === undefined || muxed) continue;
    flows.push({ ...common, key: key("rtcp"), component: "rtcp", gate: "open", traffic: rtcp });
  }
  return flows;
}

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
  const alone = description.media.filter((other) => other.port !== 0).length <= 1;
  const session = alone ? description.session : undefined;
  return {
    bandwidth: { ...session?.bandwidth, ...media.bandwidth },
    maxPacketRate: media.maxPacketRate ?? session?.maxPacketRate,
  };
}

/** BUNDLE puts several media on one 5-tuple: one flow, with the sum of their traffic. */
function merged(flows: readonly MediaFlow[]): MediaFlow[] {
  const result = new Map<string, MediaFlow>();
  for (const [order, flow] of flows.entries()) {
    const id = flow.key === undefined ? `reserved ${order}` : `${flow.toward} ${flowKeyId(flow.key)}`;
    const before = result.get(id);
    if (before === undefined) result.set(id, flow);
    else {
      const gate = before.gate === "open" || flow.gate === "open" ? "open" : "closed";
      result.set(id, { ...before, gate, traffic: addTraffic(before.traffic, flow.traffic) });
    }
  }
  return [...result.values()];
}

/** A request of COPS-RSVP as what it asks for: RSVP objects -> who wants to reserve how much for whom (RFC 2749 §2.3, §3.2). */
import { COPS_ERROR, R_TYPE } from "../../cops/codec/codes.js";
import type { CodeAndSubCode } from "../../cops/codec/errors.js";
import type { ReqMessage } from "../../cops/codec/message.js";
import { isRsvpMType, RSVP_M_TYPE, type RsvpMType } from "../../cops/rsvp/codes.js";
import type { IpAddress } from "../../model/ip.js";
import { type BitsPerSecond, bitsPerSecond } from "../../model/units.js";
import { classify } from "../../rsvp/codec/classify.js";
import { RsvpDecodeError } from "../../rsvp/codec/errors.js";
import { flowsOf } from "../../rsvp/codec/flow-objects.js";
import { sessionKey } from "../../rsvp/codec/keys.js";
import { cutObjects } from "../../rsvp/codec/object.js";
import { ObjectBag } from "../../rsvp/codec/object-bag.js";
import type { Flowspec, Session, Style } from "../../rsvp/codec/objects.js";
import { senderOf } from "../../rsvp/codec/sender-objects.js";
import { sessionOf } from "../../rsvp/codec/session-object.js";
import { serviceRateFault, tokenBucketFault } from "../../rsvp/codec/token-bucket.js";
import { bandwidthOf } from "../../rsvp/machine/flowspec-algebra.js";
import { flowKey } from "../../rsvp/machine/keys.js";
import { requestsOf } from "../../rsvp/machine/reservations.js";

/** A Path announces a sender, a Resv wants room for it; of errors nothing is to be decided. */
export type RsvpAsk =
  | { readonly kind: "path"; readonly session: Session; readonly senders: readonly IpAddress[] }
  | ReservationAsk
  | { readonly kind: "error" };

export interface ReservationAsk {
  readonly kind: "reservation";
  readonly session: Session;
  readonly style: Style;
  /** Addresses of the senders it is for; with WF nobody says who. */
  readonly senders: readonly IpAddress[];
  /** Layer 3, rounded up. */
  readonly rate: BitsPerSecond;
  /** The same for whatever the same next hop asks for the same flow, on any handle. */
  readonly identity: string;
}

export type RsvpReading =
  | { readonly ok: true; readonly ask: RsvpAsk }
  | { readonly ok: false; readonly error: CodeAndSubCode; readonly why: string };

export function readRequest(req: ReqMessage): RsvpReading {
  const { mType } = req.context;
  if (!isRsvpMType(mType)) return unreadable(COPS_ERROR.badMessageFormat, `unknown M-Type ${mType}`);
  const [octets, ...more] = req.signaled;
  if (octets === undefined) return unreadable(COPS_ERROR.mandatoryClientSpecificInfoMissing, "no Signaled ClientSI");
  if (more.length > 0) return unreadable(COPS_ERROR.badMessageFormat, "more than one Signaled ClientSI");
  try {
    return { ok: true, ask: readAsk(mType, octets, req) };
  } catch (error) {
    if (!(error instanceof RsvpDecodeError)) throw error;
    const missing = error.reason === "missingObject";
    const code = missing ? COPS_ERROR.mandatoryClientSpecificInfoMissing : COPS_ERROR.badMessageFormat;
    return unreadable(code, error.message);
  }
}

const unreadable = (code: number, why: string): RsvpReading => ({ ok: false, error: { code, subCode: 0 }, why });

/** @throws RsvpDecodeError */
function readAsk(mType: RsvpMType, octets: Buffer, req: ReqMessage): RsvpAsk {
  switch (mType) {
    case RSVP_M_TYPE.path:
      return readPath(bagOf("Path", octets));
    case RSVP_M_TYPE.resv:
      return readResv(bagOf("Resv", octets), req);
    case RSVP_M_TYPE.pathErr:
    case RSVP_M_TYPE.resvErr:
      return { kind: "error" };
  }
}

/** @throws RsvpDecodeError */
function bagOf(kind: "Path" | "Resv", octets: Buffer): ObjectBag {
  const { objects, rejection } = classify(kind, cutObjects(octets, 0));
  if (rejection !== undefined) throw rejection;
  const bag = new ObjectBag(objects);
  bag.checkGrammar(kind);
  return bag;
}

/** @throws RsvpDecodeError with reason `missingObject` */
function needSession(bag: ObjectBag): Session {
  const session = sessionOf(bag);
  if (session !== undefined) return session;
  throw new RsvpDecodeError("missingObject", "SESSION is missing", { offset: 0, object: "SESSION" });
}

function readPath(bag: ObjectBag): RsvpAsk {
  const session = needSession(bag);
  return { kind: "path", session, senders: [senderOf(bag).template.address] };
}

/** RFC 2749 §3.1: packed messages come unpacked, one flow a request. */
function readResv(bag: ObjectBag, { context, inInterface }: ReqMessage): ReservationAsk {
  const session = needSession(bag);
  const [request, ...more] = requestsOf(flowsOf(bag));
  if (request === undefined || more.length > 0) throw unusable("more than one flow in a request", bag);
  const fault = faultOf(request.flowspec);
  if (fault !== undefined) throw unusable(fault, bag);
  // §2.3: where only resources are to be allocated it is no message, and has no hop.
  const isMessage = (context.rType & (R_TYPE.admission | R_TYPE.outgoing)) !== 0;
  const hop = isMessage ? bag.need("hop") : bag.maybe("hop");
  const place = hop === undefined ? `interface ${inInterface?.ifindex ?? "?"}` : `${hop.address} ${hop.lih}`;
  const { style, filters, flowspec } = request;
  return {
    kind: "reservation",
    session,
    style,
    senders: filters.map(({ address }) => address),
    rate: bitsPerSecond(Math.ceil(bandwidthOf(flowspec) * 8)),
    identity: `${sessionKey(session)}|${place}|${flowKey(style, filters)}`,
  };
}

/** RFC 2211 and RFC 2212: what no flowspec may say. */
function faultOf(flowspec: Flowspec): string | undefined {
  const fault = tokenBucketFault(flowspec.tspec);
  if (fault !== undefined || flowspec.kind === "controlledLoad") return fault;
  return serviceRateFault(flowspec.rate, flowspec.tspec);
}

const unusable = (why: string, bag: ObjectBag): RsvpDecodeError =>
  new RsvpDecodeError("badValue", why, { offset: bag.place("style"), object: "STYLE" });

/** The flow in a log or a table. */
export function describeAsk({ session, senders }: Pick<ReservationAsk, "session" | "senders">): string {
  return `${senders.length === 0 ? "any sender" : senders.join(", ")} -> ${sessionKey(session)}`;
}

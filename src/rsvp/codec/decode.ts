/** Octets -> packets. */
import { millis } from "../../model/units.js";
import { cutBundle } from "./bundle.js";
import { classify } from "./classify.js";
import { type LegiblePath, type LegibleResv, malformed, misplaced, missingObject, RsvpDecodeError } from "./errors.js";
import { erroredFlowsOf, flowsOf, tornFlowsOf } from "./flow-objects.js";
import { checkChecksum, HEADER_LENGTH, readHeader } from "./header.js";
import type { PathMessage, ResvMessage, RsvpMessage, RsvpMessageKind, RsvpPacket, SessionMessage } from "./message.js";
import { acksOf, idListsOf, messageIdOf } from "./message-id-objects.js";
import { cutObjects, type RawObject } from "./object.js";
import { ObjectBag } from "./object-bag.js";
import { OBJECTS } from "./object-table.js";
import type { OpaqueObject, PolicyData, Session } from "./objects.js";
import { erroredSenderOf, needTemplate, senderOf } from "./sender-objects.js";
import { readDscp, sessionOf, sessionOfInterestOf } from "./session-object.js";
import { validateLegible, validateMessage } from "./validate.js";

/**
 * @param octets - one whole RSVP message, without the IP header
 * @throws RsvpDecodeError; with `answer` and `legible` it is to be answered, else dropped and counted
 */
export function decodePacket(octets: Buffer): RsvpPacket {
  const { kind, sendTtl, refreshReduction, length } = readHeader(octets);
  if (length !== octets.length) {
    const detail = { offset: 6, object: "Common Header", need: length, have: octets.length };
    throw malformed("message length is not that of the datagram", detail);
  }
  checkChecksum(octets);
  const body = octets.subarray(HEADER_LENGTH);
  const header = { sendTtl, refreshReduction };
  if (kind === "Bundle") return { ...header, acks: [], message: cutBundle(body) };
  const raws = cutObjects(body, HEADER_LENGTH);
  if (kind === "Hello") return { ...header, acks: [], message: { kind, objects: raws.map(opaque) } };
  checkIntegrityPlace(raws);
  const { objects, unknown, rejection } = classify(kind, raws);
  const bag = new ObjectBag(objects);
  bag.checkGrammar(kind);
  try {
    if (rejection !== undefined) throw rejection;
    return { ...header, ...hopByHop(kind, bag), message: readMessage(kind, bag, unknown) };
  } catch (error) {
    if (!(error instanceof RsvpDecodeError)) throw error;
    throw error.answer === undefined ? error : error.within(legibleOf(kind, bag, error.detail.offset));
  }
}

const opaque = ({ classNum, cType, contents }: RawObject): OpaqueObject => ({
  classNum,
  cType,
  contents: Buffer.from(contents),
});

/** RFC 2205 §3.1.3: INTEGRITY comes right after the common header. */
function checkIntegrityPlace(raws: readonly RawObject[]): void {
  const { classNum, title } = OBJECTS.integrity;
  const found = raws.findIndex((raw) => raw.classNum === classNum);
  if (found > 0)
    throw misplaced(`${title} is not the first object`, { offset: raws[found]?.offset ?? 0, object: title });
}

/** Acknowledgements of an Ack message are its message. */
function hopByHop(kind: RsvpMessageKind, bag: ObjectBag): Pick<RsvpPacket, "integrity" | "messageId" | "acks"> {
  const integrity = bag.maybe("integrity");
  const messageId = messageIdOf(bag);
  return {
    ...(integrity === undefined ? {} : { integrity: { ...integrity, digest: Buffer.from(integrity.digest) } }),
    ...(messageId === undefined ? {} : { messageId }),
    acks: kind === "Ack" ? [] : acksOf(bag),
  };
}

function readMessage(
  kind: Exclude<RsvpMessageKind, "Bundle" | "Hello">,
  bag: ObjectBag,
  unknown: readonly OpaqueObject[],
): RsvpMessage {
  switch (kind) {
    case "Ack": {
      const acks = acksOf(bag);
      if (acks.length === 0) throw missingObject(OBJECTS.messageIdAck.title);
      return { kind, acks };
    }
    case "Srefresh": {
      const lists = idListsOf(bag);
      if (lists.length === 0) throw missingObject(OBJECTS.messageIds.title);
      return { kind, lists };
    }
    case "IntegrityResponse":
      bag.need("integrity");
      return { kind, challenge: challengeOf(bag) };
    case "IntegrityChallenge":
      return { kind, challenge: challengeOf(bag) };
    default: {
      const message = readSessionMessage(kind, bag, unknown);
      validateMessage(message);
      return message;
    }
  }
}

function challengeOf(bag: ObjectBag) {
  const { keyId, cookie } = bag.need("challenge");
  return { keyId, cookie: Buffer.from(cookie) };
}

function readSessionMessage(
  kind: SessionMessage["kind"],
  bag: ObjectBag,
  unknown: readonly OpaqueObject[],
): SessionMessage {
  const session = needSession(bag);
  switch (kind) {
    case "Path":
      return readPath(session, bag, unknown);
    case "Resv":
      return readResv(session, bag, unknown);
    case "PathErr": {
      const sender = erroredSenderOf(bag);
      if (sender === undefined) throw missingObject("SENDER_TEMPLATE");
      const error = bag.need("errorSpec");
      return { kind, session, error, policy: policyOf(bag), sender, ...aggregateHints(bag), unknown };
    }
    case "ResvErr": {
      const flows = erroredFlowsOf(bag);
      if (flows === undefined) throw missingObject("STYLE");
      const [hop, error] = [bag.need("hop"), bag.need("errorSpec")];
      return { kind, session, hop, error, ...scopeOf(bag), policy: policyOf(bag), flows, unknown };
    }
    case "PathTear":
      return { kind, session, hop: bag.need("hop"), template: needTemplate(bag), unknown };
    case "ResvTear":
      return { kind, session, hop: bag.need("hop"), flows: tornFlowsOf(bag), unknown };
    case "ResvConf": {
      const confirm = bag.need("resvConfirm").address;
      return { kind, session, error: bag.need("errorSpec"), confirm, flows: flowsOf(bag), unknown };
    }
  }
}

function readPath(session: Session, bag: ObjectBag, unknown: readonly OpaqueObject[]): PathMessage {
  const refreshPeriod = millis(bag.need("timeValues").refreshPeriod);
  const hop = bag.need("hop");
  return { kind: "Path", session, hop, refreshPeriod, policy: policyOf(bag), sender: senderOf(bag), unknown };
}

function readResv(session: Session, bag: ObjectBag, unknown: readonly OpaqueObject[]): ResvMessage {
  const confirm = bag.maybe("resvConfirm")?.address;
  return {
    kind: "Resv",
    session,
    hop: bag.need("hop"),
    refreshPeriod: millis(bag.need("timeValues").refreshPeriod),
    ...(confirm === undefined ? {} : { confirm }),
    ...scopeOf(bag),
    policy: policyOf(bag),
    flows: flowsOf(bag),
    ...aggregateHints(bag),
    unknown,
  };
}

function needSession(bag: ObjectBag): Session {
  const session = sessionOf(bag);
  if (session === undefined) throw missingObject("SESSION");
  return session;
}

const policyOf = (bag: ObjectBag): PolicyData[] =>
  bag.all("policyData").map(({ octets }) => ({ contents: Buffer.from(octets) }));

function scopeOf(bag: ObjectBag): Pick<ResvMessage, "scope"> {
  const scope = bag.maybe("scope");
  return scope === undefined ? {} : { scope: scope.addresses };
}

/** RFC 2996 §2: the code point is in the six high bits of the last octet of its word. */
function aggregateHints(bag: ObjectBag): Pick<ResvMessage, "dclass" | "sessionOfInterest"> {
  const words = bag.maybe("dclass")?.words;
  const offset = bag.place("dclass");
  const sessionOfInterest = sessionOfInterestOf(bag);
  return {
    ...(words === undefined ? {} : { dclass: words.map((word) => readDscp((word & 0xff) >> 2, offset, "DCLASS")) }),
    ...(sessionOfInterest === undefined ? {} : { sessionOfInterest }),
  };
}

/** What an answer needs, if all of it can be read and makes sense. Only Path and Resv are answered. */
function legibleOf(kind: RsvpMessageKind, bag: ObjectBag, culprit: number): LegiblePath | LegibleResv | undefined {
  try {
    const legible = kind === "Path" ? legiblePath(bag) : kind === "Resv" ? legibleResv(bag, culprit) : undefined;
    if (legible !== undefined) validateLegible(legible);
    return legible;
  } catch (error) {
    if (error instanceof RsvpDecodeError) return undefined;
    throw error;
  }
}

function legiblePath(bag: ObjectBag): LegiblePath | undefined {
  const sender = erroredSenderOf(bag);
  return sender === undefined ? undefined : { kind: "Path", session: needSession(bag), hop: bag.need("hop"), sender };
}

function legibleResv(bag: ObjectBag, culprit: number): LegibleResv | undefined {
  const flows = erroredFlowsOf(bag, culprit);
  return flows === undefined ? undefined : { kind: "Resv", session: needSession(bag), hop: bag.need("hop"), flows };
}

/** Packets -> octets, in the object order of RFC 2205 §3.1 and RFC 2961 §4.1. */
import { InternalError, unreachable } from "../../model/errors.js";
import type { IpAddress } from "../../model/ip.js";
import type { Dscp } from "../../model/units.js";
import { erroredFlowObjects, flowObjects, tornFlowObjects } from "./flow-objects.js";
import { CHECKSUM_AT, checksum, HEADER_LENGTH, MESSAGE_MAX, writeHeader } from "./header.js";
import type { ResvMessage, RsvpMessage, RsvpPacket, SessionMessage } from "./message.js";
import { ackObject, idListObject, messageIdObject } from "./message-id-objects.js";
import { encodeObject, encodeOpaque } from "./object.js";
import type { RsvpObject } from "./object-table.js";
import type { ErrorSpec, Hop, PolicyData } from "./objects.js";
import { senderObjects, templateObject } from "./sender-objects.js";
import { sessionObject, sessionOfInterestObject } from "./session-object.js";

/**
 * The packet as it goes on the wire. An INTEGRITY object is written as it is given, and stands in for the
 * checksum (RFC 2747 §4.1): see `signPacket`.
 * @throws InternalError if an object cannot hold what it is given, or the message gets longer than 65,532 octets
 */
export function encodePacket(packet: RsvpPacket): Buffer {
  const { message, integrity, sendTtl, refreshReduction } = packet;
  const prefix: RsvpObject[] = [
    ...(integrity === undefined ? [] : [{ name: "integrity", value: integrity } as const]),
    ...packet.acks.map(ackObject),
    ...(packet.messageId === undefined ? [] : [messageIdObject(packet.messageId)]),
  ];
  const body = [...prefix.map(encodeObject), ...bodyOf(message)];
  const length = body.reduce((sum, part) => sum + part.length, HEADER_LENGTH);
  if (length > MESSAGE_MAX) {
    throw new InternalError(
      "RSVP_MESSAGE_TOO_LONG",
      `${message.kind} of ${length} octets; a message holds ${MESSAGE_MAX}`,
    );
  }
  const octets = Buffer.concat([Buffer.alloc(HEADER_LENGTH), ...body], length);
  writeHeader(octets, { kind: message.kind, refreshReduction, sendTtl, length });
  if (integrity === undefined) octets.writeUInt16BE(checksum(octets), CHECKSUM_AT);
  return octets;
}

/** Everything after what is told hop by hop. */
function bodyOf(message: RsvpMessage): readonly Buffer[] {
  switch (message.kind) {
    case "Bundle":
      return message.messages;
    case "Hello":
      return message.objects.map(encodeOpaque);
    case "Ack":
      return message.acks.map(ackObject).map(encodeObject);
    case "Srefresh":
      return message.lists.map(idListObject).map(encodeObject);
    case "IntegrityChallenge":
    case "IntegrityResponse":
      return [encodeObject({ name: "challenge", value: message.challenge })];
    default: {
      const { before, after } = sessionMessageObjects(message);
      // Before STYLE or the sender descriptor: those end the message (RFC 2205 §3.1.4).
      return [...before.map(encodeObject), ...message.unknown.map(encodeOpaque), ...after.map(encodeObject)];
    }
  }
}

interface Parts {
  readonly before: readonly RsvpObject[];
  readonly after: readonly RsvpObject[];
}

function sessionMessageObjects(message: SessionMessage): Parts {
  const session = sessionObject(message.session);
  switch (message.kind) {
    case "Path": {
      const before = [session, hopObject(message.hop), timeValues(message), ...policyObjects(message.policy)];
      return { before, after: senderObjects(message.sender) };
    }
    case "Resv":
      return { before: [session, ...resvObjects(message)], after: flowObjects(message.flows) };
    case "PathErr": {
      const hints = aggregateHintObjects(message);
      const before = [session, errorObject(message.error), ...policyObjects(message.policy), ...hints];
      return { before, after: senderObjects(message.sender) };
    }
    case "ResvErr": {
      const hop = hopObject(message.hop);
      const optional = [...scopeObjects(message.scope), ...policyObjects(message.policy)];
      const before = [session, hop, errorObject(message.error), ...optional];
      return { before, after: erroredFlowObjects(message.flows) };
    }
    case "PathTear":
      return { before: [session, hopObject(message.hop)], after: [templateObject(message.template)] };
    case "ResvTear":
      return { before: [session, hopObject(message.hop)], after: tornFlowObjects(message.flows) };
    case "ResvConf": {
      const before = [session, errorObject(message.error), confirmObject(message.confirm)];
      return { before, after: flowObjects(message.flows) };
    }
    default:
      return unreachable(message, "encodePacket");
  }
}

function resvObjects(message: ResvMessage): RsvpObject[] {
  return [
    hopObject(message.hop),
    timeValues(message),
    ...(message.confirm === undefined ? [] : [confirmObject(message.confirm)]),
    ...scopeObjects(message.scope),
    ...policyObjects(message.policy),
    ...aggregateHintObjects(message),
  ];
}

const hopObject = (value: Hop): RsvpObject => ({ name: "hop", value });
const errorObject = (value: ErrorSpec): RsvpObject => ({ name: "errorSpec", value });
const confirmObject = (address: IpAddress): RsvpObject => ({ name: "resvConfirm", value: { address } });
const timeValues = ({ refreshPeriod }: { readonly refreshPeriod: number }): RsvpObject => ({
  name: "timeValues",
  value: { refreshPeriod },
});

const policyObjects = (policy: readonly PolicyData[]): RsvpObject[] =>
  policy.map(({ contents }) => ({ name: "policyData", value: { octets: contents } }));

const scopeObjects = (addresses: readonly IpAddress[] | undefined): RsvpObject[] =>
  addresses === undefined ? [] : [{ name: "scope", value: { addresses } }];

function aggregateHintObjects({ dclass, sessionOfInterest }: Pick<ResvMessage, "dclass" | "sessionOfInterest">) {
  const objects: RsvpObject[] = [];
  if (dclass !== undefined) objects.push(dclassObject(dclass));
  if (sessionOfInterest !== undefined) objects.push(sessionOfInterestObject(sessionOfInterest));
  return objects;
}

/** RFC 2996 §2: the code point is in the six high bits of the last octet of its word. */
const dclassObject = (codePoints: readonly Dscp[]): RsvpObject => ({
  name: "dclass",
  value: { words: codePoints.map((codePoint) => codePoint << 2) },
});

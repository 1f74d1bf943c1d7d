/** The RSVP messages as values: what they say, apart from the packet that carries them. */
import type { IpAddress } from "../../model/ip.js";
import type { Dscp, Millis } from "../../model/units.js";
import type {
  Adspec,
  Challenge,
  ErrorSpec,
  FilterSpec,
  Flowspec,
  GenericAggregateSession,
  Hop,
  Integrity,
  MessageId,
  MessageIdAck,
  MessageIdList,
  OpaqueFlowspec,
  OpaqueObject,
  PolicyData,
  SenderTemplate,
  Session,
  TokenBucket,
} from "./objects.js";

/** One RSVP message with what neighbours tell each other about it hop by hop. */
export interface RsvpPacket {
  /** The IP TTL it was sent with (RFC 2205 §3.8). In a bundle only the outer one counts (RFC 2961 §3.4). */
  readonly sendTtl: number;
  /** The sender can do all of RFC 2961 (§2). */
  readonly refreshReduction: boolean;
  readonly integrity?: Integrity;
  readonly messageId?: MessageId;
  /** Acknowledgements that ride along (RFC 2961 §4.6). Those of an Ack message are in the message. */
  readonly acks: readonly MessageIdAck[];
  readonly message: RsvpMessage;
}

/** What a sender says of its flow. */
export interface SenderDescriptor {
  readonly template: SenderTemplate;
  readonly tspec: TokenBucket;
  readonly adspec?: Adspec;
}

/** One FF reservation. A FLOWSPEC that was left out on the wire is filled in from the one before. */
export interface FixedFilter {
  readonly filter: FilterSpec;
  readonly flowspec: Flowspec;
}

/** The flow descriptor list, RFC 2205 §3.1.4. No list is empty. */
export type FlowDescriptors =
  | { readonly style: "WF"; readonly flowspec: Flowspec }
  | { readonly style: "FF"; readonly flows: readonly FixedFilter[] }
  | { readonly style: "SE"; readonly flowspec: Flowspec; readonly filters: readonly FilterSpec[] };

/** The flow descriptor list of a ResvTear, whose FLOWSPECs are ignored (RFC 2205 §3.1.6). */
export type TornFlows =
  | { readonly style: "WF" }
  | { readonly style: "FF" | "SE"; readonly filters: readonly FilterSpec[] };

/** The one flow descriptor of a ResvErr (RFC 2205 §3.1.8); FF has one filter. All of it may be missing. */
export type ErroredFlows =
  | { readonly style: "WF"; readonly flowspec?: Flowspec | OpaqueFlowspec }
  | {
      readonly style: "FF" | "SE";
      readonly flowspec?: Flowspec | OpaqueFlowspec;
      readonly filters: readonly FilterSpec[];
    }
  | UnknownStyle;

/** A style that is not known here (error 6). */
export interface UnknownStyle {
  readonly style: "unknown";
  /** 24 bits. */
  readonly optionVector: number;
}

/** Objects of unknown classes 11bbbbbb, which are kept with the state and passed on (RFC 2205 §3.10). */
interface PassedOn {
  readonly unknown: readonly OpaqueObject[];
}

export interface PathMessage extends PassedOn {
  readonly kind: "Path";
  readonly session: Session;
  /** The previous hop. */
  readonly hop: Hop;
  /** R of TIME_VALUES. */
  readonly refreshPeriod: Millis;
  readonly policy: readonly PolicyData[];
  readonly sender: SenderDescriptor;
}

export interface ResvMessage extends PassedOn {
  readonly kind: "Resv";
  readonly session: Session;
  /** The next hop, with the LIH of the previous one. */
  readonly hop: Hop;
  readonly refreshPeriod: Millis;
  /** RESV_CONFIRM: the receiver that wants a ResvConf. */
  readonly confirm?: IpAddress;
  /** SCOPE, only with WF: senders of one family, ascending. */
  readonly scope?: readonly IpAddress[];
  readonly policy: readonly PolicyData[];
  readonly flows: FlowDescriptors;
  /** DCLASS (RFC 2996): the code points to mark with, at least one. */
  readonly dclass?: readonly Dscp[];
  /** The aggregate that an end-to-end reservation goes into (RFC 4860 §4). */
  readonly sessionOfInterest?: GenericAggregateSession;
}

export interface PathErrMessage extends PassedOn {
  readonly kind: "PathErr";
  readonly session: Session;
  readonly error: ErrorSpec;
  readonly policy: readonly PolicyData[];
  /** Copied from the Path in error. Its values were not checked: they may be what was wrong. */
  readonly sender: ErroredSender;
  /** With NEW-AGGREGATE-NEEDED: the code point of the aggregate (RFC 3175 §2). */
  readonly dclass?: readonly Dscp[];
  /** With NEW-AGGREGATE-NEEDED: the aggregate's session (RFC 4860 §4). */
  readonly sessionOfInterest?: GenericAggregateSession;
}

/** A sender descriptor of which the template is known for sure. */
export interface ErroredSender {
  readonly template: SenderTemplate;
  readonly tspec?: TokenBucket;
  readonly adspec?: Adspec;
}

export interface ResvErrMessage extends PassedOn {
  readonly kind: "ResvErr";
  readonly session: Session;
  readonly hop: Hop;
  readonly error: ErrorSpec;
  readonly scope?: readonly IpAddress[];
  readonly policy: readonly PolicyData[];
  readonly flows: ErroredFlows;
}

export interface PathTearMessage extends PassedOn {
  readonly kind: "PathTear";
  readonly session: Session;
  readonly hop: Hop;
  readonly template: SenderTemplate;
}

export interface ResvTearMessage extends PassedOn {
  readonly kind: "ResvTear";
  readonly session: Session;
  readonly hop: Hop;
  readonly flows: TornFlows;
}

export interface ResvConfMessage extends PassedOn {
  readonly kind: "ResvConf";
  readonly session: Session;
  /** Code and value are 0: only the node counts (RFC 2205 §3.1.9). */
  readonly error: ErrorSpec;
  /** The receiver that asked. */
  readonly confirm: IpAddress;
  readonly flows: FlowDescriptors;
}

/** RFC 2961 §3. */
export interface BundleMessage {
  readonly kind: "Bundle";
  /** At least one, none of them a Bundle: each a whole message as `encodePacket` made it, for `decodePacket`. */
  readonly messages: readonly Buffer[];
}

/** RFC 2961 §4.4. At least one. */
export interface AckMessage {
  readonly kind: "Ack";
  readonly acks: readonly MessageIdAck[];
}

/** RFC 2961 §5.2. At least one list. */
export interface SrefreshMessage {
  readonly kind: "Srefresh";
  readonly lists: readonly MessageIdList[];
}

/** RFC 2747 §4.3, message type 25 of RFC 3097. */
export interface IntegrityChallengeMessage {
  readonly kind: "IntegrityChallenge";
  readonly challenge: Challenge;
}

/** RFC 2747 §4.3, message type 26 of RFC 3097. Its packet has an INTEGRITY object. */
export interface IntegrityResponseMessage {
  readonly kind: "IntegrityResponse";
  readonly challenge: Challenge;
}

/** RFC 3209 §5, not looked into. */
export interface HelloMessage {
  readonly kind: "Hello";
  readonly objects: readonly OpaqueObject[];
}

/** Messages about the state of sessions. */
export type SessionMessage =
  | PathMessage
  | ResvMessage
  | PathErrMessage
  | ResvErrMessage
  | PathTearMessage
  | ResvTearMessage
  | ResvConfMessage;

export type RsvpMessage =
  | SessionMessage
  | BundleMessage
  | AckMessage
  | SrefreshMessage
  | IntegrityChallengeMessage
  | IntegrityResponseMessage
  | HelloMessage;

export type RsvpMessageKind = RsvpMessage["kind"];

/**
 * The contents of RSVP objects as values. A family (IPv4 or IPv6) is that of the addresses in a value; it
 * selects the C-Type on the wire.
 */
import type { IpAddress } from "../../model/ip.js";
import type { BytesPerSecond, Dscp, Octets } from "../../model/units.js";

/** RFC 2205 §A.1: a flow of data by destination, protocol and port. */
export interface IpSession {
  readonly kind: "ip";
  readonly destination: IpAddress;
  /** IANA protocol number, 1 to 255. */
  readonly protocol: number;
  /** UDP or TCP destination port; 0 stands for none. */
  readonly port: number;
  /** The first node that can police does so, and clears it. No part of what identifies a session. */
  readonly ePolice: boolean;
}

/** RFC 3175 §3.3: all traffic of a code point towards a deaggregator. */
export interface AggregateSession {
  readonly kind: "aggregate";
  readonly destination: IpAddress;
  readonly dscp: Dscp;
  readonly ePolice: boolean;
}

/** RFC 4860 §2.1: one of several aggregates of the same PHB towards a deaggregator. */
export interface GenericAggregateSession {
  readonly kind: "genericAggregate";
  readonly destination: IpAddress;
  /** RFC 3140 §2: 16 bits; see `phbIdOf`. */
  readonly phbId: number;
  readonly vDstPort: number;
  /**
   * Four or sixteen octets, of the same family as the destination. The aggregator's address makes the
   * session its own; all zeros share it between aggregators.
   */
  readonly extendedVDstPort: IpAddress;
  readonly ePolice: boolean;
}

export type Session = IpSession | AggregateSession | GenericAggregateSession;

/** RFC 2205 §A.2. As a PHOP or as an NHOP. */
export interface Hop {
  readonly address: IpAddress;
  /** Logical interface handle: 32 bits, echoed unread to the node that made it; 0 for none. */
  readonly lih: number;
}

/** RFC 2205 §1.3. */
export type Style = "WF" | "FF" | "SE";

/**
 * RFC 2205 §A.9 and §A.10: a sender by address and port. For aggregates it is the aggregator's address and
 * has no port (RFC 3175 §3.4).
 */
export interface FilterSpec {
  readonly address: IpAddress;
  /** UDP or TCP source port, 0 for none. Absent in aggregate sessions, and only there. */
  readonly port?: number;
}

export type SenderTemplate = FilterSpec;

/**
 * RFC 2210 §3.1, the parameters of a TSpec. Rates and sizes count octets at the IP layer, its header
 * included. On the wire r, b and p are single-precision floats: `tokenBucket` makes values that survive it.
 */
export interface TokenBucket {
  /** r */
  readonly rate: BytesPerSecond;
  /** b */
  readonly bucket: Octets;
  /** p; `UNLIMITED_PEAK` (infinity) if nothing is known. */
  readonly peak: BytesPerSecond;
  /** m, a whole number: smaller packets are policed as if they had this size. */
  readonly minPoliced: Octets;
  /** M, a whole number. */
  readonly maxPacket: Octets;
}

/** RFC 2210 §3.2.1 and RFC 2211. */
export interface ControlledLoadFlowspec {
  readonly kind: "controlledLoad";
  readonly tspec: TokenBucket;
}

/** RFC 2210 §3.2.2 and RFC 2212. */
export interface GuaranteedFlowspec {
  readonly kind: "guaranteed";
  readonly tspec: TokenBucket;
  /** R, a single-precision float on the wire. */
  readonly rate: BytesPerSecond;
  /** S, whole microseconds. */
  readonly slackMicros: number;
}

export type Flowspec = ControlledLoadFlowspec | GuaranteedFlowspec;

/** A FLOWSPEC that could not be read as one of the above; goes back in error messages as it came. */
export interface OpaqueFlowspec {
  readonly kind: "opaque";
  readonly contents: Buffer;
}

/** RFC 2210 §3.3.5: general parameters of a service where they differ from those of the path. */
export interface AdspecGeneralParameters {
  readonly hops: number;
  readonly pathBandwidth: BytesPerSecond;
  /** Microseconds; `LATENCY_INDETERMINATE` where some node does not know. */
  readonly minLatencyMicros: number;
  readonly pathMtu: Octets;
}

/** A parameter that is passed on unread. */
export interface AdspecParameter {
  readonly id: number;
  readonly flags: number;
  /** A multiple of four octets. */
  readonly data: Buffer;
}

export interface AdspecFragment {
  /** Some node on the path does not implement the service. */
  readonly broken: boolean;
  /** Ids of the parameters read here whose flags say that some node did not update them. */
  readonly invalid: readonly number[];
  /** Parameters not read here. */
  readonly others: readonly AdspecParameter[];
}

/** Service 1, always there. `broken`: some node on the path has no RSVP. */
export interface AdspecGeneral extends AdspecFragment, AdspecGeneralParameters {}

/** RFC 2212: error terms C in octets, D in microseconds. */
export interface GuaranteedTerms {
  readonly cTot: number;
  readonly dTotMicros: number;
  readonly cSum: number;
  readonly dSumMicros: number;
}

export interface AdspecService extends AdspecFragment {
  readonly overrides: Partial<AdspecGeneralParameters>;
}

/** Service 2. Without terms it is the header-only fragment of a sender that does not implement it. */
export interface AdspecGuaranteed extends AdspecService {
  readonly terms?: GuaranteedTerms;
}

/** A fragment of a service that is not known here, passed on with its break bit set. */
export interface AdspecOtherService {
  readonly service: number;
  readonly broken: boolean;
  readonly data: Buffer;
}

/** RFC 2210 §3.3. A service without a fragment is one that the sender does not care about. */
export interface Adspec {
  readonly general: AdspecGeneral;
  readonly guaranteed?: AdspecGuaranteed;
  readonly controlledLoad?: AdspecService;
  readonly others: readonly AdspecOtherService[];
}

/** RFC 2205 §A.5. */
export interface ErrorSpec {
  /** The node that found the error. */
  readonly node: IpAddress;
  /** A set of `ERROR_FLAG` bits. */
  readonly flags: number;
  /** An `RSVP_ERROR`. */
  readonly code: number;
  readonly value: number;
}

/** RFC 2747 §2.1. */
export interface Integrity {
  /** A set of `INTEGRITY_FLAG` bits. */
  readonly flags: number;
  /** 48 bits. */
  readonly keyId: number;
  /** 64 bits. */
  readonly sequence: bigint;
  /** Sixteen octets with HMAC-MD5. */
  readonly digest: Buffer;
}

/** RFC 2747 §4.3. */
export interface Challenge {
  /** 48 bits. */
  readonly keyId: number;
  /** Eight octets. */
  readonly cookie: Buffer;
}

/** RFC 2961 §4.2. Unique together with the address of who made it. */
export interface MessageId {
  readonly ackDesired: boolean;
  /** 24 bits. */
  readonly epoch: number;
  /** 32 bits. */
  readonly id: number;
}

/** RFC 2961 §4.3: a MESSAGE_ID_ACK or a MESSAGE_ID_NACK. */
export interface MessageIdAck {
  readonly kind: "ack" | "nack";
  readonly epoch: number;
  readonly id: number;
}

/** RFC 2961 §5.1. None of the lists is empty. */
export type MessageIdList =
  | { readonly kind: "ids"; readonly epoch: number; readonly ids: readonly number[] }
  | { readonly kind: "sources"; readonly epoch: number; readonly entries: readonly MessageIdSource[] }
  | { readonly kind: "multicast"; readonly epoch: number; readonly entries: readonly MessageIdMulticast[] };

/** All sources of a list are of one family. */
export interface MessageIdSource {
  readonly id: number;
  readonly source: IpAddress;
}

export interface MessageIdMulticast extends MessageIdSource {
  readonly destination: IpAddress;
}

/** POLICY_DATA (RFC 2205 §A.13), not looked into. */
export interface PolicyData {
  readonly contents: Buffer;
}

/** An object of a class that is not known here. */
export interface OpaqueObject {
  readonly classNum: number;
  readonly cType: number;
  readonly contents: Buffer;
}

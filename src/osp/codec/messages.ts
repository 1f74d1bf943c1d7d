/** OSP messages as values. Times are whole seconds on the wire. */
import type { GrantResult } from "../../model/quality.js";
import type { SessionId } from "../../model/session.js";
import type { BitsPerSecond, Timestamp } from "../../model/units.js";
import type { FlowCounters } from "../../model/usage.js";
import type { Tariff } from "../tariff.js";
import type { OspDecodeError } from "./decode-error.js";
import type { Status } from "./status.js";
import type { ReleaseSource, Role, ServiceType, TerminationCauseType } from "./vocabulary.js";

/** Unsigned 64 bit, decimal, no leading zeros. */
export type TransactionId = string & { readonly __transactionId: true };

export function parseTransactionId(text: string): TransactionId | undefined {
  return /^(0|[1-9]\d{0,19})$/.test(text) && BigInt(text) < 1n << 64n ? (text as TransactionId) : undefined;
}

/** `SourceInfo`, `DestinationInfo` and their alternates: a typed name such as e164, sip, transport, subscriber. */
export interface Party {
  readonly type: string;
  readonly value: string;
}

/** What we add to the standard's components (critical="False" on the wire). */
export interface Extensions {
  readonly session?: SessionId | undefined;
  /** Layer 3: what is asked for, and in usage what was granted. Of the direction with more. */
  readonly bandwidth?: BitsPerSecond | undefined;
  readonly serviceClass?: string | undefined;
  /** In usage: how what was granted compares with what was asked for. */
  readonly result?: GrantResult | undefined;
}

/** The TS spells with s, the toolkit with z; an answer takes the spelling of its request. */
export type Spelling = "s" | "z";

export interface AuthorisationRequest {
  readonly kind: "AuthorisationRequest";
  readonly componentId: string;
  readonly spelling?: Spelling | undefined;
  readonly timestamp?: Timestamp | undefined;
  /** Octets of the SIP Call-ID. */
  readonly callId: Buffer;
  readonly source: Party;
  readonly sourceAlternates?: readonly Party[] | undefined;
  readonly destination: Party;
  readonly destinationAlternates?: readonly Party[] | undefined;
  /** Absent is voice. */
  readonly service?: ServiceType | undefined;
  readonly maximumDestinations?: number | undefined;
  readonly customerId?: string | undefined;
  readonly deviceId?: string | undefined;
  /** DER of the token a terminating domain received, for the server to check and bind. */
  readonly token?: Buffer | undefined;
  readonly extensions?: Extensions | undefined;
}

export interface Destination {
  readonly callId: Buffer;
  readonly destination?: Party | undefined;
  /** `[address]:port` or `name:port`. */
  readonly signalAddress: string;
  /** DER. */
  readonly token: Buffer;
  readonly validAfter?: Timestamp | undefined;
  readonly validUntil?: Timestamp | undefined;
  /** Seconds the session may last; absent is no limit. */
  readonly limit?: number | undefined;
  readonly extensions?: Extensions | undefined;
}

export interface AuthorisationResponse {
  readonly kind: "AuthorisationResponse";
  readonly componentId: string;
  readonly spelling?: Spelling | undefined;
  readonly timestamp?: Timestamp | undefined;
  readonly status: Status;
  readonly transactionId?: TransactionId | undefined;
  readonly destinations: readonly Destination[];
  /** What the session will cost; absent: nothing is charged for it here. */
  readonly tariff?: Tariff | undefined;
}

export interface TerminationCause {
  readonly type: TerminationCauseType;
  readonly code: number;
  readonly description?: string | undefined;
}

/** Kernel counters of a session, octets at layer 3; up leaves the reporter's access network, down enters it. */
export interface SessionTraffic {
  readonly up: FlowCounters;
  readonly down: FlowCounters;
}

export interface UsageDetail {
  /** Duration, up to three decimals on the wire. */
  readonly seconds: number;
  readonly terminationCauses?: readonly TerminationCause[] | undefined;
  readonly startTime?: Timestamp | undefined;
  readonly endTime?: Timestamp | undefined;
  readonly alertTime?: Timestamp | undefined;
  readonly connectTime?: Timestamp | undefined;
  readonly releaseSource?: ReleaseSource | undefined;
  readonly traffic?: SessionTraffic | undefined;
}

export interface UsageIndication {
  readonly kind: "UsageIndication";
  readonly componentId: string;
  readonly timestamp?: Timestamp | undefined;
  readonly role: Role;
  /** RoleInfo State: start, stop, interim … */
  readonly state?: string | undefined;
  readonly transactionId: TransactionId;
  readonly callId: Buffer;
  readonly source: Party;
  readonly sourceAlternates?: readonly Party[] | undefined;
  readonly destination: Party;
  readonly destinationAlternates?: readonly Party[] | undefined;
  readonly setupAttempt?: number | undefined;
  readonly detail: UsageDetail;
  readonly customerId?: string | undefined;
  readonly deviceId?: string | undefined;
  readonly extensions?: Extensions | undefined;
}

export interface UsageConfirmation {
  readonly kind: "UsageConfirmation";
  readonly componentId: string;
  readonly timestamp?: Timestamp | undefined;
  readonly status: Status;
}

/** A component of the standard that we do not act on, or the bare Status that answers one. */
export interface OtherComponent {
  readonly kind: "other";
  readonly name: string;
  readonly componentId: string;
  readonly timestamp?: Timestamp | undefined;
  readonly status?: Status | undefined;
}

/** A component we know whose content breaks the standard's rules; the others of its message stand. */
export interface InvalidComponent {
  readonly kind: "invalid";
  readonly name: string;
  readonly componentId: string;
  readonly error: OspDecodeError;
}

export type EncodableComponent =
  | AuthorisationRequest
  | AuthorisationResponse
  | UsageIndication
  | UsageConfirmation
  | OtherComponent;

export type Component = EncodableComponent | InvalidComponent;

export interface OspMessage<C extends Component = Component> {
  readonly messageId: string;
  readonly random?: string | undefined;
  readonly components: readonly C[];
}

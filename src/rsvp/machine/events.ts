/** What a node is told, and what it wants done. */
import type { IpAddress } from "../../model/ip.js";
import type { BytesPerSecond, Dscp, Millis, Octets } from "../../model/units.js";
import type { ErrorAnswer, RsvpDecodeError } from "../codec/errors.js";
import type {
  ErroredFlows,
  ErroredSender,
  FlowDescriptors,
  SenderDescriptor,
  SessionMessage,
  TornFlows,
} from "../codec/message.js";
import type {
  ErrorSpec,
  FilterSpec,
  Flowspec,
  GenericAggregateSession,
  PolicyData,
  SenderTemplate,
  Session,
  Style,
} from "../codec/objects.js";
import type { ReservationRef } from "./keys.js";
import type { Route } from "./state.js";

/** On which side of an edge of an aggregation region an interface is, RFC 3175 §1.3. */
export type RegionSide =
  | { readonly side: "exterior" }
  /** `address`: of this edge as an end of aggregates, by which other edges know it. */
  | { readonly side: "interior"; readonly address: IpAddress };

/** An interface that RSVP may use. */
export interface RsvpInterface {
  readonly name: string;
  /** Addresses that go into RSVP_HOP, at least one. */
  readonly addresses: readonly IpAddress[];
  /** Logical interface handle, not 0, unique on this node: the kernel's interface index. */
  readonly lih: number;
  readonly mtu: Octets;
  /** Absent: the node is no edge of an aggregation region, or does not aggregate for others. */
  readonly region?: RegionSide;
}

/** When an event happens, and a number in [0, 1) from which all that is random in the step is drawn. */
export interface Moment {
  readonly now: number;
  readonly random: number;
}

/** A message as it arrived. */
export interface Arrival {
  readonly interface: string;
  readonly source: IpAddress;
  /** TTL of the IP header. */
  readonly ttl: number;
  /** TTL that the sender put into the common header. */
  readonly sendTtl: number;
  /** It came as RSVP-E2E-IGNORE (RFC 3175 §3.1). */
  readonly endToEnd?: true;
}

/** What traffic control says to a `reserve`. */
export type AdmissionVerdict = { readonly admit: true } | { readonly admit: false; readonly error: ErrorAnswer };

/** Calls of applications on this node, RFC 2205 §3.11.1. */
export type LocalCall =
  /** Opens a sender, or modifies it. */
  | {
      readonly type: "open";
      readonly session: Session;
      readonly sender: SenderDescriptor;
      readonly policy?: readonly PolicyData[];
    }
  | { readonly type: "close"; readonly session: Session; readonly template: SenderTemplate }
  /** The receiver here tells a sender by a PathErr why it cannot have what its Path says; no state changes by it. */
  | {
      readonly type: "complain";
      readonly session: Session;
      readonly template: SenderTemplate;
      readonly error: ErrorSpec;
    }
  /**
   * Makes or modifies the reservation of the receiver here; of FF only for the senders named.
   * `confirm`: our address for a ResvConf.
   */
  | {
      readonly type: "reserve";
      readonly session: Session;
      readonly flows: FlowDescriptors;
      readonly confirm?: IpAddress;
      readonly policy?: readonly PolicyData[];
    }
  /** Ends what the receiver here reserved, or the part of it for `filters`. */
  | { readonly type: "release"; readonly session: Session; readonly filters?: readonly FilterSpec[] };

export interface ReceivedEvent {
  readonly type: "received";
  readonly message: SessionMessage;
  readonly arrival: Arrival;
}

/** The answer to a `reserve`. */
export interface AdmissionEvent {
  readonly type: "admission";
  readonly ref: ReservationRef;
  readonly id: number;
  readonly verdict: AdmissionVerdict;
}

/** The network takes back: down to `granted`, or all (RFC 2205 §3.11.2 TC_Preempt, RFC 4495). */
export interface PreemptEvent {
  readonly type: "preempt";
  readonly ref: ReservationRef;
  readonly granted?: Flowspec;
}

/** The time of the last `schedule` has come, or is near: what is not due yet is scheduled again. */
export interface DueEvent {
  readonly type: "due";
}

/** What concerns one session. */
export type SessionEvent =
  | ReceivedEvent
  | LocalCall
  | { readonly type: "route"; readonly route: Route }
  | AdmissionEvent
  | PreemptEvent
  | { readonly type: "roomGrown"; readonly interface: string }
  | { readonly type: "interfaceDown"; readonly interface: string }
  | { readonly type: "interfaceUp"; readonly interface: string }
  | DueEvent;

/** What a node is told. `received` and local calls name their session; the node finds it. */
export type NodeEvent =
  | ReceivedEvent
  | AdmissionEvent
  | PreemptEvent
  | DueEvent
  | LocalCall
  /** A message that could not be read. */
  | { readonly type: "unreadable"; readonly error: RsvpDecodeError; readonly arrival: Arrival }
  /** Routing's answer to `resolve`, or a change of it. `destination` is that of sessions. */
  | { readonly type: "routeChanged"; readonly destination: IpAddress; readonly route: Route }
  /** New, up again, or changed. */
  | { readonly type: "interface"; readonly interface: RsvpInterface }
  | { readonly type: "interfaceLost"; readonly name: string }
  /** What reservations may take of an interface together, at the IP layer. Traffic control knows it already. */
  | { readonly type: "resized"; readonly name: string; readonly room: BytesPerSecond }
  /** R that is advertised; grows by Slew.Max (RFC 2205 §3.7). */
  | { readonly type: "refreshPeriod"; readonly period: Millis };

/** What an application learns, RFC 2205 §3.11.1. */
export type Notice =
  /** PATH_EVENT: a sender is there, or says something else than before. */
  | { readonly what: "pathArrived"; readonly sender: SenderDescriptor; readonly policy: readonly PolicyData[] }
  | { readonly what: "pathLost"; readonly template: SenderTemplate }
  /** RESV_EVENT at the sender: what is reserved from here to the receivers now. */
  | { readonly what: "reserved"; readonly flows: FlowDescriptors }
  | { readonly what: "unreserved"; readonly flows: TornFlows }
  /** The receiver's reservation was granted along the whole way, or merged into one that was. */
  | { readonly what: "confirmed"; readonly flows: FlowDescriptors }
  /** RESV_ERR at the receiver. */
  | { readonly what: "refused"; readonly error: ErrorSpec; readonly flows: ErroredFlows }
  /** RFC 4495 at the receiver: at most `granted` is left, to be answered by a reservation that is not larger. */
  | {
      readonly what: "preempted";
      readonly error: ErrorSpec;
      readonly granted: Flowspec;
      readonly filters: readonly FilterSpec[];
    }
  /** PATH_ERROR at the sender. */
  | {
      readonly what: "pathError";
      readonly error: ErrorSpec;
      readonly sender: ErroredSender;
      readonly dclass?: readonly Dscp[];
      readonly sessionOfInterest?: GenericAggregateSession;
    };

export type NodeAction =
  | {
      readonly do: "send";
      readonly message: SessionMessage;
      /** Absent where the kernel's routing decides. */
      readonly interface?: string;
      readonly destination: IpAddress;
      /** IP source where it is not an address of this node: that of the sender (RFC 2205 §3.1.3). */
      readonly source?: IpAddress;
      readonly routerAlert: boolean;
      readonly ttl: number;
      /** As RSVP-E2E-IGNORE (RFC 3175 §3.1). */
      readonly endToEnd?: true;
    }
  /** A `due` is wanted at that time, and none of the times before it. Infinity: never. */
  | { readonly do: "schedule"; readonly at: number }
  /** Where does data to this address go, and tell when that changes. */
  | { readonly do: "resolve"; readonly destination: IpAddress }
  | { readonly do: "forgetRoute"; readonly destination: IpAddress }
  /**
   * Traffic control makes or modifies a reservation to be this. Carried out in order; until an `admission` with
   * the same id the one before stays.
   */
  | {
      readonly do: "reserve";
      readonly ref: ReservationRef;
      readonly id: number;
      readonly flowspec: Flowspec;
      readonly style: Style;
      /** Which senders; none with WF. */
      readonly filters: readonly FilterSpec[];
      readonly entryPolicing: boolean;
      /** Shared between several senders: police where they merge (RFC 2205 §3.8). */
      readonly mergePolicing: boolean;
    }
  /** Ends what earlier requests of the reservation made, also those without an answer yet. */
  | { readonly do: "release"; readonly ref: ReservationRef }
  | { readonly do: "notify"; readonly session: Session; readonly notice: Notice }
  /** For counters. */
  | { readonly do: "ignore"; readonly what: string };

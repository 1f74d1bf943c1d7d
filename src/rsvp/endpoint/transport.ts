/** How RSVP messages get from node to node. What carries them is chosen by a probe: see open-transport.ts. */
import type { IpAddress } from "../../model/ip.js";

/** IP protocol 46, or RSVP-E2E-IGNORE, 134 (RFC 3175 §3.1). */
export type RsvpProtocol = "rsvp" | "e2eIgnore";

export const IP_PROTOCOL = { rsvp: 46, e2eIgnore: 134 } as const satisfies Record<RsvpProtocol, number>;

/**
 * The Router Alert option: 0 for RSVP (RFC 2113, RFC 2711), else the level of nested aggregation
 * (RFC 3175 §1.4.9). Absent: the option is.
 */
export type RouterAlert = number;

export interface OutgoingDatagram {
  /** One RSVP message, common header included; no IP header. */
  readonly octets: Buffer;
  readonly protocol: RsvpProtocol;
  /** The interface to leave by, whatever the routes say; absent: they decide. */
  readonly interface?: string;
  readonly destination: IpAddress;
  /** The sender's address in Path and PathTear (RFC 2205 §3.2); absent: the interface's own. */
  readonly source?: IpAddress;
  readonly routerAlert?: RouterAlert;
  /** IP TTL or hop limit. */
  readonly ttl: number;
  /** DS field and ECN bits. */
  readonly tos: number;
}

export interface ReceivedDatagram {
  /** One RSVP message, common header included; the receiver's own copy. */
  readonly octets: Buffer;
  readonly protocol: RsvpProtocol;
  /** The interface that it arrived on. */
  readonly interface: string;
  readonly source: IpAddress;
  /** Absent where the system does not say: then it is one of the interface's own addresses. */
  readonly destination?: IpAddress;
  /** As received. Absent where the system does not say: then Send_TTL counts (RFC 2205 appendix C). */
  readonly ttl?: number;
  readonly routerAlert?: RouterAlert;
}

export interface TransportHandlers {
  message(datagram: ReceivedDatagram): void;
  /** An interface can no longer be read, or a datagram could not be sent. Nothing is tried again. */
  failed(name: string | undefined, error: Error): void;
}

export interface TransportCounts {
  readonly received: number;
  readonly sent: number;
  /** Datagrams that the system did not take. */
  readonly unsent: number;
  /** No whole RSVP header, or longer than the limit. */
  readonly wrongSize: number;
  /** Above the limit of one source, or of all together. */
  readonly flood: number;
  /** Intercepted for their option, but not RSVP; passed on. */
  readonly foreign: number;
}

export type TransportKind = "raw" | "udp" | "memory";

export interface RsvpTransport {
  readonly kind: TransportKind;
  /** Never throws for what the network does: what could not be sent is counted and told to `failed`. */
  send(datagram: OutgoingDatagram): void;
  /** Begins to receive on an interface; for one that came back, after `detach`. @throws SystemError */
  attach(name: string): Promise<void>;
  /** Nothing is received on it any more. */
  detach(name: string): Promise<void>;
  counts(): TransportCounts;
  /** Nothing is received and no handler called any more. */
  close(): Promise<void>;
}

/** Octets that every RSVP message has: its common header, RFC 2205 §3.1.1. */
export const MIN_MESSAGE = 8;

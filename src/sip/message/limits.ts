/** What a message may cost before anything is known about its sender. */

export interface MessageLimits {
  /** Octets of the whole datagram (RFC 3261 §18.1.1 wants 65 535 to be accepted). */
  readonly messageOctets: number;
  readonly headers: number;
  /** Octets of the request line or status line. */
  readonly startLineOctets: number;
  /** Octets of one header field, its folded lines included. */
  readonly headerOctets: number;
  /** Via entries, over all Via header fields: the hops a message may have behind it. */
  readonly vias: number;
  /** Route or Record-Route entries. */
  readonly routes: number;
}

export const DEFAULT_MESSAGE_LIMITS: MessageLimits = {
  messageOctets: 65_535,
  headers: 128,
  startLineOctets: 8_192,
  headerOctets: 16_384,
  vias: 70,
  routes: 64,
};

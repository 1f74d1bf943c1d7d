/** Limits of an RSVP endpoint. What is beyond them is dropped and counted: soft state comes again. */

export interface RsvpLimits {
  /** Octets of one message, common header included. RFC 2205 §3.1.1: a 16-bit length. */
  readonly maxMessage: number;
  /** Messages of one source address, and of all together, in a second. */
  readonly perSource: number;
  readonly perSecond: number;
  /** Source addresses that are told apart in a second; all further ones share one allowance. */
  readonly maxSources: number;
  /** Messages that are handled before timers and other sockets have their turn, and that may wait for that. */
  readonly perTurn: number;
  readonly maxWaiting: number;
  /** Octets that the kernel keeps for a socket until it is read. */
  readonly receiveBuffer: number;
}

export const DEFAULT_RSVP_LIMITS: RsvpLimits = {
  maxMessage: 65_500,
  perSource: 4000,
  perSecond: 20_000,
  maxSources: 1024,
  perTurn: 64,
  maxWaiting: 1024,
  receiveBuffer: 4 * 1024 * 1024,
};

/** Times and limits of reliable delivery and summary refresh, RFC 2961. Milliseconds. */

export interface ReliabilityRules {
  /** Rf, Delta and Rl of §6.2: first interval, growth, and how often a message is sent in all. */
  readonly retransmitInterval: number;
  readonly retransmitGrowth: number;
  readonly retransmitLimit: number;
  /** How long an acknowledgement waits for a message that it can ride in (§4.6). */
  readonly ackDelay: number;
  readonly nackDelay: number;
  /** How long a refresh waits for others to be summed up with; short against every refresh period (§5.3). */
  readonly summaryDelay: number;
  /** Every so many refreshes the whole message is sent, against corrupted state (§5.5). */
  readonly fullEvery: number;
  /** Identifiers in one Srefresh, and acknowledgements in one message: within a packet of 1280 octets. */
  readonly maxListed: number;
  readonly maxAcks: number;
  /** Identifiers of one Srefresh that are answered with a NACK; the others will come again. */
  readonly maxNacks: number;
  /** States that are remembered for one neighbour; what is beyond is refreshed by whole messages. */
  readonly maxStates: number;
  /** Answers and errors whose repetitions are recognised. */
  readonly maxNotices: number;
  /** How long a torn state's identifier is remembered, so that an overtaken message does not bring it back. */
  readonly tornMemory: number;
  /** How long what was sent is remembered when no refresh of it is sent any more. */
  readonly sentMemory: number;
}

export const DEFAULT_RELIABILITY: ReliabilityRules = {
  retransmitInterval: 500,
  retransmitGrowth: 1,
  retransmitLimit: 3,
  ackDelay: 10,
  nackDelay: 20,
  summaryDelay: 200,
  fullEvery: 10,
  maxListed: 280,
  maxAcks: 90,
  maxNacks: 2048,
  maxStates: 20_000,
  maxNotices: 1024,
  tornMemory: 10_000,
  sentMemory: 900_000,
};

/**
 * What a message is to its sender and receiver: state that is refreshed (Path, Resv), the end of it (PathTear,
 * ResvTear), or a notice that stands for itself.
 */
export type MessageRole = "state" | "tear" | "notice";

/** RFC 2961 §4.5: identifiers wrap. */
export const isEarlier = (one: number, other: number): boolean => ((one - other) | 0) < 0;

/** Identifiers of one node: those of all its messages, to all neighbours (§4.2). Never 0. */
export class MessageIds {
  /** 24 bits, other than at the last start. */
  readonly epoch: number;
  #last = 0;

  constructor(epoch: number) {
    this.epoch = epoch & 0xffffff;
  }

  next(): number {
    this.#last = (this.#last + 1) >>> 0 || 1;
    return this.#last;
  }
}

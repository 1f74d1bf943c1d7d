/** What the demo of pools gathered. Everything that is checked, drawn, printed or written as JSON comes from here. */
import type { MediaFigures } from "../../src/lab/media.js";

/** Both directions of a call, and what the caller was told. */
export interface CallEvidence {
  readonly call: number;
  readonly session: string;
  /** Of the INVITE's final answer, as captured at the caller; 0 if none came. */
  readonly status: number;
  readonly warning: string;
  /** From INVITE to final answer. */
  readonly answerMs: number;
  /** Undefined for a call that was not to have any. */
  readonly media?: { readonly toCallee: MediaFigures; readonly toCaller: MediaFigures };
}

/** Reserved at one moment, bit/s. */
export interface ReservedEvidence {
  /** When the policy servers had it, since the start of the recording. */
  readonly ms: number;
  /** What each policy server takes to be confirmed by the network, layer 2. */
  readonly pools: Readonly<Record<string, number>>;
  /** What routers hold for each direction, layer 3. */
  readonly granted: Readonly<Record<string, readonly number[]>>;
  /** What the kernels guarantee towards the next router, layer 2. */
  readonly classes: Readonly<Record<string, readonly number[]>>;
  /** Sessions that the policy servers had admitted into the pool. */
  readonly sessions: number;
}

/** A moment of the recording at R1; what grows is counted from the start of the class. */
export interface Sample {
  readonly ms: number;
  /** What the policy server has of the pool, bit/s, layer 2. */
  readonly reserved: number;
  readonly used: number;
  readonly sessions: number;
  /** Octets that left through the pool's class, and through the link. Layer 2. */
  readonly poolOctets: number;
  readonly linkOctets: number;
  /** Packets of best effort that found no room. */
  readonly dropped: number;
}

export interface Moment {
  readonly ms: number;
  readonly what: string;
}

/** Packets with one outer 5-tuple, as captured on the core link. */
export interface OuterFlow {
  readonly flow: string;
  readonly dscp: readonly number[];
  readonly packets: number;
  /** Different 5-tuples inside, if it is the tunnel. */
  readonly inner: number;
}

export interface Evidence {
  readonly before: ReservedEvidence;
  readonly grown: ReservedEvidence;
  readonly after: ReservedEvidence;
  /** From the command to the confirmation in both policy servers. */
  readonly growMs: number;
  readonly assured: readonly CallEvidence[];
  readonly refused: CallEvidence;
  readonly explanation: readonly string[];
  /** After the pool had grown. */
  readonly sixth: CallEvidence;
  readonly outer: readonly OuterFlow[];
  /** Elements of sessions in both edge routers after the last call. */
  readonly left: number;
  readonly samples: readonly Sample[];
  readonly moments: readonly Moment[];
}

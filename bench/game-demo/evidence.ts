/** What the demo of the game gathered. Everything that is checked, printed or written as JSON comes from here. */
import type { CallMedia, ClassSnapshot, FlowSnapshot } from "../../src/lab/demo/evidence.js";

/** A line of `Sluice-Granted`, as the session's panel shows it. */
export interface ShownGrant {
  readonly by: string;
  readonly result: string;
  /** kbit/s, layer 3: to callee / to caller. */
  readonly rates: string;
  readonly phb: string;
}

/** What one player's page said of both connections: the latest second's figures, and counts of packets. */
export interface PageFigures {
  readonly user: string;
  readonly assured: LinkShown;
  readonly bestEffort: LinkShown;
  /** Of the game's connection, in the game's packets. */
  readonly counters: { readonly sent: number; readonly received: number; readonly expected: number };
  readonly bestEffortCounters: { readonly sent: number; readonly received: number; readonly expected: number };
  readonly stalls: number;
  readonly diverged: boolean;
}

/** Milliseconds, and a share of 0 to 1. */
export interface LinkShown {
  readonly roundTrip?: number;
  readonly jitter?: number;
  readonly lossIn?: number;
}

/** Of `show sessions` of a policy server during the game. */
export interface ServerSession {
  readonly server: string;
  readonly state: string;
  readonly result: string;
  readonly sessionClass: string;
  readonly phb: string;
  /** bit/s, layer 3. */
  readonly toCallee: number;
  readonly toCaller: number;
}

/** Of `show quality` of a policy server during the game; milliseconds, and a share of 0 to 1. */
export interface PathFigures {
  readonly server: string;
  readonly pool: string;
  readonly direction: string;
  readonly samples: number;
  readonly latency: number;
  readonly jitter: number;
  readonly loss: number;
}

/** A class with the name of its pool, or of what it is for. */
export type NamedClass = ClassSnapshot & { readonly name: string };

export interface RouterEvidence {
  readonly router: string;
  readonly flows: readonly FlowSnapshot[];
  readonly classes: readonly NamedClass[];
}

/** A user's billing record, as the portal gives it. */
export interface PaidRecord {
  readonly user: string;
  readonly session: string;
  readonly sessionClass: string;
  readonly seconds: number;
  /** Layer 3. */
  readonly octetsIn: number;
  readonly octetsOut: number;
  readonly outOfProfile: number;
  readonly price: string;
  readonly shares: readonly { readonly provider: string; readonly amount: string }[];
}

/** SIP messages over one hop, of the game's session alone: how often each was seen, methods and status codes. */
export interface HopEvidence {
  readonly hop: string;
  readonly setup: Readonly<Record<string, number>>;
  readonly teardown: Readonly<Record<string, number>>;
}

export interface Evidence {
  readonly session: string;
  /** From the click on "Accept" to "in session" on both pages. */
  readonly answerMs: number;
  /** Of the flood, both ways, as a multiple of the core link's rate. */
  readonly floodTimes: number;
  readonly seconds: number;
  readonly granted: readonly ShownGrant[];
  readonly sessions: readonly ServerSession[];
  /** From captures at both ends, while the script played. */
  readonly wire: { readonly assured: CallMedia; readonly bestEffort: CallMedia };
  readonly pages: readonly PageFigures[];
  readonly routers: readonly RouterEvidence[];
  readonly paths: readonly PathFigures[];
  readonly hops: readonly HopEvidence[];
  readonly records: readonly PaidRecord[];
  /** Elements of sessions in both edge routers, and sessions in both policy servers, after the hang-up. */
  readonly left: { readonly elements: number; readonly sessions: number };
  /** What tshark found wrong in any message. */
  readonly malformed: readonly string[];
}

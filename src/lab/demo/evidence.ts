/** What the demo gathered. Everything that is checked, printed or written as JSON comes from here. */
import type { MediaFigures } from "../media.js";
import type { SessionSteps } from "../steps.js";

export interface CallMedia {
  readonly toCallee: MediaFigures;
  readonly toCaller: MediaFigures;
}

/** A flow as a router showed it during the call; octets counted at layer 3. */
export interface FlowSnapshot {
  readonly flow: string;
  readonly dscp: number;
  readonly inProfile: { readonly packets: number; readonly octets: number };
  readonly outOfProfile: { readonly packets: number; readonly octets: number };
}

/** A class of a router as it showed it during the call; octets counted at layer 2. */
export interface ClassSnapshot {
  readonly interface: string;
  readonly kind: string;
  readonly rate: number;
  readonly sent: { readonly packets: number; readonly octets: number };
  readonly dropped: number;
}

export interface RouterSnapshot {
  readonly flows: readonly FlowSnapshot[];
  readonly classes: readonly ClassSnapshot[];
  /** Elements in the session maps, counted in what nft printed. */
  readonly elements: number;
  /** `nft list table inet sluice`. */
  readonly nft: string;
  /** `tc -s class show dev core`. */
  readonly tc: string;
}

/** As the clearinghouse stored it; octets counted at layer 3. */
export interface UsageRecord {
  readonly session: string;
  readonly reporter: string;
  readonly side: string;
  readonly durationMs: number;
  readonly octets: number;
  readonly packets: number;
  readonly cause: string;
}

export interface Evidence {
  readonly steps: SessionSteps;
  /** Final status of each call's INVITE. */
  readonly status: { readonly bestEffort: number; readonly assured: number; readonly refused: number };
  readonly media: { readonly bestEffort: CallMedia; readonly assured: CallMedia };
  readonly installed: { readonly r1: RouterSnapshot; readonly r2: RouterSnapshot };
  /** Elements of our maps in both routers after the last call. */
  readonly left: number;
  /** Of the assured call. */
  readonly usage: readonly UsageRecord[];
  readonly refusal: { readonly reason: string; readonly explanation: readonly string[] };
  /** What tshark found wrong in any message. */
  readonly malformed: readonly string[];
}

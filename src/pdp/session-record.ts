/** A session as the policy server remembers it: what was asked, decided, installed and used. */
import type { Refusal } from "../model/decision.js";
import { InternalError } from "../model/errors.js";
import type { SessionFlow } from "../model/flow.js";
import type { MediaGrant } from "../model/quality.js";
import type { SessionId, SessionSide } from "../model/session.js";
import type { Timestamp } from "../model/units.js";
import type { FlowCounters } from "../model/usage.js";
import type { StoredTariff } from "../osp/tariff.js";
import type { PoolNeed } from "./ledger.js";

/**
 * ```
 *  authorised ──answer──▶ reserved ──hang-up──▶ releasing ──router reported──▶ closed
 *      │                     │ ▲ └── other answer (same state)
 *      └──────hang-up────────┼─┘──▶ releasing (nothing installed: straight to closed)
 *  refused (end)             └── refused by pool or router ──▶ closed
 * ```
 */
export type SessionState = "authorised" | "reserved" | "releasing" | "closed" | "refused";

const NEXT: Readonly<Record<SessionState, readonly SessionState[]>> = {
  authorised: ["authorised", "reserved", "releasing", "closed"],
  reserved: ["reserved", "releasing", "closed"],
  releasing: ["releasing", "closed"],
  closed: ["closed"],
  refused: ["refused"],
};

/**
 * How a session ended. `idle`: its media stopped; `expired`: nobody refreshed it (RFC 4028 §10); `left`: a party logged out or
 * its page was closed.
 */
export type EndCause =
  | "bye"
  | "cancel"
  | "failure"
  | "timeout"
  | "refused"
  | "lost"
  | "preempted"
  | "idle"
  | "expired"
  | "left";

/** What becomes of a session whose bandwidth was taken back: it goes on without a guarantee, or its parties are hung up. */
export type ShedTreatment = "bestEffort" | "bye";

/** Why a server ends a session of its own accord. */
export type ServerEndCause = Extract<EndCause, "idle" | "expired" | "left">;

/** A flow with the instance number under which the router knows it. */
export interface InstalledFlow {
  readonly instance: number;
  readonly flow: SessionFlow;
  /** Its service class; that of the session if undefined. */
  readonly class?: string;
  /** The pool whose queue its packets go through; that of the session's class if undefined. */
  readonly pool?: string;
  /** Final counters, once the router removed the flow. */
  readonly final?: FlowCounters;
}

/** A session description that was offered, as received, and by whom. */
export interface Offer {
  readonly by: "caller" | "callee";
  readonly sdp: string;
  /** CSeq number of the request that it came in, or was the answer to. Older records lack it, and take any. */
  readonly cseq?: number;
  /** A description has answered it. */
  readonly answered?: true;
}

/** One line of `sluice explain`. */
export interface SessionStep {
  readonly at: Timestamp;
  readonly what: string;
  readonly detail: string;
}

export interface SessionRecord {
  readonly id: SessionId;
  readonly callId: string;
  /** PEP-ID of the proxy that asked. */
  readonly peer: string;
  readonly side: SessionSide;
  /** Addresses of record, `user@domain`. */
  readonly caller: string;
  readonly callee: string;
  readonly rule: string;
  readonly treatment: "assured" | "bestEffort";
  /** Service class of flows that have none of their own. */
  readonly class: string | undefined;
  /** Importance by its rule, when bandwidth is taken back: more is more important, 0 if undefined. */
  readonly priority?: number;
  /** What the answer is read against. Nothing as long as an INVITE without one is unanswered (RFC 3261 §13.2.1). */
  readonly offer: Offer | undefined;
  /** An offer in the middle of the session that waits for its answer; the agreed flows hold until then. */
  readonly reoffer: Offer | undefined;
  /** The clearinghouse's number, or our own without one: unsigned decimal (OSP TransactionId). */
  readonly transactionId: string;
  readonly directives: StoredDirectives;
  /** What it costs, as the clearinghouse said when it authorised it. */
  readonly tariff?: StoredTariff;
  readonly state: SessionState;
  readonly flows: readonly InstalledFlow[];
  /** Flows of earlier answers in this session, already removed: their counts belong to its usage. */
  readonly past: readonly InstalledFlow[];
  readonly needs: readonly PoolNeed[];
  /** What its media were granted, where anybody asked for a class or a quality. */
  readonly grants?: readonly MediaGrant[];
  readonly refusal: Refusal | undefined;
  /**
   * What it held was taken back: by the network, or with a cause by this server, which ended it. The proxy is told so until
   * the session ends.
   */
  readonly shed?: { readonly treatment: ShedTreatment; readonly at: Timestamp; readonly cause?: ServerEndCause };
  readonly created: Timestamp;
  readonly answered: Timestamp | undefined;
  readonly ended: Timestamp | undefined;
  readonly cause: EndCause | undefined;
  readonly steps: readonly SessionStep[];
}

/** What the proxy was told to add to the INVITE: said again when it asks again after a restart. */
export interface StoredDirectives {
  readonly addHeaders: readonly { readonly name: string; readonly value: string }[];
  readonly removeHeaders: readonly string[];
  readonly nextHop?: string;
  /** The proxy leaves the dialog when it is set up. */
  readonly direct?: boolean;
}

const MAX_STEPS = 64;

export type SessionChange = Partial<Omit<SessionRecord, "id" | "steps">>;

/** The record with `change`, and a step that says why. @throws InternalError on a transition the diagram lacks. */
export function advance(record: SessionRecord, change: SessionChange, step: SessionStep): SessionRecord {
  const state = change.state ?? record.state;
  if (!NEXT[record.state].includes(state)) {
    throw new InternalError("SESSION_TRANSITION", `session ${record.id}: ${record.state} cannot become ${state}`);
  }
  return { ...record, ...change, steps: [...record.steps, step].slice(-MAX_STEPS) };
}

export const isLive = (record: SessionRecord): boolean => record.state === "authorised" || record.state === "reserved";
export const holdsResources = (record: SessionRecord): boolean => isLive(record) || record.state === "releasing";

/** The party in our access network. */
export const localUser = (record: SessionRecord): string =>
  record.side === "originating" ? record.caller : record.callee;

/** What the clearinghouse must never forget, and the one way to change it. */
import type { SessionId } from "../model/session.js";
import type { Timestamp } from "../model/units.js";
import type { SessionTraffic, TransactionId } from "../osp/codec/messages.js";
import type { ReleaseSource, TerminationCauseType } from "../osp/codec/vocabulary.js";

/** An authorised session. */
export interface TransactionRecord {
  readonly id: TransactionId;
  readonly originatingPeer: string;
  /** The peer that may terminate it: by rule, or the first that showed the token. */
  readonly terminatingPeer: string | undefined;
  readonly callId: Buffer;
  readonly session: SessionId | undefined;
  readonly source: string;
  readonly destination: string;
  readonly createdAt: Timestamp;
  /** No session under it can last longer. */
  readonly expiresAt: Timestamp;
}

export type NewTransaction = Omit<TransactionRecord, "id">;

export type UsageRole = "source" | "destination";

/** One report of one side of a session. */
export interface UsageRecord {
  readonly role: UsageRole;
  readonly transactionId: TransactionId;
  /** The SIP Call-ID; `base64:…` where its octets are not printable. */
  readonly callId: string;
  readonly session: SessionId | undefined;
  readonly peer: string;
  readonly source: string;
  readonly destination: string;
  readonly start: Timestamp | undefined;
  readonly end: Timestamp | undefined;
  readonly seconds: number;
  /** Layer 3; up leaves the reporter's access network, down enters it. */
  readonly traffic: SessionTraffic | undefined;
  readonly terminationCause: { readonly type: TerminationCauseType; readonly code: number } | undefined;
  readonly releaseSource: ReleaseSource | undefined;
  readonly receivedAt: Timestamp;
}

/** The rest of a report's identity: one call can bring several reports of one side. */
export interface UsageKey {
  /** Transport address of the attempted destination, empty if not said. */
  readonly destinationAddress: string;
  readonly setupAttempt: number;
  /** RoleInfo State, empty if not said. */
  readonly state: string;
  /** Whether it closes this side of the transaction; interim reports do not. */
  readonly final: boolean;
}

/** Changes of one exchange: all are kept or none. */
export interface ClearinghouseTransaction {
  /** The id was never given out before, and never will be again. */
  addTransaction(record: NewTransaction): TransactionId;
  findTransaction(id: TransactionId): TransactionRecord | undefined;
  /** Counts no further than `limit`. */
  countOpen(originatingPeer: string, now: Timestamp, limit: number): number;
  /**
   * Makes `peer` the terminating side. `again` if it was already and has not reported the end,
   * `taken` if another peer is, or this one has.
   */
  bindTerminating(id: TransactionId, peer: string, now: Timestamp): "bound" | "again" | "taken";
  /** False if the same report is there already: (peer, transaction, Call-ID, role, key) is unique for ever. */
  addUsage(record: UsageRecord, key: UsageKey): boolean;
}

export interface ExchangeResult {
  readonly response: Buffer;
  /** Whether the answer must be repeated octet for octet to a repeated request. */
  readonly remember: boolean;
}

export interface ExchangeRequest {
  readonly peer: string;
  /** SHA-256 of the request's body as received. */
  readonly digest: Buffer;
  readonly receivedAt: Timestamp;
}

export interface UsageFilter {
  readonly transactionId?: TransactionId;
  readonly session?: SessionId;
  /** Newest records only; default 1000. */
  readonly limit?: number;
}

export interface ClearinghouseStore {
  /**
   * Answers one request of a peer exactly once: a body answered before gets the same octets, another
   * is given to `work`. Resolves after its changes and its answer are on disk; requests with
   * equal bodies are taken one after the other. Rejects, with nothing changed, if `work` throws or the disk fails.
   */
  exchange(request: ExchangeRequest, work: (tx: ClearinghouseTransaction) => ExchangeResult): Promise<Buffer>;
  /** Oldest first. */
  usage(filter?: UsageFilter): readonly UsageRecord[];
  /** Drops remembered answers given before `before`. */
  forgetResponses(before: Timestamp): void;
  close(): void;
}

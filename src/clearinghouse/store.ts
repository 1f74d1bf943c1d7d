/** What the clearinghouse must never forget, and the one way to change it. */
import type { GrantResult } from "../model/quality.js";
import type { SessionId } from "../model/session.js";
import type { BitsPerSecond, Timestamp } from "../model/units.js";
import type { SessionTraffic, TransactionId } from "../osp/codec/messages.js";
import type { ReleaseSource, TerminationCauseType } from "../osp/codec/vocabulary.js";
import type { Tariff } from "../osp/tariff.js";
import type { Settlement } from "./settlement.js";

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
  /** What the session costs; undefined: nothing. */
  readonly tariff?: Tariff | undefined;
  /** When each side reported the end, as far as it did. */
  readonly sourceClosedAt?: Timestamp | undefined;
  readonly destinationClosedAt?: Timestamp | undefined;
}

export type NewTransaction = Omit<TransactionRecord, "id" | "sourceClosedAt" | "destinationClosedAt">;

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
  /** What the reporter says that it granted; layer 3, of the direction with more. */
  readonly serviceClass?: string | undefined;
  readonly rate?: BitsPerSecond | undefined;
  readonly result?: GrantResult | undefined;
  readonly receivedAt: Timestamp;
}

/** What a session costs, made once. */
export interface SettledRecord extends Settlement {
  readonly transactionId: TransactionId;
  readonly session: SessionId | undefined;
  readonly originatingPeer: string;
  readonly terminatingPeer: string | undefined;
  readonly source: string;
  readonly destination: string;
  readonly serviceClass: string | undefined;
  readonly result: GrantResult | undefined;
  /** When the session ended, as far as anybody said; else when it was settled. */
  readonly endedAt: Timestamp;
  readonly settledAt: Timestamp;
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
  /** Prices the transaction by its tariff from the final reports that are there. False if it has none, or a price already. */
  settle(id: TransactionId, now: Timestamp): boolean;
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
  /** Oldest first. */
  settled(filter?: UsageFilter): readonly SettledRecord[];
  /** Prices what one side alone reported, before `before`. Gives how many; a part of them, if they are very many. */
  settleOverdue(before: Timestamp, now: Timestamp): number;
  /** Drops remembered answers given before `before`. */
  forgetResponses(before: Timestamp): void;
  close(): void;
}

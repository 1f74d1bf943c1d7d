/** Rows of the clearinghouse's tables <-> records. */
import type { GrantResult } from "../model/quality.js";
import type { SessionId } from "../model/session.js";
import type { BitsPerSecond, Timestamp } from "../model/units.js";
import type { SessionTraffic, TransactionId } from "../osp/codec/messages.js";
import type { ReleaseSource, TerminationCauseType } from "../osp/codec/vocabulary.js";
import { type StoredTariff, tariffFrom } from "../osp/tariff.js";
import type { TransactionRecord, UsageKey, UsageRecord, UsageRole } from "./store.js";

export interface TransactionRow {
  readonly id: number;
  readonly originating_peer: string;
  readonly terminating_peer: string | null;
  readonly bound_at: number | null;
  readonly call_id: Buffer;
  readonly session: string | null;
  readonly source: string;
  readonly destination: string;
  readonly created_at: number;
  readonly expires_at: number;
  readonly source_closed_at: number | null;
  readonly destination_closed_at: number | null;
  readonly tariff: string | null;
  readonly settled_at: number | null;
}

export interface UsageRow {
  readonly role: string;
  readonly transaction_id: string;
  readonly call_id: string;
  readonly session: string | null;
  readonly peer: string;
  readonly source: string;
  readonly destination: string;
  readonly start_at: number | null;
  readonly end_at: number | null;
  readonly seconds: number;
  readonly traffic: string | null;
  readonly cause_type: string | null;
  readonly cause_code: number | null;
  readonly release_source: string | null;
  readonly received_at: number;
  readonly service_class: string | null;
  readonly rate: number | null;
  readonly result: string | null;
}

const orUndefined = <T>(value: T | null): T | undefined => value ?? undefined;

export function transactionOf(row: TransactionRow): TransactionRecord {
  return {
    id: String(row.id) as TransactionId,
    originatingPeer: row.originating_peer,
    terminatingPeer: orUndefined(row.terminating_peer),
    callId: row.call_id,
    session: orUndefined(row.session) as SessionId | undefined,
    source: row.source,
    destination: row.destination,
    createdAt: row.created_at as Timestamp,
    expiresAt: row.expires_at as Timestamp,
    tariff: row.tariff === null ? undefined : tariffFrom(JSON.parse(row.tariff) as StoredTariff),
    sourceClosedAt: orUndefined(row.source_closed_at) as Timestamp | undefined,
    destinationClosedAt: orUndefined(row.destination_closed_at) as Timestamp | undefined,
  };
}

export function usageOf(row: UsageRow): UsageRecord {
  const cause =
    row.cause_type === null || row.cause_code === null
      ? undefined
      : { type: row.cause_type as TerminationCauseType, code: row.cause_code };
  return {
    role: row.role as UsageRole,
    transactionId: row.transaction_id as TransactionId,
    callId: row.call_id,
    session: orUndefined(row.session) as SessionId | undefined,
    peer: row.peer,
    source: row.source,
    destination: row.destination,
    start: orUndefined(row.start_at) as Timestamp | undefined,
    end: orUndefined(row.end_at) as Timestamp | undefined,
    seconds: row.seconds,
    traffic: row.traffic === null ? undefined : (JSON.parse(row.traffic) as SessionTraffic),
    terminationCause: cause,
    releaseSource: orUndefined(row.release_source) as ReleaseSource | undefined,
    serviceClass: orUndefined(row.service_class),
    rate: orUndefined(row.rate) as BitsPerSecond | undefined,
    result: orUndefined(row.result) as GrantResult | undefined,
    receivedAt: row.received_at as Timestamp,
  };
}

/** Named parameters of the insert. */
export function usageParameters(record: UsageRecord, key: UsageKey): Record<string, string | number | null> {
  return {
    peer: record.peer,
    transactionId: record.transactionId,
    callId: record.callId,
    role: record.role,
    destinationAddress: key.destinationAddress,
    setupAttempt: key.setupAttempt,
    state: key.state,
    final: key.final ? 1 : 0,
    session: record.session ?? null,
    source: record.source,
    destination: record.destination,
    start: record.start ?? null,
    end: record.end ?? null,
    seconds: record.seconds,
    traffic: record.traffic === undefined ? null : JSON.stringify(record.traffic),
    causeType: record.terminationCause?.type ?? null,
    causeCode: record.terminationCause?.code ?? null,
    releaseSource: record.releaseSource ?? null,
    serviceClass: record.serviceClass ?? null,
    rate: record.rate ?? null,
    result: record.result ?? null,
    receivedAt: record.receivedAt,
  };
}

/** Prices of sessions in SQLite: made once for each transaction, from the final reports that are there. */
import type { Statement } from "better-sqlite3";
import type { GrantResult } from "../model/quality.js";
import type { SessionId } from "../model/session.js";
import type { Timestamp } from "../model/units.js";
import type { TransactionId } from "../osp/codec/messages.js";
import type { Database } from "../store/database.js";
import { type SettlementBasis, settle } from "./settlement.js";
import { type TransactionRow, transactionOf, type UsageRow, usageOf } from "./sqlite-rows.js";
import type { SettledRecord, TransactionRecord, UsageFilter } from "./store.js";

const LIST_LIMIT = 1000;
/** Overdue ones that are priced at a time: the role stands still meanwhile. */
const OVERDUE_LIMIT = 500;

interface SettlementRow {
  readonly transaction_id: string;
  readonly session: string | null;
  readonly originating_peer: string;
  readonly terminating_peer: string | null;
  readonly source: string;
  readonly destination: string;
  readonly service_class: string | null;
  readonly result: string | null;
  readonly ended_at: number | null;
  readonly basis: string;
  readonly milliseconds: number;
  readonly rate: number;
  readonly octets_in_profile: number;
  readonly octets_out_of_profile: number;
  readonly octets_forward: number;
  readonly octets_backward: number;
  readonly currency: string;
  readonly amount: number;
  readonly originating: number;
  readonly terminating: number;
  readonly clearinghouse: number;
  readonly settled_at: number;
}

/** Class and result as the originating side tells them, which asked for them; else as the other does. */
const LIST = `
SELECT * FROM (
  SELECT s.*, t.session, t.originating_peer, t.terminating_peer, t.source, t.destination,
    coalesce(o.service_class, d.service_class) AS service_class, coalesce(o.result, d.result) AS result,
    coalesce(o.end_at, d.end_at) AS ended_at
  FROM settlements s JOIN transactions t ON t.id = CAST(s.transaction_id AS INTEGER)
  LEFT JOIN usage o ON o.id = (SELECT max(id) FROM usage WHERE transaction_id = s.transaction_id AND role = 'source')
  LEFT JOIN usage d ON d.id = (SELECT max(id) FROM usage WHERE transaction_id = s.transaction_id AND role = 'destination')
  WHERE (@transactionId IS NULL OR s.transaction_id = @transactionId) AND (@session IS NULL OR t.session = @session)
  ORDER BY s.id DESC LIMIT @limit) ORDER BY id`;

export class SqliteSettlements {
  readonly #database: Database;
  readonly #reports: Statement<[string], UsageRow>;
  readonly #insert: Statement<[Record<string, string | number | bigint>]>;
  readonly #mark: Statement<[number, string]>;
  readonly #overdue: Statement<[number, number], TransactionRow>;
  readonly #list: Statement<[Record<string, string | number | null>], SettlementRow>;

  constructor(database: Database) {
    this.#database = database;
    this.#reports = database.prepare("SELECT * FROM usage WHERE transaction_id = ? AND final = 1 ORDER BY id");
    this.#insert = database.prepare(`INSERT INTO settlements
      (transaction_id, basis, milliseconds, rate, octets_in_profile, octets_out_of_profile, octets_forward, octets_backward,
       currency, amount, originating, terminating, clearinghouse, settled_at)
      VALUES (@transactionId, @basis, @milliseconds, @rate, @inProfile, @outOfProfile, @forward, @backward, @currency,
       @amount, @originating, @terminating, @clearinghouse, @settledAt)
      ON CONFLICT DO NOTHING`);
    this.#mark = database.prepare("UPDATE transactions SET settled_at = ? WHERE id = ?");
    this.#overdue = database.prepare(`SELECT * FROM transactions
      WHERE tariff IS NOT NULL AND settled_at IS NULL AND coalesce(source_closed_at, destination_closed_at) < ? LIMIT ?`);
    this.#list = database.prepare(LIST);
  }

  /** Within the caller's transaction. False without a tariff or a report, or with a price already. */
  settle({ id, tariff }: TransactionRecord, now: Timestamp): boolean {
    const settlement = tariff === undefined ? undefined : settle(tariff, this.#reports.all(id).map(usageOf));
    if (settlement === undefined) return false;
    const { basis, usage, price } = settlement;
    const { changes } = this.#insert.run({
      transactionId: id,
      basis,
      milliseconds: bounded(usage.milliseconds),
      rate: usage.rate,
      inProfile: bounded(usage.octetsInProfile),
      outOfProfile: bounded(usage.octetsOutOfProfile),
      forward: bounded(settlement.octetsForward),
      backward: bounded(settlement.octetsBackward),
      currency: price.currency,
      amount: price.amount,
      originating: price.originating,
      terminating: price.terminating,
      clearinghouse: price.clearinghouse,
      settledAt: now,
    });
    this.#mark.run(now, id);
    return changes > 0;
  }

  settleOverdue(before: Timestamp, now: Timestamp): number {
    const work = this.#database.transaction(
      () =>
        this.#overdue
          .all(before, OVERDUE_LIMIT)
          .map(transactionOf)
          .filter((transaction) => this.settle(transaction, now)).length,
    );
    return work.immediate();
  }

  list(filter: UsageFilter): readonly SettledRecord[] {
    const { transactionId = null, session = null, limit = LIST_LIMIT } = filter;
    return this.#list.all({ transactionId, session, limit }).map(settledOf);
  }
}

/** SQLite's INTEGER takes whole numbers only, and reports are others' numbers. */
const bounded = (value: number): bigint => BigInt(Math.min(Math.round(value), Number.MAX_SAFE_INTEGER));

function settledOf(row: SettlementRow): SettledRecord {
  return {
    transactionId: row.transaction_id as TransactionId,
    session: (row.session ?? undefined) as SessionId | undefined,
    originatingPeer: row.originating_peer,
    terminatingPeer: row.terminating_peer ?? undefined,
    source: row.source,
    destination: row.destination,
    serviceClass: row.service_class ?? undefined,
    result: (row.result ?? undefined) as GrantResult | undefined,
    endedAt: (row.ended_at ?? row.settled_at) as Timestamp,
    settledAt: row.settled_at as Timestamp,
    basis: row.basis as SettlementBasis,
    usage: {
      milliseconds: row.milliseconds,
      rate: row.rate,
      octetsInProfile: row.octets_in_profile,
      octetsOutOfProfile: row.octets_out_of_profile,
    },
    octetsForward: row.octets_forward,
    octetsBackward: row.octets_backward,
    price: {
      currency: row.currency,
      amount: BigInt(row.amount),
      originating: BigInt(row.originating),
      terminating: BigInt(row.terminating),
      clearinghouse: BigInt(row.clearinghouse),
    },
  };
}

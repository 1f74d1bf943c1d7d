/** ClearinghouseStore on one SQLite file (WAL, synchronous=FULL), with group commit. */
import type { Statement } from "better-sqlite3";
import { InternalError } from "../model/errors.js";
import type { Timestamp } from "../model/units.js";
import type { TransactionId } from "../osp/codec/messages.js";
import { storedTariff } from "../osp/tariff.js";
import { type Database, openDatabase } from "../store/database.js";
import { GroupCommit } from "../store/group-commit.js";
import { type TransactionRow, transactionOf, type UsageRow, usageOf, usageParameters } from "./sqlite-rows.js";
import { CLEARINGHOUSE_MIGRATIONS } from "./sqlite-schema.js";
import { SqliteSettlements } from "./sqlite-settlements.js";
import type {
  ClearinghouseStore,
  ClearinghouseTransaction,
  ExchangeRequest,
  ExchangeResult,
  NewTransaction,
  SettledRecord,
  TransactionRecord,
  UsageFilter,
  UsageKey,
  UsageRecord,
} from "./store.js";

const USAGE_LIMIT = 1000;

/** @param path the file, or `:memory:` @throws SystemError STORE_* if it cannot be used */
export function openClearinghouseStore(path: string): SqliteClearinghouseStore {
  return new SqliteClearinghouseStore(openDatabase(path, CLEARINGHOUSE_MIGRATIONS));
}

export class SqliteClearinghouseStore implements ClearinghouseStore {
  readonly #database: Database;
  readonly #commits: GroupCommit;
  readonly #settlements: SqliteSettlements;
  readonly #tx: SqliteTransaction;
  readonly #findResponse: Statement<[string, Buffer], { response: Buffer }>;
  readonly #keepResponse: Statement<[string, Buffer, Buffer, number]>;

  /** @param database with CLEARINGHOUSE_MIGRATIONS applied; closed by `close` */
  constructor(database: Database) {
    this.#database = database;
    this.#commits = new GroupCommit(database);
    this.#settlements = new SqliteSettlements(database);
    this.#tx = new SqliteTransaction(database, this.#settlements);
    this.#findResponse = database.prepare("SELECT response FROM responses WHERE peer = ? AND digest = ?");
    this.#keepResponse = database.prepare(
      "INSERT INTO responses (peer, digest, response, answered_at) VALUES (?, ?, ?, ?)",
    );
  }

  /** Operations run one after the other, so a body that came twice finds the answer to the first. */
  exchange(request: ExchangeRequest, work: (tx: ClearinghouseTransaction) => ExchangeResult): Promise<Buffer> {
    const { peer, digest, receivedAt } = request;
    return this.#commits.run(() => {
      const known = this.#findResponse.get(peer, digest);
      if (known !== undefined) return known.response;
      const { response, remember } = work(this.#tx);
      if (remember) this.#keepResponse.run(peer, digest, response, receivedAt);
      return response;
    });
  }

  usage(filter: UsageFilter = {}): readonly UsageRecord[] {
    const rows = this.#database
      .prepare<Record<string, string | number | null>, UsageRow>(
        `SELECT * FROM (SELECT * FROM usage
           WHERE (@transactionId IS NULL OR transaction_id = @transactionId) AND (@session IS NULL OR session = @session)
           ORDER BY id DESC LIMIT @limit) ORDER BY id`,
      )
      .all({
        transactionId: filter.transactionId ?? null,
        session: filter.session ?? null,
        limit: filter.limit ?? USAGE_LIMIT,
      });
    return rows.map(usageOf);
  }

  settled(filter: UsageFilter = {}): readonly SettledRecord[] {
    return this.#settlements.list(filter);
  }

  settleOverdue(before: Timestamp, now: Timestamp): number {
    return this.#settlements.settleOverdue(before, now);
  }

  forgetResponses(before: Timestamp): void {
    this.#database.prepare("DELETE FROM responses WHERE answered_at < ?").run(before);
  }

  /** Requests that still wait are committed first. */
  close(): void {
    this.#commits.close();
    this.#database.close();
  }
}

class SqliteTransaction implements ClearinghouseTransaction {
  readonly #insert: Statement<[Record<string, string | number | Buffer | null>]>;
  readonly #find: Statement<[string], TransactionRow>;
  readonly #count: Statement<[string, number, number], { open: number }>;
  readonly #bind: Statement<[string, number, string]>;
  readonly #insertUsage: Statement<[Record<string, string | number | null>]>;
  readonly #close: Readonly<Record<UsageRecord["role"], Statement<[number, string]>>>;
  readonly #settlements: SqliteSettlements;

  constructor(database: Database, settlements: SqliteSettlements) {
    this.#settlements = settlements;
    this.#insert = database.prepare(`INSERT INTO transactions
      (originating_peer, terminating_peer, call_id, session, source, destination, created_at, expires_at, tariff)
      VALUES (@originatingPeer, @terminatingPeer, @callId, @session, @source, @destination, @createdAt, @expiresAt,
       @tariff)`);
    this.#find = database.prepare("SELECT * FROM transactions WHERE id = ?");
    this.#count = database.prepare(`SELECT count(*) AS open FROM (SELECT 1 FROM transactions
      WHERE originating_peer = ? AND expires_at > ? AND source_closed_at IS NULL LIMIT ?)`);
    this.#bind = database.prepare("UPDATE transactions SET terminating_peer = ?, bound_at = ? WHERE id = ?");
    this.#insertUsage = database.prepare(`INSERT INTO usage
      (peer, transaction_id, call_id, role, destination_address, setup_attempt, state, session, source, destination,
       start_at, end_at, seconds, traffic, cause_type, cause_code, release_source, received_at, service_class, rate, result,
       final)
      VALUES (@peer, @transactionId, @callId, @role, @destinationAddress, @setupAttempt, @state, @session, @source,
       @destination, @start, @end, @seconds, @traffic, @causeType, @causeCode, @releaseSource, @receivedAt, @serviceClass,
       @rate, @result, @final)
      ON CONFLICT DO NOTHING`);
    this.#close = {
      source: database.prepare("UPDATE transactions SET source_closed_at = ? WHERE id = ?"),
      destination: database.prepare("UPDATE transactions SET destination_closed_at = ? WHERE id = ?"),
    };
  }

  addTransaction(record: NewTransaction): TransactionId {
    const { lastInsertRowid } = this.#insert.run({
      ...record,
      terminatingPeer: record.terminatingPeer ?? null,
      session: record.session ?? null,
      tariff: record.tariff === undefined ? null : JSON.stringify(storedTariff(record.tariff)),
    });
    return String(lastInsertRowid) as TransactionId;
  }

  findTransaction(id: TransactionId): TransactionRecord | undefined {
    const row = this.#row(id);
    return row === undefined ? undefined : transactionOf(row);
  }

  countOpen(originatingPeer: string, now: Timestamp, limit: number): number {
    return this.#count.get(originatingPeer, now, limit)?.open ?? 0;
  }

  bindTerminating(id: TransactionId, peer: string, now: Timestamp): "bound" | "again" | "taken" {
    const row = this.#row(id);
    if (row === undefined) throw new InternalError("CLEARINGHOUSE_TRANSACTION", `no transaction ${id} to bind`);
    if (row.terminating_peer !== null && row.terminating_peer !== peer) return "taken";
    if (row.destination_closed_at !== null) return "taken";
    if (row.bound_at !== null) return "again";
    this.#bind.run(peer, now, id);
    return "bound";
  }

  addUsage(record: UsageRecord, key: UsageKey): boolean {
    const { changes } = this.#insertUsage.run(usageParameters(record, key));
    if (changes > 0 && key.final) this.#close[record.role].run(record.receivedAt, record.transactionId);
    return changes > 0;
  }

  settle(id: TransactionId, now: Timestamp): boolean {
    const transaction = this.findTransaction(id);
    return transaction !== undefined && this.#settlements.settle(transaction, now);
  }

  /** Ids are 64 bit on the wire, SQLite's own are below 2^53: what cannot be one of ours is not looked up. */
  #row(id: TransactionId): TransactionRow | undefined {
    return id.length > 15 ? undefined : this.#find.get(id);
  }
}

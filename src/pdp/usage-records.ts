/**
 * Billing records of users: one for each session that was answered, kept in the transaction that closes it. The price is made from
 * the tariff that came with the authorisation; the clearinghouse's, made from the reports of both sides, may be smaller.
 */
import { domainOf } from "../model/address-of-record.js";
import type { GrantResult } from "../model/quality.js";
import type { SessionId } from "../model/session.js";
import type { Octets, Timestamp } from "../model/units.js";
import { type Price, priceOf, type StoredTariff, tariffFrom } from "../osp/tariff.js";
import type { Database, Migration, Statement } from "../store/database.js";
import { localUser, type SessionRecord } from "./session-record.js";
import { durationOf, grantedRate, resultOf, serviceClassOf, trafficOf } from "./usage.js";

export const USAGE_RECORD_MIGRATION: Migration = {
  name: "usage records",
  up: `CREATE TABLE usage_record (
     id INTEGER PRIMARY KEY,
     session TEXT NOT NULL,
     transaction_id TEXT NOT NULL,
     user TEXT NOT NULL,
     at REAL NOT NULL,
     record TEXT NOT NULL,
     UNIQUE (session, transaction_id)
   ) STRICT;
   CREATE INDEX usage_record_user ON usage_record (user, at);
   CREATE INDEX usage_record_at ON usage_record (at);`,
};

/** Octets at layer 3; `in` enters the user's access network. */
export interface UserRecord {
  readonly session: SessionId;
  readonly at: Timestamp;
  readonly user: string;
  readonly peer: string;
  readonly class: string | undefined;
  readonly result: GrantResult;
  /** bit/s at layer 3, of the direction with more. */
  readonly rate: number;
  readonly seconds: number;
  readonly octetsIn: Octets;
  readonly octetsOut: Octets;
  readonly outOfProfile: Octets;
  /** Undefined where no tariff was told. */
  readonly tariff: StoredTariff | undefined;
  /** Domains of the caller and of the callee: who the shares are for. */
  readonly providers: { readonly originating: string; readonly terminating: string };
}

/** A session whose authorisation told what it costs. */
export type PricedSession = SessionRecord & { readonly tariff?: StoredTariff | undefined };

/** Undefined for a session that was never answered: nothing was used, and nothing is paid. */
export function userRecord(record: PricedSession): UserRecord | undefined {
  if (record.answered === undefined) return undefined;
  const user = localUser(record);
  const [up, down] = [trafficOf(record, "up"), trafficOf(record, "down")];
  const octets = ({ inProfile, outOfProfile }: typeof up): Octets => (inProfile.octets + outOfProfile.octets) as Octets;
  return {
    session: record.id,
    at: record.ended ?? record.answered,
    user,
    peer: user === record.caller ? record.callee : record.caller,
    class: record.treatment === "assured" || record.shed !== undefined ? serviceClassOf(record) : undefined,
    result: resultOf(record),
    rate: grantedRate(record),
    seconds: durationOf(record) / 1000,
    octetsIn: octets(down),
    octetsOut: octets(up),
    outOfProfile: (up.outOfProfile.octets + down.outOfProfile.octets) as Octets,
    tariff: record.tariff,
    providers: { originating: domainOf(record.caller), terminating: domainOf(record.callee) },
  };
}

/** By what this side counted. */
export function priceOfRecord({ tariff, ...record }: UserRecord): Price | undefined {
  if (tariff === undefined) return undefined;
  return priceOf(tariffFrom(tariff), {
    milliseconds: Math.round(record.seconds * 1000),
    rate: record.rate,
    octetsInProfile: record.octetsIn + record.octetsOut - record.outOfProfile,
    octetsOutOfProfile: record.outOfProfile,
  });
}

export interface RecordQuery {
  /** Address of record; all users if undefined. */
  readonly user?: string | undefined;
  /** Those that ended earlier. */
  readonly before?: Timestamp | undefined;
  /** And of those that ended just then, the ones that follow this in the list. */
  readonly session?: string | undefined;
  /** Default 100, at most 1000. */
  readonly limit?: number | undefined;
}

const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 1000;

interface Row {
  readonly record: string;
}

/** On a database that has USAGE_RECORD_MIGRATION. */
export class UsageRecords {
  readonly #insert: Statement<[string, string, string, number, string]>;
  readonly #ofUser: Statement<[string, number, string, number], Row>;
  readonly #ofAll: Statement<[number, string, number], Row>;
  readonly #prune: Statement<[number]>;

  constructor(database: Database) {
    this.#insert = database.prepare(
      `INSERT INTO usage_record (session, transaction_id, user, at, record) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    );
    const rest = "(at, session) < (?, ?) ORDER BY at DESC, session DESC LIMIT ?";
    this.#ofUser = database.prepare(`SELECT record FROM usage_record WHERE user = ? AND ${rest}`);
    this.#ofAll = database.prepare(`SELECT record FROM usage_record WHERE ${rest}`);
    this.#prune = database.prepare("DELETE FROM usage_record WHERE at < ?");
  }

  /** To be called in the transaction that closes the session. */
  settle(session: PricedSession): void {
    const record = userRecord(session);
    if (record === undefined) return;
    this.#insert.run(
      record.session,
      session.transactionId,
      record.user.toLowerCase(),
      record.at,
      JSON.stringify(record),
    );
  }

  /** The newest first; of those that ended at the same time, by session. */
  list({ user, before, session = "", limit = LIMIT_DEFAULT }: RecordQuery = {}): readonly UserRecord[] {
    const until = before ?? Number.MAX_SAFE_INTEGER;
    const most = Math.min(LIMIT_MAX, Math.max(1, Math.floor(limit)));
    const rows =
      user === undefined
        ? this.#ofAll.all(until, session, most)
        : this.#ofUser.all(user.toLowerCase(), until, session, most);
    return rows.map(({ record }) => JSON.parse(record) as UserRecord);
  }

  /** Forgets what ended before `time` (epoch ms). */
  prune(time: number): void {
    this.#prune.run(time);
  }
}

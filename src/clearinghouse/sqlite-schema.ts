/** Tables of the clearinghouse in SQLite: one step for each version of the schema, never changed once released. */
import type { Migration } from "../store/database.js";

const VERSION_1 = `
CREATE TABLE transactions (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  originating_peer TEXT NOT NULL,
  terminating_peer TEXT,
  bound_at REAL,
  call_id BLOB NOT NULL,
  session TEXT,
  source TEXT NOT NULL,
  destination TEXT NOT NULL,
  created_at REAL NOT NULL,
  expires_at REAL NOT NULL,
  source_closed_at REAL,
  destination_closed_at REAL
) STRICT;
-- Ids go on from the time the database was made (1000 for each second since late 2023): one that replaces
-- a lost one gives none out again.
INSERT INTO sqlite_sequence (name, seq) VALUES ('transactions', (CAST(strftime('%s', 'now') AS INTEGER) - 1700000000) * 1000);
CREATE INDEX transactions_open ON transactions (originating_peer, expires_at) WHERE source_closed_at IS NULL;

CREATE TABLE responses (
  peer TEXT NOT NULL,
  digest BLOB NOT NULL,
  response BLOB NOT NULL,
  answered_at REAL NOT NULL,
  PRIMARY KEY (peer, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX responses_age ON responses (answered_at);

CREATE TABLE usage (
  id INTEGER PRIMARY KEY,
  peer TEXT NOT NULL,
  transaction_id TEXT NOT NULL,
  call_id TEXT NOT NULL,
  role TEXT NOT NULL,
  destination_address TEXT NOT NULL,
  setup_attempt INTEGER NOT NULL,
  state TEXT NOT NULL,
  session TEXT,
  source TEXT NOT NULL,
  destination TEXT NOT NULL,
  start_at REAL,
  end_at REAL,
  seconds REAL NOT NULL,
  traffic TEXT,
  cause_type TEXT,
  cause_code INTEGER,
  release_source TEXT,
  received_at REAL NOT NULL,
  UNIQUE (peer, transaction_id, call_id, role, destination_address, setup_attempt, state)
) STRICT;
CREATE INDEX usage_transaction ON usage (transaction_id);
CREATE INDEX usage_session ON usage (session);
`;

const VERSION_2 = `
ALTER TABLE transactions ADD COLUMN tariff TEXT;
ALTER TABLE transactions ADD COLUMN settled_at REAL;
CREATE INDEX transactions_unsettled ON transactions (coalesce(source_closed_at, destination_closed_at))
  WHERE tariff IS NOT NULL AND settled_at IS NULL;
ALTER TABLE usage ADD COLUMN service_class TEXT;
ALTER TABLE usage ADD COLUMN rate REAL;
ALTER TABLE usage ADD COLUMN result TEXT;
ALTER TABLE usage ADD COLUMN final INTEGER NOT NULL DEFAULT 1;

-- Amounts in millionths of a currency unit; octets at layer 3.
CREATE TABLE settlements (
  id INTEGER PRIMARY KEY,
  transaction_id TEXT NOT NULL UNIQUE,
  basis TEXT NOT NULL,
  milliseconds INTEGER NOT NULL,
  rate REAL NOT NULL,
  octets_in_profile INTEGER NOT NULL,
  octets_out_of_profile INTEGER NOT NULL,
  octets_forward INTEGER NOT NULL,
  octets_backward INTEGER NOT NULL,
  currency TEXT NOT NULL,
  amount INTEGER NOT NULL,
  originating INTEGER NOT NULL,
  terminating INTEGER NOT NULL,
  clearinghouse INTEGER NOT NULL,
  settled_at REAL NOT NULL
) STRICT;
`;

export const CLEARINGHOUSE_MIGRATIONS: readonly Migration[] = [
  { name: "clearinghouse", up: VERSION_1 },
  { name: "prices", up: VERSION_2 },
];

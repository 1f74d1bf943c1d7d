/** Used tokens, durable: a restart does not let a token in a second time. */
import type { Clock } from "../model/clock.js";
import type { Timestamp } from "../model/units.js";
import type { TransactionId } from "../osp/codec/messages.js";
import type { ReplayGuard } from "../osp/token/token.js";
import type { Database, Migration } from "../store/database.js";

export const REPLAY_MIGRATION: Migration = {
  name: "used tokens",
  up: `CREATE TABLE used_token (token TEXT PRIMARY KEY, until REAL NOT NULL) STRICT;
   CREATE INDEX used_token_until ON used_token (until);`,
};

export class ReplayStore implements ReplayGuard {
  readonly #database: Database;
  readonly #clock: Clock;

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  seen(transactionId: TransactionId, callId: Buffer, until: Timestamp): boolean {
    const note = this.#database.transaction(() => {
      this.#database.prepare("DELETE FROM used_token WHERE until < ?").run(this.#clock.now());
      return this.#database
        .prepare("INSERT INTO used_token (token, until) VALUES (?, ?) ON CONFLICT (token) DO NOTHING")
        .run(`${transactionId} ${callId.toString("base64")}`, until);
    });
    return note.immediate().changes === 0;
  }
}

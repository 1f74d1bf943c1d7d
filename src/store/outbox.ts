/**
 * Messages that must reach a peer exactly once in effect. A row is written in the transaction that makes it
 * due; the sender repeats it, octet for octet the same, until the peer has answered; the peer knows repeated
 * messages by their key. In order: a message is not tried before the one ahead of it is settled.
 */
import type { Database, Statement } from "better-sqlite3";
import { type Clock, SYSTEM_CLOCK, type Timer } from "../model/clock.js";
import type { Logger } from "../model/log.js";
import { type Millis, millis, seconds } from "../model/units.js";
import type { Migration } from "./database.js";

/** Add to a database's migrations to have an outbox in it. */
export const OUTBOX_MIGRATION: Migration = {
  name: "outbox",
  up: `CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    body BLOB NOT NULL,
    state TEXT NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'acked', 'rejected')),
    attempts INTEGER NOT NULL DEFAULT 0,
    created REAL NOT NULL,
    settled REAL
  ) STRICT;
  CREATE INDEX outbox_by_state ON outbox (state, seq);`,
};

/** `acked`: the peer has it. `rejected`: it will never take it. `retry`: nobody knows; send it again. */
export type Delivery = "acked" | "rejected" | "retry";

export interface OutboxOptions {
  readonly database: Database;
  readonly deliver: (body: Buffer, key: string) => Promise<Delivery>;
  readonly log: Logger;
  readonly clock?: Clock;
  /** First and longest pause between attempts. Default 1 s and 5 min. */
  readonly backoff?: { readonly first: Millis; readonly longest: Millis };
  /** 0..1, for the jitter. */
  readonly random?: () => number;
  /** Settled rows are kept this long, so that a key cannot come again. Default 30 d. */
  readonly keepSettled?: Millis;
}

export interface OutboxStatus {
  readonly pending: number;
  readonly rejected: number;
  /** Age of the oldest message that waits. */
  readonly oldest: Millis | undefined;
}

interface Row {
  readonly seq: number;
  readonly key: string;
  readonly body: Buffer;
  readonly attempts: number;
}

export class Outbox {
  readonly #options: Required<OutboxOptions>;
  readonly #insert: Statement<[string, Uint8Array, number]>;
  readonly #next: Statement<[], Row>;
  readonly #attempted: Statement<[number]>;
  readonly #settle: Statement<[string, number, number]>;
  readonly #prune: Statement<[number]>;
  #timer: Timer | undefined;
  #sending: Promise<void> | undefined;
  #state: "stopped" | "running" | "closed" = "stopped";

  constructor(options: OutboxOptions) {
    const backoff = { first: seconds(1), longest: seconds(300) };
    const keepSettled = seconds(30 * 86_400);
    this.#options = { clock: SYSTEM_CLOCK, backoff, random: Math.random, keepSettled, ...options };
    const { database } = options;
    this.#insert = database.prepare(
      "INSERT INTO outbox (key, body, created) VALUES (?, ?, ?) ON CONFLICT (key) DO NOTHING",
    );
    this.#next = database.prepare(
      "SELECT seq, key, body, attempts FROM outbox WHERE state = 'new' ORDER BY seq LIMIT 1",
    );
    this.#attempted = database.prepare("UPDATE outbox SET attempts = attempts + 1 WHERE seq = ?");
    this.#settle = database.prepare("UPDATE outbox SET state = ?, settled = ? WHERE seq = ? AND state = 'new'");
    this.#prune = database.prepare("DELETE FROM outbox WHERE state = 'acked' AND settled < ?");
  }

  /**
   * Writes a message in the transaction that the caller has open; it is sent after the commit.
   * @param key - what makes the message the same message; a key that is there already is left as it is
   * @returns whether it was new
   */
  enqueue(key: string, body: Uint8Array): boolean {
    const isNew = this.#insert.run(key, body, this.#options.clock.now()).changes === 1;
    // The transaction is still open: look again when it is committed, or taken back.
    if (isNew && this.#sending === undefined && this.#timer === undefined) this.#wake(millis(0));
    return isNew;
  }

  /** Begins to send, also what an earlier process left. */
  start(): void {
    if (this.#state !== "stopped") return;
    this.#state = "running";
    this.#prune.run(this.#options.clock.now() - this.#options.keepSettled);
    this.#wake(millis(0));
  }

  /** Tries at once instead of after the pause: the peer is known to be back. */
  kick(): void {
    if (this.#sending === undefined) this.#wake(millis(0));
  }

  status(): OutboxStatus {
    const row = this.#options.database
      .prepare<[], { pending: number; rejected: number; oldest: number | null }>(
        `SELECT count(*) FILTER (WHERE state = 'new') AS pending, count(*) FILTER (WHERE state = 'rejected') AS rejected,
         min(created) FILTER (WHERE state = 'new') AS oldest FROM outbox`,
      )
      .get();
    const oldest = row?.oldest ?? undefined;
    return {
      pending: row?.pending ?? 0,
      rejected: row?.rejected ?? 0,
      oldest: oldest === undefined ? undefined : millis(Math.max(0, this.#options.clock.now() - oldest)),
    };
  }

  /** Stops; waits for the message on its way. What is left is sent by the next process. */
  async close(): Promise<void> {
    this.#state = "closed";
    this.#timer?.cancel();
    await this.#sending;
  }

  #wake(delay: Millis): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#state !== "running") return;
    this.#timer = this.#options.clock.after(delay, () => {
      this.#timer = undefined;
      this.#sending ??= this.#sendAll().finally(() => {
        this.#sending = undefined;
        // One may have been written after the last look and before this line.
        if (this.#state === "running" && this.#timer === undefined && this.#next.get() !== undefined) this.kick();
      });
    });
  }

  async #sendAll(): Promise<void> {
    try {
      while (this.#state === "running") {
        const row = this.#next.get();
        if (row === undefined) return;
        const isSettled = await this.#sendOne(row);
        if (!isSettled) return;
      }
    } catch (error) {
      // The store failed, not the peer: come back, since nothing of the row has changed.
      this.#options.log.error("outbox.failed", { error });
      this.#wake(this.#options.backoff.longest);
    }
  }

  /** Whether the message is settled; if not, the next attempt is armed. */
  async #sendOne(row: Row): Promise<boolean> {
    const { clock, log } = this.#options;
    this.#attempted.run(row.seq);
    const delivery = await this.#deliver(row);
    if (delivery === "retry") {
      const pause = this.#pauseAfter(row.attempts);
      log.info("outbox.retry", { id: row.seq, attempts: row.attempts + 1, pauseMs: pause });
      this.#wake(pause);
      return false;
    }
    const now = clock.now();
    this.#settle.run(delivery, now, row.seq);
    if (delivery === "rejected") log.error("outbox.rejected", { id: row.seq, attempts: row.attempts + 1 });
    else if (row.seq % 100 === 0) this.#prune.run(now - this.#options.keepSettled);
    return true;
  }

  async #deliver(row: Row): Promise<Delivery> {
    try {
      return await this.#options.deliver(row.body, row.key);
    } catch (error) {
      this.#options.log.warn("outbox.deliver.failed", { id: row.seq, error });
      return "retry";
    }
  }

  /** Doubles from the first to the longest pause; a quarter of it is chance, so that senders do not march in step. */
  #pauseAfter(attempts: number): Millis {
    const { backoff, random } = this.#options;
    const full = Math.min(backoff.longest, backoff.first * 2 ** Math.min(attempts, 30));
    return millis(Math.round(full * (0.75 + 0.25 * random())));
  }
}

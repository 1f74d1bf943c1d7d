/**
 * Many small transactions, one fsync: operations that wait at the same time are run in one transaction,
 * each in its own savepoint, so that the failure of one takes back its own changes only. A promise is
 * settled after the commit: what was told done survives a power cut.
 */
import type { Database, Statement } from "better-sqlite3";
import { InternalError, SystemError } from "../model/errors.js";

/** Reads and writes the database; must not wait for anything (the transaction is open meanwhile). */
export type Operation<T> = (database: Database) => T;

export interface GroupCommitOptions {
  /** Most operations in one transaction: bounds how long the event loop stands still. Default 256. */
  readonly maxBatch?: number;
  /** Most operations that wait; past it `run` rejects at once. Default 10000. */
  readonly maxQueue?: number;
}

interface Waiting {
  readonly operation: Operation<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

type Outcome = { readonly value: unknown } | { readonly error: unknown };

const STATEMENTS = {
  begin: "BEGIN IMMEDIATE",
  commit: "COMMIT",
  rollback: "ROLLBACK",
  save: "SAVEPOINT operation",
  keep: "RELEASE operation",
  undo: "ROLLBACK TO operation",
} as const;

export class GroupCommit {
  readonly #database: Database;
  readonly #sql: Readonly<Record<keyof typeof STATEMENTS, Statement<[]>>>;
  readonly #maxBatch: number;
  readonly #maxQueue: number;
  #queue: Waiting[] = [];
  #scheduled: NodeJS.Immediate | undefined;
  #isClosed = false;

  constructor(database: Database, { maxBatch = 256, maxQueue = 10_000 }: GroupCommitOptions = {}) {
    const prepare = (name: keyof typeof STATEMENTS) => database.prepare<[]>(STATEMENTS[name]);
    this.#database = database;
    this.#maxBatch = maxBatch;
    this.#maxQueue = maxQueue;
    this.#sql = {
      begin: prepare("begin"),
      commit: prepare("commit"),
      rollback: prepare("rollback"),
      save: prepare("save"),
      keep: prepare("keep"),
      undo: prepare("undo"),
    };
  }

  /** Operations that wait for their commit. */
  get waiting(): number {
    return this.#queue.length;
  }

  /**
   * Runs `operation` in the next transaction, in the order of the calls.
   * @returns what it returned, once it is on the disk
   * @throws SystemError `STORE_BUSY` when too much waits, `STORE_COMMIT` when the commit failed; what the operation threw
   */
  run<T>(operation: Operation<T>): Promise<T> {
    if (this.#isClosed) return Promise.reject(new InternalError("STORE_CLOSED", "the store is closed"));
    if (this.#queue.length >= this.#maxQueue) {
      const message = `${this.#queue.length} operations wait for the disk`;
      return Promise.reject(new SystemError("STORE_BUSY", message, { remedy: "use a faster disk, or admit less" }));
    }
    return new Promise<T>((resolve, reject) => {
      // The queue holds operations of any type; each outcome goes back to the promise made with its operation.
      this.#queue.push({ operation, resolve: (value) => resolve(value as T), reject });
      this.#schedule();
    });
  }

  /** Commits what waits, and takes nothing more. The database stays open. */
  close(): void {
    this.#isClosed = true;
    if (this.#scheduled !== undefined) clearImmediate(this.#scheduled);
    while (this.#queue.length > 0) this.#commitBatch();
  }

  #schedule(): void {
    this.#scheduled ??= setImmediate(() => {
      this.#scheduled = undefined;
      this.#commitBatch();
      if (this.#queue.length > 0) this.#schedule();
    });
  }

  #commitBatch(): void {
    const batch = this.#queue.splice(0, this.#maxBatch);
    try {
      this.#sql.begin.run();
      const outcomes = batch.map((waiting) => this.#runOne(waiting.operation));
      this.#sql.commit.run();
      batch.forEach((waiting, index) => {
        settle(waiting, outcomes[index]);
      });
    } catch (cause) {
      if (this.#database.inTransaction) this.#sql.rollback.run();
      const error = new SystemError("STORE_COMMIT", "the transaction could not be written", {
        remedy: "look at the disk: full, read-only or failing",
        cause,
      });
      for (const waiting of batch) waiting.reject(error);
    }
  }

  #runOne(operation: Operation<unknown>): Outcome {
    this.#sql.save.run();
    try {
      const value = operation(this.#database);
      if (value instanceof Promise) {
        // Nobody will look at that promise any more: keep its failure from ending the process.
        value.catch(() => undefined);
        throw new InternalError("STORE_ASYNC", "an operation must not be asynchronous");
      }
      this.#sql.keep.run();
      return { value };
    } catch (error) {
      // SQLite takes the whole transaction back on errors such as a full disk; then all must fail.
      if (!this.#database.inTransaction) throw error;
      this.#sql.undo.run();
      this.#sql.keep.run();
      return { error };
    }
  }
}

function settle(waiting: Waiting, outcome: Outcome | undefined): void {
  if (outcome !== undefined && "value" in outcome) waiting.resolve(outcome.value);
  else waiting.reject(outcome?.error);
}

/** Writes down what becomes of sessions: every change is durable with the step that says why, before anybody is told. */
import type { Clock } from "../model/clock.js";
import type { Refusal } from "../model/decision.js";
import type { Logger } from "../model/log.js";
import { advance, type SessionChange, type SessionRecord, type SessionStep } from "./session-record.js";
import type { SessionStore } from "./session-store.js";
import { SessionTable } from "./session-table.js";

export interface SessionJournalOptions {
  readonly store: SessionStore;
  readonly clock: Clock;
  readonly log: Logger;
}

export class SessionJournal {
  readonly table: SessionTable;
  readonly #options: SessionJournalOptions;

  constructor(options: SessionJournalOptions) {
    this.#options = options;
    this.table = new SessionTable(options.store);
  }

  step(what: string, detail: string): SessionStep {
    return { at: this.#options.clock.now(), what, detail };
  }

  advance(record: SessionRecord, change: SessionChange, what: string, detail: string): SessionRecord {
    const next = advance(record, change, this.step(what, detail));
    this.table.save(next);
    return next;
  }

  /** The record as it is by now: counters may have come while somebody waited. */
  current(record: SessionRecord): SessionRecord {
    return this.table.get(record.id) ?? record;
  }

  /**
   * Of a session that is not in use yet, the proxy ends it next, and that release closes it; until then the record says
   * why. One that is in use goes on as it was agreed before (RFC 3261 §14.1), and the refused offer is forgotten.
   */
  refuse(record: SessionRecord, refusal: Refusal): Refusal {
    const change: SessionChange = record.answered === undefined ? { refusal } : { reoffer: undefined };
    this.advance(record, change, "refused", `${refusal.reason}: ${refusal.text}`);
    this.#options.log.info("session.refused", { session: record.id, reason: refusal.reason, text: refusal.text });
    return refusal;
  }
}

/**
 * The life of sessions at a policy server: authorise, reserve, release. Each operation works on one session
 * and is never run twice at a time for the same one (`SessionTable.serial`); what it decides is durable before
 * anybody is told.
 */
import type { Refusal } from "../model/decision.js";
import { type SessionId, sessionIdOf } from "../model/session.js";
import { type Timestamp, timestamp } from "../model/units.js";
import type { FlowCounters } from "../model/usage.js";
import type { EnforcementEvents } from "./enforcement.js";
import { SessionAdmission } from "./session-admission.js";
import { stillReleasing, unknownSession } from "./session-draft.js";
import { SessionEnd } from "./session-end.js";
import type { SessionAnswer, SessionAnswerFacts, SessionAttemptFacts } from "./session-facts.js";
import { SessionJournal } from "./session-journal.js";
import type { SessionServiceOptions } from "./session-options.js";
import {
  type EndCause,
  type InstalledFlow,
  isLive,
  type Offer,
  type ServerEndCause,
  type SessionRecord,
} from "./session-record.js";
import { SessionReservation } from "./session-reservation.js";
import type { SessionTable } from "./session-table.js";

export class SessionService implements EnforcementEvents {
  readonly #options: SessionServiceOptions;
  readonly #journal: SessionJournal;
  readonly #table: SessionTable;
  readonly #admission: SessionAdmission;
  readonly #reservation: SessionReservation;
  readonly #end: SessionEnd;

  /** Takes up what the store holds: the ledger is filled before anybody can ask. */
  constructor(options: SessionServiceOptions) {
    this.#options = options;
    this.#journal = new SessionJournal(options);
    this.#table = this.#journal.table;
    this.#admission = new SessionAdmission(options, this.#journal);
    this.#reservation = new SessionReservation(options, this.#journal, this.#admission);
    this.#end = new SessionEnd(options, this.#journal);
    for (const record of this.#table.values()) {
      // A pool that the configuration no longer has cannot be drawn on, nor given back to.
      const needs = record.needs.filter(({ pool }) => options.ledger.has(pool));
      options.ledger.restore(record.id, needs);
      if (needs.length < record.needs.length) options.log.warn("pdp.pool-gone", { session: record.id });
      if (record.state === "releasing") this.#end.awaitSync(record.id);
    }
  }

  get(id: SessionId): SessionRecord | undefined {
    return this.#table.find(id);
  }

  /** The session of a dialog, told by its Call-ID and two tags, one of which is the caller's. */
  findByDialog(callId: string, tags: readonly (string | undefined)[]): SessionRecord | undefined {
    for (const tag of tags) {
      const record = tag === undefined ? undefined : this.get(sessionIdOf(callId, tag));
      if (record !== undefined) return record;
    }
    return undefined;
  }

  live(): readonly SessionRecord[] {
    return [...this.#table.values()];
  }

  /** Of a user of our network, the sessions that live. */
  liveOf(user: string): readonly SessionRecord[] {
    return this.#table.ofUser(user);
  }

  /** AAA: may this session be, and is there room for it now? Takes nothing from a pool yet. */
  authorise(facts: SessionAttemptFacts): Promise<SessionAnswer> {
    return this.#table.serial(facts.id, async () => {
      const known = this.#table.get(facts.id);
      // The same request again, after a restart of the proxy or of this server: the same answer.
      if (known !== undefined && isLive(known)) return { admitted: true, record: known };
      if (known !== undefined) return stillReleasing(known);
      return this.#admission.authorise(facts);
    });
  }

  /** AAA that came to no rule, for its media cannot be served: kept, so that it can be explained. */
  refuseUnread(facts: SessionAttemptFacts, refusal: Refusal): Promise<void> {
    return this.#table.serial(facts.id, async () => {
      // What a stranger says under the name of a session that lives does not touch it.
      if (this.#table.get(facts.id) !== undefined) return;
      const { reason, text } = refusal;
      this.#admission.refuse(facts, { treatment: "refuse", rule: "none asked", reason, text }, refusal);
    });
  }

  /** LDP: takes what the answer needs from the pool and has the router install it. Also for a changed answer. */
  reserve(id: SessionId, answer: SessionAnswerFacts): Promise<SessionAnswer> {
    return this.#table.serial(id, async () => {
      const record = this.#table.get(id);
      if (record === undefined || !isLive(record)) return unknownSession(id);
      return this.#reservation.reserve(record, answer);
    });
  }

  /** LDP with an answer that cannot be served, or not read: kept, so that it can be explained. */
  refuseAnswer(id: SessionId, refusal: Refusal): Promise<SessionAnswer> {
    return this.#table.serial(id, async () => {
      const record = this.#table.get(id);
      return record === undefined || !isLive(record) ? refusal : this.#journal.refuse(record, refusal);
    });
  }

  /** An offer in mid-session: is there room for the least it may come to? What is agreed stays as it is. */
  reoffer(id: SessionId, offer: Offer, flows: SessionAttemptFacts["flows"]): Promise<SessionAnswer> {
    return this.#table.serial(id, async () => {
      const record = this.#table.get(id);
      if (record === undefined || !isLive(record)) return unknownSession(id);
      return this.#reservation.reoffer(record, offer, flows);
    });
  }

  /** An offer in mid-session came to nothing: what was agreed before holds (RFC 3261 §14.1). */
  withdraw(id: SessionId): Promise<SessionAnswer> {
    return this.#table.serial(id, async () => {
      const record = this.#table.get(id);
      if (record === undefined || !isLive(record)) return unknownSession(id);
      const next = this.#journal.advance(record, { reoffer: undefined }, "reoffer failed", "what was agreed holds");
      return { admitted: true, record: next };
    });
  }

  /** The proxy says that the session is in use: the time it is charged from. */
  answered(id: SessionId): void {
    const record = this.#table.get(id);
    if (record === undefined || !isLive(record) || record.answered !== undefined) return;
    this.#journal.advance(record, { answered: this.#options.clock.now() }, "answered", "2xx");
  }

  /** noLDP: gives everything back. Resolves when the router did, or when it cannot be reached. */
  release(id: SessionId, cause: EndCause): Promise<void> {
    return this.#table.serial(id, async () => {
      const record = this.#table.get(id);
      if (record !== undefined && isLive(record)) await this.#end.release(record, cause);
    });
  }

  /**
   * The network took back what a session holds of `pool`: it gives everything back. Whether it goes on without a
   * guarantee or is to be ended, its class says.
   */
  shed(id: SessionId, pool: string): Promise<void> {
    return this.#table.serial(id, async () => {
      const record = this.#table.get(id);
      if (record !== undefined && isLive(record)) await this.#end.shed(record, pool);
    });
  }

  /**
   * Ends a session of this server's own accord: it gives everything back, and the proxy is told to hang up. What the
   * proxy then says closes it, with this cause. One that is ending already is left to its end.
   */
  endByServer(id: SessionId, cause: ServerEndCause): Promise<void> {
    return this.#table.serial(id, async () => {
      const record = this.#table.get(id);
      if (record !== undefined && isLive(record)) await this.#end.endByServer(record, cause);
    });
  }

  /** For who lets go first, when bandwidth is taken back. */
  rank(id: SessionId): { readonly priority: number; readonly since: Timestamp } {
    const { priority = 0, created = timestamp(0) } = this.#table.get(id) ?? {};
    return { priority, since: created };
  }

  flowsFinal(finals: ReadonlyMap<number, FlowCounters>): void {
    const mark = (installed: InstalledFlow): InstalledFlow => {
      const final = finals.get(installed.instance);
      return final === undefined || installed.final !== undefined ? installed : { ...installed, final };
    };
    const touched = new Set([...finals.keys()].map((instance) => this.#table.ofInstance(instance)));
    for (const record of touched) {
      if (record !== undefined) {
        this.#table.save({ ...record, flows: record.flows.map(mark), past: record.past.map(mark) });
      }
    }
  }

  inSync(holds: ReadonlySet<SessionId>): void {
    this.#end.inSync(holds);
  }
}

/**
 * The life of sessions at a policy server: authorise, reserve, release. Each operation works on one session
 * and is never run twice at a time for the same one (`SessionTable.serial`); what it decides is durable before
 * anybody is told.
 */
import type { Clock } from "../model/clock.js";
import type { Refusal, RefusalReason } from "../model/decision.js";
import type { SessionFlow } from "../model/flow.js";
import type { Logger } from "../model/log.js";
import { type SessionId, type SessionSide, sessionIdOf } from "../model/session.js";
import type { BitsPerSecond, Octets } from "../model/units.js";
import type { FlowCounters } from "../model/usage.js";
import { poolNeed, rateOf } from "./admission.js";
import type { Authority, Grant } from "./authority.js";
import type { Enforcement, EnforcementEvents } from "./enforcement.js";
import type { AdmissionLedger } from "./ledger.js";
import type { RuleBook, RuleVerdict } from "./rules.js";
import { authorisedSession, describeNeeds, describeUsage, refusedSession } from "./session-draft.js";
import type { SessionAnswer, SessionAnswerFacts, SessionAttemptFacts } from "./session-facts.js";
import {
  advance,
  type EndCause,
  type InstalledFlow,
  isLive,
  type Offer,
  type SessionChange,
  type SessionRecord,
  type StoredDirectives,
} from "./session-record.js";
import type { SessionStore } from "./session-store.js";
import { SessionTable } from "./session-table.js";

export interface ServiceClass {
  readonly name: string;
  readonly pool: string;
}

export interface SessionServiceOptions {
  readonly rules: RuleBook;
  readonly classes: ReadonlyMap<string, ServiceClass>;
  readonly ledger: AdmissionLedger;
  readonly authority: Authority;
  readonly enforcement: Enforcement;
  readonly store: SessionStore;
  readonly linkOverhead: Octets;
  readonly clock: Clock;
  readonly log: Logger;
  /** Called in the transaction that closes a session, so that its usage is recorded once or not at all. */
  readonly settle: (record: SessionRecord) => void;
  /** What the authority's grant makes the proxy do to the INVITE. */
  readonly directivesOf: (grant: Grant, side: SessionSide) => StoredDirectives;
}

export class SessionService implements EnforcementEvents {
  readonly #options: SessionServiceOptions;
  readonly #table: SessionTable;
  /** Releasing sessions whose removal no report will confirm: they are done when the router is in sync without them. */
  readonly #waiting = new Set<SessionId>();

  /** Takes up what the store holds: the ledger is filled before anybody can ask. */
  constructor(options: SessionServiceOptions) {
    this.#options = options;
    this.#table = new SessionTable(options.store);
    for (const record of this.#table.values()) {
      // A pool that the configuration no longer has cannot be drawn on, nor given back to.
      const needs = record.needs.filter(({ pool }) => options.ledger.has(pool));
      options.ledger.restore(record.id, needs);
      if (needs.length < record.needs.length) options.log.warn("pdp.pool-gone", { session: record.id });
      if (record.state === "releasing") this.#waiting.add(record.id);
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

  /** AAA: may this session be, and is there room for it now? Takes nothing from a pool yet. */
  authorise(facts: SessionAttemptFacts): Promise<SessionAnswer> {
    return this.#table.serial(facts.id, async () => {
      const known = this.#table.get(facts.id);
      // The same request again, after a restart of the proxy or of this server: the same answer.
      if (known !== undefined && isLive(known)) return { admitted: true, record: known };
      if (known !== undefined) return stillReleasing(known);
      return this.#authoriseNew(facts);
    });
  }

  /** AAA that came to no rule, for its media cannot be served: kept, so that it can be explained. */
  refuseUnread(facts: SessionAttemptFacts, refusal: Refusal): Promise<void> {
    return this.#table.serial(facts.id, async () => {
      // What a stranger says under the name of a session that lives does not touch it.
      if (this.#table.get(facts.id) !== undefined) return;
      const { reason, text } = refusal;
      this.#refuse(facts, { treatment: "refuse", rule: "none asked", reason, text }, refusal);
    });
  }

  /** LDP: takes what the answer needs from the pool and has the router install it. Also for a changed answer. */
  reserve(id: SessionId, answer: SessionAnswerFacts): Promise<SessionAnswer> {
    return this.#table.serial(id, async () => {
      const record = this.#table.get(id);
      if (record === undefined || !isLive(record)) return unknownSession(id);
      return this.#reserveFor(record, answer);
    });
  }

  /** An offer in mid-session: is there room for the most it may come to? What is agreed stays as it is. */
  reoffer(id: SessionId, offer: Offer, flows: SessionAttemptFacts["flows"]): Promise<SessionAnswer> {
    return this.#table.serial(id, async () => {
      const record = this.#table.get(id);
      if (record === undefined || !isLive(record)) return unknownSession(id);
      const room = record.class === undefined ? undefined : this.#roomFor({ id, flows }, record.class);
      if (room !== undefined) return room;
      return { admitted: true, record: this.#advance(record, { reoffer: offer }, "reoffer", `by the ${offer.by}`) };
    });
  }

  /** The proxy says that the session is in use: the time it is charged from. */
  answered(id: SessionId): void {
    const record = this.#table.get(id);
    if (record === undefined || !isLive(record) || record.answered !== undefined) return;
    this.#advance(record, { answered: this.#options.clock.now() }, "answered", "2xx");
  }

  /** noLDP: gives everything back. Resolves when the router did, or when it cannot be reached. */
  release(id: SessionId, cause: EndCause): Promise<void> {
    return this.#table.serial(id, async () => {
      const record = this.#table.get(id);
      if (record !== undefined && isLive(record)) await this.#releaseLive(record, cause);
    });
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

  /** A removal that is on its way is not meant: its own report, after its counters, ends that session. */
  inSync(holds: ReadonlySet<SessionId>): void {
    for (const id of [...this.#waiting].filter((waiting) => !holds.has(waiting))) {
      const record = this.#table.get(id);
      if (record !== undefined) this.#finish(record, "router in sync");
    }
  }

  async #authoriseNew(facts: SessionAttemptFacts): Promise<SessionAnswer> {
    const verdict = this.#judge(facts);
    if (verdict.treatment === "refuse") {
      return this.#refuse(facts, verdict, { admitted: false, reason: verdict.reason, text: verdict.text });
    }
    const room = verdict.treatment === "assured" ? this.#roomFor(facts, verdict.class) : undefined;
    if (room !== undefined) return this.#refuse(facts, verdict, room);
    const grant = await this.#options.authority.authorise({
      session: facts.id,
      side: facts.side,
      callId: facts.callId,
      caller: facts.caller,
      callee: facts.callee,
      class: verdict.treatment === "assured" ? verdict.class : undefined,
      rate: this.#peakRate(facts),
      token: facts.token,
    });
    if (!grant.admitted) return this.#refuse(facts, verdict, grant);
    const detail = `rule ${verdict.rule}: ${verdict.treatment}; transaction ${grant.transactionId}`;
    const directives = this.#options.directivesOf(grant, facts.side);
    const record = authorisedSession(facts, verdict, { grant, directives, step: this.#step("authorised", detail) });
    this.#table.save(record);
    return { admitted: true, record };
  }

  async #reserveFor(record: SessionRecord, answer: SessionAnswerFacts): Promise<SessionAnswer> {
    const { clock, ledger } = this.#options;
    const answered = answer.final ? (record.answered ?? clock.now()) : record.answered;
    const serviceClass = this.#classOf(record);
    if (serviceClass === undefined) {
      return {
        admitted: true,
        record: this.#advance(record, { answered }, "answer", "best effort: nothing to reserve"),
      };
    }
    const needs = [poolNeed(serviceClass.pool, [...answer.flows, ...answer.pending], this.#options.linkOverhead)];
    const { keep, remove, install } = this.#compare(record.flows, answer.flows);
    const room = ledger.reserve(record.id, needs);
    if (!room.admitted) return this.#refuseLive(record, room);
    if (remove.length + install.length > 0) {
      const change = { session: record.id, class: serviceClass.name, remove, install };
      this.#table.expect(record.id, install);
      const done = await this.#options.enforcement.change(change);
      if (!done.admitted) {
        ledger.restore(record.id, record.needs);
        return this.#refuseLive(this.#table.get(record.id) ?? record, done);
      }
    }
    const current = this.#table.get(record.id) ?? record;
    const past = [
      ...current.past,
      ...current.flows.filter((flow) => remove.some((gone) => gone.instance === flow.instance)),
    ];
    const flows = [...keep, ...install];
    const detail = `${flows.length} flows in pool ${serviceClass.pool}: ${describeNeeds(needs)}`;
    const next = this.#advance(
      current,
      { state: "reserved", flows, past, needs, answered, ...answer.offers },
      "reserved",
      detail,
    );
    return { admitted: true, record: next };
  }

  async #releaseLive(record: SessionRecord, cause: EndCause): Promise<void> {
    const ended = this.#options.clock.now();
    const releasing = this.#advance(record, { state: "releasing", ended, cause }, "hang-up", cause);
    if (record.flows.length > 0 && record.class !== undefined) {
      const change = { session: record.id, class: record.class, remove: record.flows, install: [] };
      const done = await this.#options.enforcement.change(change);
      if (!done.admitted) {
        // The router is not there: what it holds goes when it comes back in sync, and only then are we done.
        this.#waiting.add(record.id);
        this.#advance(this.#table.get(record.id) ?? releasing, {}, "release waits", done.text);
        return;
      }
    }
    this.#finish(this.#table.get(record.id) ?? releasing, "released");
  }

  /** Closes a session whose flows are gone from the router, and hands its usage on, in one transaction. */
  #finish(record: SessionRecord, why: string): void {
    const { ledger, settle } = this.#options;
    const closed = advance(record, { state: "closed" }, this.#step(why, describeUsage(record)));
    this.#table.close(closed, () => settle(closed));
    ledger.release(record.id);
    this.#waiting.delete(record.id);
  }

  #judge(facts: SessionAttemptFacts): RuleVerdict {
    const user = facts.side === "originating" ? facts.caller : facts.callee;
    return this.#options.rules.judge({
      caller: facts.caller,
      callee: facts.callee,
      media: facts.media,
      rate: this.#peakRate(facts),
      userSessions: this.live().filter((record) => localUser(record) === user && isLive(record)).length,
    });
  }

  #peakRate(facts: SessionAttemptFacts): BitsPerSecond {
    return Math.max(rateOf(facts.flows, "up"), rateOf(facts.flows, "down")) as BitsPerSecond;
  }

  #roomFor(facts: Pick<SessionAttemptFacts, "id" | "flows">, className: string): Refusal | undefined {
    const pool = this.#options.classes.get(className)?.pool;
    if (pool === undefined) return undefined;
    const answer = this.#options.ledger.fits(facts.id, [poolNeed(pool, facts.flows, this.#options.linkOverhead)]);
    return answer.admitted ? undefined : answer;
  }

  #classOf(record: SessionRecord): ServiceClass | undefined {
    return record.class === undefined ? undefined : this.#options.classes.get(record.class);
  }

  #compare(have: readonly InstalledFlow[], want: readonly SessionFlow[]) {
    const same = new Map(have.map((installed) => [JSON.stringify(installed.flow), installed]));
    const keep: InstalledFlow[] = [];
    const install: InstalledFlow[] = [];
    for (const flow of want) {
      const installed = same.get(JSON.stringify(flow));
      if (installed !== undefined) keep.push(installed);
      else install.push({ instance: this.#options.store.nextNumber("flow"), flow });
    }
    return { keep, install, remove: have.filter((installed) => !keep.includes(installed)) };
  }

  #refuse(facts: SessionAttemptFacts, verdict: RuleVerdict, refusal: Refusal): Refusal {
    const step = this.#step("refused", `rule ${verdict.rule}: ${refusal.reason}: ${refusal.text}`);
    const past = this.#table.find(facts.id);
    // Another attempt under the id of a session that took place: what that used is not forgotten for it.
    const record =
      past?.state === "closed" ? advance(past, { refusal }, step) : refusedSession(facts, verdict, { refusal, step });
    this.#options.store.save(record);
    this.#options.log.info("session.refused", { session: facts.id, reason: refusal.reason, text: refusal.text });
    return refusal;
  }

  #refuseLive(record: SessionRecord, refusal: Refusal): Refusal {
    // The proxy ends the session next; that release closes it. Until then the record says why.
    this.#advance(record, { refusal }, "refused", `${refusal.reason}: ${refusal.text}`);
    this.#options.log.info("session.refused", { session: record.id, reason: refusal.reason, text: refusal.text });
    return refusal;
  }

  #advance(record: SessionRecord, change: SessionChange, what: string, detail: string): SessionRecord {
    const next = advance(record, change, this.#step(what, detail));
    this.#table.save(next);
    return next;
  }

  #step(what: string, detail: string) {
    return { at: this.#options.clock.now(), what, detail };
  }
}

export const localUser = (record: SessionRecord): string =>
  record.side === "originating" ? record.caller : record.callee;

function unknownSession(id: SessionId): Refusal {
  const reason: RefusalReason = "notAuthorised";
  return { admitted: false, reason, text: `session ${id} was never authorised here` };
}

function stillReleasing({ id }: SessionRecord): Refusal {
  return { admitted: false, reason: "routerUnavailable", text: `session ${id} is still being released` };
}

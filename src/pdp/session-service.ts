/**
 * The life of sessions at a policy server: authorise, reserve, release. Each operation works on one session
 * and is never run twice at a time for the same one (`SessionTable.serial`); what it decides is durable before
 * anybody is told.
 */
import type { Refusal } from "../model/decision.js";
import { type SessionId, sessionIdOf } from "../model/session.js";
import { type BitsPerSecond, type Timestamp, timestamp } from "../model/units.js";
import type { FlowCounters } from "../model/usage.js";
import { coverBoth, rateOf } from "./admission.js";
import type { EnforcementEvents } from "./enforcement.js";
import { describeWay } from "./pools/choose-pools.js";
import { NO_COMMUNITIES } from "./pools/pool-map.js";
import type { RuleVerdict } from "./rules.js";
import {
  authorisedSession,
  describeNeeds,
  describeUsage,
  endOf,
  refusedSession,
  stillReleasing,
  unknownSession,
} from "./session-draft.js";
import type { SessionAnswer, SessionAnswerFacts, SessionAttemptFacts } from "./session-facts.js";
import { compareFlows, type FlowChange, type PooledFlow } from "./session-flows.js";
import type { SessionServiceOptions } from "./session-options.js";
import {
  advance,
  type EndCause,
  type InstalledFlow,
  isLive,
  localUser,
  type Offer,
  type SessionChange,
  type SessionRecord,
} from "./session-record.js";
import { SessionTable } from "./session-table.js";
import { type ServiceClass, type SessionWay, sessionWay, type WayOfSession } from "./session-way.js";

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
      const serviceClass = this.#classOf(record);
      const room =
        serviceClass === undefined ? undefined : this.#roomFor(id, { ...record, class: serviceClass, flows });
      if (room?.admitted === false) return room;
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

  /**
   * The network took back what a session holds of `pool`: it gives everything back. Whether it goes on without a
   * guarantee or is to be ended, its class says.
   */
  shed(id: SessionId, pool: string): Promise<void> {
    return this.#table.serial(id, async () => {
      const record = this.#table.get(id);
      const serviceClass = record === undefined || !isLive(record) ? undefined : this.#classOf(record);
      if (record !== undefined && serviceClass !== undefined) await this.#shedLive(record, serviceClass, pool);
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
    const serviceClass = verdict.treatment === "assured" ? this.#options.classes.get(verdict.class) : undefined;
    const room = serviceClass === undefined ? undefined : this.#roomFor(facts.id, { ...facts, class: serviceClass });
    if (room?.admitted === false) return this.#refuse(facts, verdict, room);
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
    const way = room === undefined || room.ways.length === 0 ? "" : ` in ${describeWay(room.ways)}`;
    const detail = `rule ${verdict.rule}: ${verdict.treatment}${way}; transaction ${grant.transactionId}`;
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
      const free = this.#advance(record, { answered }, "answer", "best effort: nothing to reserve");
      return { admitted: true, record: free };
    }
    const way = this.#wayOf({ ...record, class: serviceClass, flows: [...answer.flows, ...answer.pending] });
    if (!way.admitted) return this.#refuseLive(record, way);
    // Until the router has changed from one to the other, the session holds both.
    const room = await ledger.reserve(record.id, coverBoth(record.needs, way.needs));
    if (!room.admitted) return this.#refuseLive(this.#table.get(record.id) ?? record, room);
    const pooled = answer.flows.map((flow, index) => ({ flow, pool: way.ways[index]?.pool ?? "" }));
    const installed = await this.#install(this.#table.get(record.id) ?? record, serviceClass, pooled);
    const current = this.#table.get(record.id) ?? record;
    if (!installed.admitted) {
      ledger.restore(record.id, record.needs);
      return this.#refuseLive(current, installed);
    }
    ledger.restore(record.id, way.needs);
    const gone = current.flows.filter(({ instance }) => installed.remove.some((flow) => flow.instance === instance));
    const flows = [...installed.keep, ...installed.install];
    const change: SessionChange = {
      state: "reserved",
      flows,
      past: [...current.past, ...gone],
      needs: way.needs,
      answered: current.answered ?? answered,
      ...answer.offers,
    };
    const detail = `${flows.length} flows in ${describeWay(way.ways)}: ${describeNeeds(way.needs)}`;
    return { admitted: true, record: this.#advance(current, change, "reserved", detail) };
  }

  /** Has the router exchange the flows that differ. */
  async #install(
    record: SessionRecord,
    { name, pool: ownPool }: ServiceClass,
    want: readonly PooledFlow[],
  ): Promise<({ readonly admitted: true } & FlowChange) | Refusal> {
    const nextInstance = () => this.#options.store.nextNumber("flow");
    const change = compareFlows(record.flows, want, { ownPool, nextInstance });
    const { remove, install } = change;
    if (remove.length + install.length === 0) return { admitted: true, ...change };
    this.#table.expect(record.id, install);
    const done = await this.#options.enforcement.change({ session: record.id, class: name, remove, install });
    return done.admitted ? { admitted: true, ...change } : done;
  }

  async #shedLive(record: SessionRecord, serviceClass: ServiceClass, pool: string): Promise<void> {
    const { clock, enforcement, ledger, log, onShed } = this.#options;
    const treatment = serviceClass.whenShed ?? "bestEffort";
    const change = { session: record.id, class: serviceClass.name, remove: record.flows, install: [] };
    const done = record.flows.length === 0 ? undefined : await enforcement.change(change);
    const current = this.#table.get(record.id) ?? record;
    // A router that could not be told has the flows taken away with its next complete policy.
    const why = done?.admitted === false ? `; ${done.text}` : "";
    const past = [...current.past, ...current.flows];
    const next = this.#advance(
      current,
      { treatment: "bestEffort", flows: [], past, needs: [], shed: { treatment, at: clock.now() } },
      "shed",
      `pool ${pool} was taken back: ${treatment === "bye" ? "to be ended" : "best effort from here"}${why}`,
    );
    ledger.release(record.id);
    log.warn("session.shed", { session: record.id, pool, treatment });
    onShed?.(next, treatment);
  }

  async #releaseLive(record: SessionRecord, cause: EndCause): Promise<void> {
    const releasing = this.#advance(record, endOf(record, cause, this.#options.clock.now()), "hang-up", cause);
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
    // Shed while the router was away: it still has to say what the flows carried.
    const isUncounted = record.past.some(({ final }) => final === undefined);
    if (isUncounted && !this.#options.enforcement.connected) this.#waiting.add(record.id);
    else this.#finish(this.#table.get(record.id) ?? releasing, "released");
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

  #wayOf(session: WayOfSession): SessionWay {
    const { map = NO_COMMUNITIES, linkOverhead } = this.#options;
    return sessionWay({ map, linkOverhead }, session);
  }

  /** The way of what may come, if there is room on it. */
  #roomFor(id: SessionId, session: WayOfSession): SessionWay {
    const way = this.#wayOf(session);
    const room = way.admitted ? this.#options.ledger.fits(id, way.needs) : way;
    return room.admitted ? way : room;
  }

  /** Of a session that is served by a class; undefined for best effort. */
  #classOf({ class: name, treatment }: SessionRecord): ServiceClass | undefined {
    return name === undefined || treatment !== "assured" ? undefined : this.#options.classes.get(name);
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

/** LDP: takes what an answer needs from the pools and has the router install it, or leaves everything as it was. */
import type { Refusal } from "../model/decision.js";
import { coverBoth } from "./admission.js";
import { describeNegotiation } from "./negotiation/describe-negotiation.js";
import type { AskedFlow } from "./negotiation/flow-ask.js";
import { bestEffortGrants, type GrantedFlow, grantsOf } from "./negotiation/grants.js";
import { unmetPrecondition } from "./negotiation/preconditions.js";
import { rateRefusal } from "./negotiation/rate-refusal.js";
import { reserveBest } from "./negotiation/reserve-best.js";
import { needsAt, type PlannedFlow, type SessionPlan, waysOf } from "./negotiation/session-plan.js";
import { describeWay } from "./pools/choose-pools.js";
import type { SessionAdmission } from "./session-admission.js";
import { describeNeeds } from "./session-draft.js";
import type { AnsweredFlow, SessionAnswer, SessionAnswerFacts, SessionAttemptFacts } from "./session-facts.js";
import { compareFlows, type FlowChange, type PooledFlow } from "./session-flows.js";
import type { SessionJournal } from "./session-journal.js";
import type { SessionServiceOptions } from "./session-options.js";
import type { Offer, SessionChange, SessionRecord } from "./session-record.js";
import type { ServiceClass } from "./session-way.js";

/** How a session is served from here, and what that changes of its record. */
interface Service {
  readonly admitted: true;
  readonly class: ServiceClass | undefined;
  readonly change: SessionChange;
}

interface GrantedPlan {
  readonly admitted: true;
  readonly plan: SessionPlan;
  readonly flows: readonly GrantedFlow[];
}

/** An answer to an assured session, planned and with room taken. */
interface Taken extends GrantedPlan {
  readonly answer: SessionAnswerFacts;
  readonly change: SessionChange;
}

/** Each operation has its session for itself (`SessionTable.serial`). */
export class SessionReservation {
  readonly #options: SessionServiceOptions;
  readonly #journal: SessionJournal;
  readonly #admission: SessionAdmission;

  constructor(options: SessionServiceOptions, journal: SessionJournal, admission: SessionAdmission) {
    this.#options = options;
    this.#journal = journal;
    this.#admission = admission;
  }

  async reserve(record: SessionRecord, answer: SessionAnswerFacts): Promise<SessionAnswer> {
    const asked = [...answer.flows, ...answer.pending];
    const service = this.#serviceOf(record, asked);
    if (!service.admitted) return this.#journal.refuse(record, service);
    if (service.class === undefined) return this.#serveFree(record, answer, service.change);
    const plan = this.#admission.plan({ ...record, class: service.class, flows: asked });
    const taken = await this.#take(record, plan);
    if (!taken.admitted) return this.#journal.refuse(this.#journal.current(record), rateRefusal(taken, asked));
    return this.#installTaken(record, service.class, { ...taken, answer, change: service.change });
  }

  /** Is there room for the least that an offer in mid-session may come to? What is agreed stays as it is. */
  reoffer(record: SessionRecord, offer: Offer, flows: SessionAttemptFacts["flows"]): SessionAnswer {
    const service = this.#serviceOf(record, flows);
    const plan =
      service.admitted && service.class !== undefined
        ? this.#admission.roomFor(record.id, { ...record, class: service.class, flows })
        : service;
    if (plan.admitted) {
      return {
        admitted: true,
        record: this.#journal.advance(record, { reoffer: offer }, "reoffer", `by the ${offer.by}`),
      };
    }
    this.#journal.advance(record, {}, "reoffer refused", `${plan.reason}: ${plan.text}`);
    return plan;
  }

  /** The best of the plan that there is room for. Until the router has changed from one to the other, the session holds both. */
  async #take(record: SessionRecord, plan: SessionPlan | Refusal): Promise<GrantedPlan | Refusal> {
    if (!plan.admitted) return plan;
    const room = await reserveBest(this.#options.ledger, {
      session: record.id,
      ranges: plan.flows,
      kindOf: (index) => kindOf(plan.flows[index]),
      needs: (traffic) => coverBoth(record.needs, needsAt(plan, traffic)),
    });
    if (!room.admitted) return room;
    const flows = plan.flows.map((flow, index) => ({ ...flow, granted: room.traffic[index] ?? flow.least }));
    return { admitted: true, plan, flows };
  }

  async #installTaken(record: SessionRecord, serviceClass: ServiceClass, taken: Taken): Promise<SessionAnswer> {
    const { ledger } = this.#options;
    const { answer, plan, flows, change } = taken;
    const installable = answer.flows.flatMap((flow, index) => pooledFlow(flow, flows[index]) ?? []);
    const installed = await this.#exchange(this.#journal.current(record), serviceClass, installable);
    const current = this.#journal.current(record);
    if (!installed.admitted) {
      ledger.restore(record.id, record.needs);
      return this.#journal.refuse(current, installed);
    }
    const granted = flows.map((flow) => flow.granted);
    const needs = needsAt(plan, granted);
    ledger.restore(record.id, needs);
    const grants = grantsOf(flows, record.side);
    const detail = `${installable.length} flows in ${describeWay(waysOf(plan))}: ${describeNeeds(needs)}`;
    const told = grants.length === 0 ? detail : `${detail}; ${describeNegotiation(grants, flows, record.side)}`;
    const next = { ...change, ...this.#outcome(current, answer, installed), needs, grants };
    return { admitted: true, record: this.#journal.advance(current, { ...next, state: "reserved" }, "reserved", told) };
  }

  /** Best effort from here: what was reserved before is given back. */
  async #serveFree(record: SessionRecord, answer: SessionAnswerFacts, change: SessionChange): Promise<SessionAnswer> {
    const removed = await this.#exchange(record, { name: record.class ?? "" }, []);
    const current = this.#journal.current(record);
    if (!removed.admitted) return this.#journal.refuse(current, removed);
    this.#options.ledger.release(record.id);
    const grants = bestEffortGrants([...answer.flows, ...answer.pending]);
    const next = { ...change, ...this.#outcome(current, answer, removed), needs: [], grants };
    const detail = "best effort: nothing to reserve";
    return { admitted: true, record: this.#journal.advance(current, next, "answer", detail) };
  }

  /** What every answer that takes effect changes. */
  #outcome(current: SessionRecord, { final, offers }: SessionAnswerFacts, flows: FlowChange): SessionChange {
    const gone = current.flows.filter(({ instance }) => flows.remove.some((flow) => flow.instance === instance));
    return {
      flows: [...flows.keep, ...flows.install],
      past: [...current.past, ...gone],
      answered: current.answered ?? (final ? this.#options.clock.now() : undefined),
      ...offers,
    };
  }

  /** Has the router exchange the flows that differ. */
  async #exchange(
    record: SessionRecord,
    own: ServiceClass,
    want: readonly PooledFlow[],
  ): Promise<({ readonly admitted: true } & FlowChange) | Refusal> {
    const nextInstance = () => this.#options.store.nextNumber("flow");
    const change = compareFlows(record.flows, want, { own, nextInstance });
    const { remove, install } = change;
    if (remove.length + install.length === 0) return { admitted: true, ...change };
    this.#journal.table.expect(record.id, install);
    const done = await this.#options.enforcement.change({ session: record.id, class: own.name, remove, install });
    return done.admitted ? { admitted: true, ...change } : done;
  }

  /** Media that name other classes may come under another rule; not in a session whose bandwidth was taken back. */
  #serviceOf(record: SessionRecord, flows: readonly AskedFlow[]): Service | Refusal {
    const service = this.#ruledService(record, flows);
    if (!service.admitted || service.class !== undefined) return service;
    return unmetPrecondition(flows, service.change.rule ?? record.rule) ?? service;
  }

  #ruledService(record: SessionRecord, flows: readonly AskedFlow[]): Service | Refusal {
    const outcome = record.shed === undefined ? this.#admission.judgeAgain(record, flows) : undefined;
    if (outcome === undefined) return { admitted: true, class: this.#classOf(record), change: {} };
    if (!outcome.admitted) return outcome;
    const { verdict, class: serviceClass } = outcome;
    const { rule } = verdict;
    if (verdict.treatment !== "assured") {
      return { admitted: true, class: undefined, change: { rule, treatment: "bestEffort", class: undefined } };
    }
    const { treatment, priority } = verdict;
    return { admitted: true, class: serviceClass, change: { rule, treatment, class: serviceClass?.name, priority } };
  }

  /** Of a session that is served by a class; undefined for best effort. */
  #classOf({ class: name, treatment }: SessionRecord): ServiceClass | undefined {
    return name === undefined || treatment !== "assured" ? undefined : this.#options.classes.get(name);
  }
}

/** Whether there is room for a flow is decided by its way and its traffic. */
function kindOf(flow: PlannedFlow | undefined): string {
  return JSON.stringify([flow?.direction, flow?.way, flow?.least, flow?.most]);
}

/** As the router gets it, and as it is stored. */
function pooledFlow(
  { key, component, direction }: AnsweredFlow,
  flow: GrantedFlow | undefined,
): PooledFlow | undefined {
  if (flow === undefined) return undefined;
  return {
    flow: { key, component, direction, traffic: flow.granted },
    class: flow.class.name,
    pool: flow.way.pool,
  };
}

/** AAA: whether a session may be, by the rules, the room there is, and whoever authorises. Takes nothing from a pool. */
import type { Refusal } from "../model/decision.js";
import type { SessionId } from "../model/session.js";
import type { BitsPerSecond } from "../model/units.js";
import { rateOf } from "./admission.js";
import type { AskedFlow } from "./negotiation/flow-ask.js";
import { NO_MEASUREMENT } from "./negotiation/path-quality.js";
import { unmetPrecondition } from "./negotiation/preconditions.js";
import { rateRefusal } from "./negotiation/rate-refusal.js";
import { isDirect, namedClasses } from "./negotiation/served-flows.js";
import type { SessionClass } from "./negotiation/session-class.js";
import {
  leastOf,
  needsAt,
  type PlanRequest,
  planSession,
  type SessionPlan,
  waysOf,
} from "./negotiation/session-plan.js";
import { describeWay } from "./pools/choose-pools.js";
import { NO_COMMUNITIES } from "./pools/pool-map.js";
import type { RuleVerdict } from "./rules.js";
import { authorisedSession, refusedSession } from "./session-draft.js";
import type { SessionAnswer, SessionAttemptFacts } from "./session-facts.js";
import type { SessionJournal } from "./session-journal.js";
import type { SessionServiceOptions } from "./session-options.js";
import { advance, type SessionRecord } from "./session-record.js";
import type { ServiceClass } from "./session-way.js";

/** Whose session it is, and what it would be made of. */
type Attempt = Pick<SessionAttemptFacts, "id" | "side" | "caller" | "callee" | "media" | "flows">;

/** What a rule makes of a session: the class of its media that name none, or best effort. */
export type RuleOutcome =
  | { readonly admitted: true; readonly verdict: RuleVerdict; readonly class: ServiceClass | undefined }
  | Refusal;

export class SessionAdmission {
  readonly #options: SessionServiceOptions;
  readonly #journal: SessionJournal;

  constructor(options: SessionServiceOptions, journal: SessionJournal) {
    this.#options = options;
    this.#journal = journal;
  }

  async authorise(facts: SessionAttemptFacts): Promise<SessionAnswer> {
    const verdict = this.#judge(facts);
    const outcome = this.#outcomeOf(verdict, facts.flows);
    if (!outcome.admitted) return this.refuse(facts, verdict, outcome);
    const { class: serviceClass } = outcome;
    const unmet = serviceClass === undefined ? unmetPrecondition(facts.flows, verdict.rule) : undefined;
    if (unmet !== undefined) return this.refuse(facts, verdict, unmet);
    const plan = serviceClass === undefined ? undefined : this.roomFor(facts.id, { ...facts, class: serviceClass });
    if (plan?.admitted === false) return this.refuse(facts, verdict, plan);
    const grant = await this.#options.authority.authorise({
      session: facts.id,
      side: facts.side,
      callId: facts.callId,
      caller: facts.caller,
      callee: facts.callee,
      class: serviceClass?.name,
      rate: peakRate(facts.flows),
      token: facts.token,
    });
    if (!grant.admitted) return this.refuse(facts, verdict, grant);
    const way = plan === undefined || plan.flows.length === 0 ? "" : ` in ${describeWay(waysOf(plan))}`;
    const detail = `rule ${verdict.rule}: ${verdict.treatment}${way}; transaction ${grant.transactionId}`;
    const direct = plan !== undefined && isDirect(plan.flows) ? { direct: true } : {};
    const directives = { ...this.#options.directivesOf(grant, facts.side), ...direct };
    const step = this.#journal.step("authorised", detail);
    const record = authorisedSession(facts, verdict, { class: serviceClass?.name, grant, directives, step });
    this.#journal.table.save(record);
    return { admitted: true, record };
  }

  /** Keeps a session that never was, so that it can be explained. */
  refuse(facts: SessionAttemptFacts, verdict: RuleVerdict, refusal: Refusal): Refusal {
    const { store, log } = this.#options;
    const step = this.#journal.step("refused", `rule ${verdict.rule}: ${refusal.reason}: ${refusal.text}`);
    const past = this.#journal.table.find(facts.id);
    // Another attempt under the id of a session that took place: what that used is not forgotten for it.
    const record =
      past?.state === "closed" ? advance(past, { refusal }, step) : refusedSession(facts, verdict, { refusal, step });
    store.save(record);
    log.info("session.refused", { session: facts.id, reason: refusal.reason, text: refusal.text });
    return refusal;
  }

  /**
   * What another rule makes of other media in a session that lives; undefined as long as they name what it was granted
   * before, or what its own rule serves.
   */
  judgeAgain(record: SessionRecord, flows: readonly AskedFlow[]): RuleOutcome | undefined {
    const had = hadClasses(record);
    const others = namedClasses(flows).filter((name) => !had.includes(name));
    if (others.length === 0 || this.#options.rules.serves(record.rule, others)) return undefined;
    const media = new Set(flows.flatMap(({ ask }) => ask?.media ?? []));
    return this.#outcomeOf(this.#judge({ ...record, media: [...media], flows }), flows);
  }

  /** Classes, pools and paths of what is asked for. */
  plan(request: PlanRequest): SessionPlan | Refusal {
    const { map = NO_COMMUNITIES, linkOverhead, classes, sessionClasses = NO_SESSION_CLASSES } = this.#options;
    const { quality = NO_MEASUREMENT, unmeasured = "refuse" } = this.#options;
    return planSession({ map, linkOverhead, classes, sessionClasses, quality, unmeasured }, request);
  }

  /** The plan of what may come, if there is room for the least of it. */
  roomFor(id: SessionId, request: PlanRequest): SessionPlan | Refusal {
    const plan = this.plan(request);
    const room = plan.admitted ? this.#options.ledger.fits(id, needsAt(plan, leastOf(plan))) : plan;
    return room.admitted ? plan : rateRefusal(room, request.flows);
  }

  #judge({ id, side, caller, callee, media, flows }: Attempt): RuleVerdict {
    const user = side === "originating" ? caller : callee;
    return this.#options.rules.judge({
      caller,
      callee,
      media,
      sessionClasses: namedClasses(flows),
      rate: peakRate(flows),
      userSessions: this.#journal.table.countOf(user, id),
    });
  }

  #outcomeOf(verdict: RuleVerdict, flows: readonly AskedFlow[]): RuleOutcome {
    if (verdict.treatment === "refuse") return { admitted: false, reason: verdict.reason, text: verdict.text };
    if (verdict.treatment === "bestEffort") return { admitted: true, verdict, class: undefined };
    const { classes, sessionClasses = NO_SESSION_CLASSES } = this.#options;
    // Where each medium names its class, the first stands for the session.
    const [named = ""] = namedClasses(flows);
    const name = verdict.class ?? sessionClasses.get(named)?.class;
    return { admitted: true, verdict, class: name === undefined ? undefined : classes.get(name) };
  }
}

/** The classes that a session was granted; undefined stands for media that name none. What an offer names is not granted yet. */
function hadClasses({ grants = [], treatment, needs }: SessionRecord): readonly (string | undefined)[] {
  if (grants.length > 0) return grants.map(({ sessionClass }) => sessionClass);
  return treatment === "assured" && needs.length === 0 ? [] : [undefined];
}

const NO_SESSION_CLASSES: ReadonlyMap<string, SessionClass> = new Map();

/** The larger direction, layer 3. */
const peakRate = (flows: readonly AskedFlow[]): BitsPerSecond =>
  Math.max(rateOf(flows, "up"), rateOf(flows, "down")) as BitsPerSecond;

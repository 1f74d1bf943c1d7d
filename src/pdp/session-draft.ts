/** How the record of a new session begins, and the sentences that `explain` shows. Pure. */
import type { Refusal } from "../model/decision.js";
import type { SessionId } from "../model/session.js";
import type { Timestamp } from "../model/units.js";
import { ZERO_FLOW_COUNTERS } from "../model/usage.js";
import type { Grant } from "./authority.js";
import type { PoolNeed } from "./ledger.js";
import type { RuleVerdict } from "./rules.js";
import type { SessionAttemptFacts } from "./session-facts.js";
import type { EndCause, SessionChange, SessionRecord, SessionStep, StoredDirectives } from "./session-record.js";

const NOTHING_TO_ADD: StoredDirectives = { addHeaders: [], removeHeaders: [] };

export interface AuthorisedOutcome {
  /** Of media that name none; undefined for best effort. */
  readonly class: string | undefined;
  readonly grant: Grant;
  readonly directives: StoredDirectives;
  readonly step: SessionStep;
}

/** A session that the authority granted. */
export function authorisedSession(
  facts: SessionAttemptFacts,
  verdict: RuleVerdict,
  { class: name, grant, directives, step }: AuthorisedOutcome,
): SessionRecord {
  const { transactionId } = grant;
  return {
    ...draft(facts, verdict, step),
    state: "authorised",
    class: name,
    transactionId,
    directives,
    ...tariffOf(grant),
  };
}

const tariffOf = ({ tariff }: Grant): Pick<SessionRecord, "tariff"> => (tariff === undefined ? {} : { tariff });

/** A session that never was: kept so that it can be explained. */
export function refusedSession(
  facts: SessionAttemptFacts,
  verdict: RuleVerdict,
  outcome: { readonly refusal: Refusal; readonly step: SessionStep },
): SessionRecord {
  return { ...draft(facts, verdict, outcome.step), state: "refused", refusal: outcome.refusal };
}

function draft(facts: SessionAttemptFacts, verdict: RuleVerdict, step: SessionStep): Omit<SessionRecord, "state"> {
  const assured = verdict.treatment === "assured";
  return {
    id: facts.id,
    callId: facts.callId,
    peer: facts.peer,
    side: facts.side,
    caller: facts.caller,
    callee: facts.callee,
    offer: facts.offer,
    reoffer: undefined,
    rule: verdict.rule,
    treatment: assured ? "assured" : "bestEffort",
    class: assured ? verdict.class : undefined,
    priority: assured ? verdict.priority : 0,
    transactionId: "",
    directives: NOTHING_TO_ADD,
    flows: [],
    past: [],
    needs: [],
    refusal: undefined,
    created: step.at,
    answered: undefined,
    ended: undefined,
    cause: undefined,
    steps: [step],
  };
}

/** What this server ended has its cause, whoever says so last; service ended when what the session held was taken. */
export function endOf({ shed }: SessionRecord, cause: EndCause, now: Timestamp): SessionChange {
  if (shed?.treatment !== "bye") return { state: "releasing", ended: now, cause };
  return { state: "releasing", ended: shed.at, cause: shed.cause ?? "preempted" };
}

export const describeNeeds = (needs: readonly PoolNeed[]): string =>
  needs
    .map(({ pool, up, down }) => {
      const rates = `${up / 1000} kbit/s up, ${down / 1000} kbit/s down`;
      return needs.length === 1 ? rates : `${pool} ${rates}`;
    })
    .join("; ");

export function describeUsage(record: SessionRecord): string {
  const flows = [...record.flows, ...record.past];
  if (flows.length === 0) return "nothing was installed";
  const total = flows.reduce((sum, { final = ZERO_FLOW_COUNTERS }) => sum + final.inProfile.octets, 0);
  return `${flows.length} flows removed, ${total} octets in profile at layer 3`;
}

export function unknownSession(id: SessionId): Refusal {
  return { admitted: false, reason: "notAuthorised", text: `session ${id} was never authorised here` };
}

export function stillReleasing({ id }: SessionRecord): Refusal {
  return { admitted: false, reason: "routerUnavailable", text: `session ${id} is still being released` };
}

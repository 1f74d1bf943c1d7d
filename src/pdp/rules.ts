/** Who may start what: the policy server's rules, first match wins. Pure. */
import type { RefusalReason } from "../model/decision.js";
import type { BitsPerSecond } from "../model/units.js";

export type Treatment = "assured" | "bestEffort" | "refuse";

export interface SessionRule {
  readonly name: string;
  /** Patterns over `user@domain`; `*` stands for any run of characters. */
  readonly from: string;
  readonly to: string;
  /** Media types the rule is for; absent: any. */
  readonly media?: readonly string[] | undefined;
  /** Session classes that the media of a session may name. */
  readonly sessionClasses?: readonly string[] | undefined;
  readonly treatment: Treatment;
  /** Service class of media that name no session class, with treatment `assured`. */
  readonly class?: string | undefined;
  /** Most that one direction of a session may take, counted at layer 3. */
  readonly maxRate?: BitsPerSecond | undefined;
  readonly maxSessionsPerUser?: number | undefined;
  /** When bandwidth is taken back, sessions of the lowest let go first; 0 if undefined. */
  readonly priority?: number | undefined;
}

export interface SessionAttempt {
  readonly caller: string;
  readonly callee: string;
  readonly media: readonly string[];
  /** Session classes that its media name, with undefined for media that name none; if undefined, none does. */
  readonly sessionClasses?: readonly (string | undefined)[] | undefined;
  /** The larger of the two directions, layer 3. */
  readonly rate: BitsPerSecond;
  /** Sessions that the local user has already. */
  readonly userSessions: number;
}

export type RuleVerdict =
  | {
      readonly treatment: "assured";
      readonly rule: string;
      /** Of media that name none; undefined if all have to name one. */
      readonly class: string | undefined;
      readonly priority: number;
    }
  | { readonly treatment: "bestEffort"; readonly rule: string }
  | { readonly treatment: "refuse"; readonly rule: string; readonly reason: RefusalReason; readonly text: string };

const DEFAULT_RULE = "defaultTreatment";

/** Session classes that a refusal repeats. */
const NAMES_TOLD = 3;

export class RuleBook {
  readonly #rules: readonly SessionRule[];
  readonly #fallback: "bestEffort" | "refuse";

  constructor(rules: readonly SessionRule[], fallback: "bestEffort" | "refuse") {
    this.#rules = rules;
    this.#fallback = fallback;
  }

  /** Whether a rule, told by its name, serves media that name these classes. */
  serves(name: string, sessionClasses: readonly (string | undefined)[]): boolean {
    const rule = this.#rules.find((candidate) => candidate.name === name);
    return rule !== undefined && namesFit(rule, sessionClasses);
  }

  judge(attempt: SessionAttempt): RuleVerdict {
    const match = this.#rules.find((rule) => covers(rule, attempt));
    if (match !== undefined) return judgeBy(match, attempt);
    if (this.#fallback === "bestEffort") return { treatment: "bestEffort", rule: DEFAULT_RULE };
    const { caller, callee, media, sessionClasses = [] } = attempt;
    const named = sessionClasses.filter((name) => name !== undefined).slice(0, NAMES_TOLD);
    const what = named.length === 0 ? "" : ` (${named.join(", ")})`;
    const text = `no rule lets ${caller} start ${media.join("+") || "this session"}${what} to ${callee}`;
    return { treatment: "refuse", rule: DEFAULT_RULE, reason: "notAuthorised", text };
  }
}

function judgeBy(rule: SessionRule, attempt: SessionAttempt): RuleVerdict {
  const refuse = (reason: RefusalReason, text: string): RuleVerdict => ({
    treatment: "refuse",
    rule: rule.name,
    reason,
    text,
  });
  if (rule.treatment === "refuse") return refuse("notAuthorised", `rule ${rule.name} refuses this session`);
  if (rule.maxSessionsPerUser !== undefined && attempt.userSessions >= rule.maxSessionsPerUser) {
    return refuse("rateLimited", `rule ${rule.name} allows ${rule.maxSessionsPerUser} sessions at a time`);
  }
  const servesNothing = rule.class === undefined && rule.sessionClasses === undefined;
  if (rule.treatment === "bestEffort" || servesNothing) return { treatment: "bestEffort", rule: rule.name };
  if (rule.maxRate !== undefined && attempt.rate > rule.maxRate) {
    const text = `the offer asks ${attempt.rate / 1000} kbit/s, rule ${rule.name} allows ${rule.maxRate / 1000} kbit/s`;
    return refuse("mediaUnacceptable", text);
  }
  return { treatment: "assured", rule: rule.name, class: rule.class, priority: rule.priority ?? 0 };
}

function covers(rule: SessionRule, { caller, callee, media, sessionClasses }: SessionAttempt): boolean {
  if (!matchesPattern(rule.from, caller) || !matchesPattern(rule.to, callee)) return false;
  if (!namesFit(rule, sessionClasses ?? [undefined])) return false;
  const allowed = rule.media;
  return allowed === undefined || media.every((type) => allowed.includes(type));
}

/**
 * An assured rule gives the classes that it names and no others: the session classes of its list, and its class to media that
 * name none. Other rules give nothing away: without a list they are for any session, with one for media that name one of it.
 */
function namesFit(
  { treatment, class: own, sessionClasses }: SessionRule,
  names: readonly (string | undefined)[],
): boolean {
  if (treatment !== "assured" && sessionClasses === undefined) return true;
  return names.every((name) =>
    name === undefined
      ? treatment === "assured" && (own !== undefined || sessionClasses === undefined)
      : sessionClasses?.includes(name),
  );
}

/**
 * Whether `text` matches `pattern`, where `*` stands for any run of characters; case is ignored. One pass with
 * one point of return, so that what a caller puts into an address cannot cost more than pattern × text.
 */
export function matchesPattern(pattern: string, text: string): boolean {
  const [wanted, given] = [pattern.toLowerCase(), text.toLowerCase()];
  let [at, read, star, resume] = [0, 0, -1, 0];
  while (read < given.length) {
    if (wanted[at] === "*") {
      star = at++;
      resume = read;
    } else if (wanted[at] === given[read]) {
      at++;
      read++;
    } else if (star >= 0) {
      at = star + 1;
      read = ++resume;
    } else {
      return false;
    }
  }
  while (wanted[at] === "*") at++;
  return at === wanted.length;
}

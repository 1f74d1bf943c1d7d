/**
 * The sizing of one pool: how its reservation follows what sessions use. Pure: times come with the events.
 *
 * ```
 *  steady ──more wanted──▶ growing ──confirmed──▶ steady     waiters are admitted
 *    │ ▲                      └── refused, or no answer ──▶ quiet ──retry──▶ steady     waiters are refused
 *    │ └──────────confirmed──────────┐
 *    └──less for `hold`──▶ shrinking ┘
 * ```
 * A request that nobody answers may still be carried out, whatever was asked for since. So the room is never more than
 * the smallest of those. The network may take back at any time: sessions are shed down to what is left.
 */
import { unreachable } from "../../model/errors.js";
import type { FlowDirection } from "../../model/flow.js";
import type { SessionId } from "../../model/session.js";
import { type BitsPerSecond, bitsPerSecond, type Timestamp } from "../../model/units.js";
import type { DirectionRates } from "../ledger.js";
import { larger, type SizingPlan, targetOf, underCeiling } from "./sizing-plan.js";

/** A session that needs more than there is room for, beyond what it holds already. */
export interface Waiter extends DirectionRates {
  readonly session: SessionId;
  readonly until: Timestamp;
}

export interface SizingState {
  readonly plan: SizingPlan;
  /** What the network confirmed last. */
  readonly size: BitsPerSecond;
  /** The request whose answer is waited for. */
  readonly asked: { readonly rate: BitsPerSecond; readonly at: Timestamp } | undefined;
  /** Requests without an answer, the oldest first: that one, and those that were given up. */
  readonly unanswered: readonly BitsPerSecond[];
  /** What sessions hold. */
  readonly used: DirectionRates;
  /** In the order in which they came. */
  readonly waiters: readonly Waiter[];
  /** Since when less would be enough. */
  readonly lowSince: Timestamp | undefined;
  /** No requests for more before. */
  readonly quietUntil: Timestamp | undefined;
}

/** What happened to a pool. */
export type SizingNews =
  | { readonly kind: "demand"; readonly used: DirectionRates }
  | { readonly kind: "wait"; readonly waiter: Waiter }
  /** The session does not wait any longer. */
  | { readonly kind: "leave"; readonly session: SessionId }
  /** The request for `rate` was carried out. */
  | { readonly kind: "confirmed"; readonly rate: BitsPerSecond }
  /** The request for `rate` was not; the reservation is `kept`. */
  | { readonly kind: "refused"; readonly rate: BitsPerSecond; readonly kept: BitsPerSecond }
  /** Unasked: partial preemption (RFC 4495), a link that went down (`left` is 0) or became smaller. */
  | { readonly kind: "takenBack"; readonly left: BitsPerSecond }
  /** An edge of the schedule. */
  | { readonly kind: "plan"; readonly plan: SizingPlan }
  | { readonly kind: "timer" };

export type SizingEvent = SizingNews & { readonly at: Timestamp };

export type SizingAction =
  /** Of the whole reservation. */
  | { readonly kind: "request"; readonly rate: BitsPerSecond }
  /** There is room for this waiter now, and for all that were admitted before it in the same step. */
  | { readonly kind: "admit"; readonly session: SessionId }
  | { readonly kind: "refuse"; readonly session: SessionId; readonly why: WaiterRefusal }
  /** Sessions hold this much more than there is. */
  | { readonly kind: "shed"; readonly over: DirectionRates };

export type WaiterRefusal = "timeout" | "ceiling" | "network";

export interface SizingStep {
  readonly state: SizingState;
  readonly actions: readonly SizingAction[];
}

/** Requests without an answer that are remembered. */
const UNANSWERED_MAX = 16;

export const NOTHING_USED: DirectionRates = { up: bitsPerSecond(0), down: bitsPerSecond(0) };

/** Nothing is reserved yet: the first event asks for what the plan wants. */
export const newSizing = (plan: SizingPlan): SizingState => ({
  plan,
  size: bitsPerSecond(0),
  asked: undefined,
  unanswered: [],
  used: NOTHING_USED,
  waiters: [],
  lowSince: undefined,
  quietUntil: undefined,
});

/** What sessions may use together, each direction. */
export const roomOf = (state: SizingState): BitsPerSecond =>
  bitsPerSecond(Math.max(0, sureOf(state) - state.plan.overhead));

/** Whether a session that needs this much more would be admitted, now or after a wait. */
export function mayGrow(state: SizingState, more: DirectionRates, at: Timestamp): boolean {
  const { plan, size, used } = state;
  if (!underCeiling(plan, used, more)) return false;
  return isGrowing(state) || !isQuiet(state, at) || larger(used) + larger(more) + plan.overhead <= size;
}

export function stepSizing(state: SizingState, event: SizingEvent): SizingStep {
  const next = ask(admit(take(state, event), event), event.at);
  const { state: final, actions } = turnAway(next, event.at);
  return { state: final, actions: [...actions, ...shed(final, event)] };
}

/** When the machine wants its next `timer` event. */
export function dueAt(state: SizingState): Timestamp | undefined {
  const { asked, lowSince, plan, quietUntil, waiters } = state;
  const times = waiters.map(({ until }) => until);
  if (asked !== undefined) times.push(later(asked.at, plan.growTimeout));
  else if (lowSince !== undefined) times.push(later(lowSince, plan.hold));
  else if (quietUntil !== undefined && wanted(state) > sureOf(state)) times.push(quietUntil);
  return times.length === 0 ? undefined : (Math.min(...times) as Timestamp);
}

/** What the event says, before anything is made of it. */
function take(state: SizingState, event: SizingEvent): SizingState {
  switch (event.kind) {
    case "demand":
      return { ...state, used: event.used };
    case "wait":
      return { ...state, waiters: [...without(state, event.waiter.session), event.waiter] };
    case "leave":
      return { ...state, waiters: without(state, event.session) };
    case "confirmed":
      return confirmed(state, event.rate);
    case "refused":
      return quiet({ ...answered(state, event.rate, event.kept), lowSince: undefined }, event.at);
    case "takenBack":
      return quiet({ ...state, size: event.left }, event.at);
    case "plan":
      return { ...state, plan: event.plan };
    case "timer":
      return giveUp(state, event.at);
    default:
      return unreachable(event, "stepSizing");
  }
}

/** A request for more that was given up, and is carried out all the same, shows that the network answers: no more quiet. */
function confirmed(state: SizingState, rate: BitsPerSecond): SizingState {
  const next = answered(state, rate, rate);
  return rate > state.size ? { ...next, quietUntil: undefined } : next;
}

/** Requests are carried out in their order: those before the one that is answered will not be any more. */
function answered(state: SizingState, rate: BitsPerSecond, size: BitsPerSecond): SizingState {
  const unanswered = state.unanswered.slice(state.unanswered.indexOf(rate) + 1);
  return { ...state, size, unanswered, asked: unanswered.length === 0 ? undefined : state.asked };
}

/** Nobody waits longer for more; a request for less is said again instead (`ask`). */
function giveUp(state: SizingState, at: Timestamp): SizingState {
  const { asked, plan } = state;
  if (asked === undefined || at < later(asked.at, plan.growTimeout) || !isGrowing(state)) return state;
  return quiet({ ...state, asked: undefined }, at);
}

const quiet = (state: SizingState, at: Timestamp): SizingState => ({
  ...state,
  quietUntil: later(at, state.plan.retry),
});

function admit(state: SizingState, event: SizingEvent): SizingStep {
  const room = roomOf(state);
  const used = { up: state.used.up as number, down: state.used.down as number };
  const admitted = state.waiters.filter(({ up, down, until }) => {
    if (event.at >= until || used.up + up > room || used.down + down > room) return false;
    used.up += up;
    used.down += down;
    return true;
  });
  if (admitted.length === 0) return { state, actions: [] };
  const waiters = state.waiters.filter((waiter) => !admitted.includes(waiter));
  // What they take counts from here: nothing is decided on the room that they had not yet taken.
  const held = { up: bitsPerSecond(used.up), down: bitsPerSecond(used.down) };
  return {
    state: { ...state, waiters, used: held },
    actions: admitted.map(({ session }) => ({ kind: "admit", session })),
  };
}

function ask({ state, actions }: SizingStep, at: Timestamp): SizingStep {
  const { asked, plan, size } = state;
  const request = (rate: BitsPerSecond): SizingStep => ({
    state: { ...state, asked: { rate, at }, unanswered: withRequest(state.unanswered, rate), lowSince: undefined },
    actions: [...actions, { kind: "request", rate }],
  });
  if (asked !== undefined) return at < later(asked.at, plan.growTimeout) ? { state, actions } : request(asked.rate);
  const target = wanted(state, at);
  if (target > sureOf(state)) {
    const mayAsk = target <= size || !isQuiet(state, at);
    return mayAsk ? request(target) : { state: { ...state, lowSince: undefined }, actions };
  }
  if (target === size) return { state: { ...state, lowSince: undefined }, actions };
  const lowSince = state.lowSince ?? at;
  return at >= later(lowSince, plan.hold) ? request(target) : { state: { ...state, lowSince }, actions };
}

/** What was said twice in a row is one request. Of too many, the largest is forgotten: it binds nothing. */
function withRequest(unanswered: readonly BitsPerSecond[], rate: BitsPerSecond): readonly BitsPerSecond[] {
  if (unanswered.at(-1) === rate) return unanswered;
  const largest =
    unanswered.length < UNANSWERED_MAX ? -1 : unanswered.indexOf(Math.max(...unanswered) as BitsPerSecond);
  return [...unanswered.filter((_, index) => index !== largest), rate];
}

/** Refuses waiters whom no request that is under way can help. */
function turnAway({ state, actions }: SizingStep, at: Timestamp): SizingStep {
  const reasons = state.waiters.map((waiter) => ({ waiter, why: whyNot(state, waiter, at) }));
  const refusals = reasons.flatMap(({ waiter, why }): SizingAction[] =>
    why === undefined ? [] : [{ kind: "refuse", session: waiter.session, why }],
  );
  const waiters = reasons.filter(({ why }) => why === undefined).map(({ waiter }) => waiter);
  return { state: { ...state, waiters }, actions: [...actions, ...refusals] };
}

function whyNot(state: SizingState, waiter: Waiter, at: Timestamp): WaiterRefusal | undefined {
  if (at >= waiter.until) return "timeout";
  if (!underCeiling(state.plan, state.used, waiter)) return "ceiling";
  // One for less is answered first; the one for more comes after it.
  if (state.asked !== undefined) return undefined;
  return isQuiet(state, at) ? "network" : "ceiling";
}

/** Looked at when the size may have become smaller; what sessions take themselves never goes beyond the room. */
function shed(state: SizingState, { kind }: SizingEvent): readonly SizingAction[] {
  if (kind !== "confirmed" && kind !== "refused" && kind !== "takenBack") return [];
  const room = roomOf(state);
  const { up, down } = state.used;
  if (up <= room && down <= room) return [];
  const over = { up: bitsPerSecond(Math.max(0, up - room)), down: bitsPerSecond(Math.max(0, down - room)) };
  return [{ kind: "shed", over }];
}

/** The size that is wanted for what is held and waited for; nobody is waited for in vain. */
function wanted({ plan, used, waiters }: SizingState, at?: Timestamp): BitsPerSecond {
  const waiting = waiters.filter(
    (waiter) => (at === undefined || at < waiter.until) && underCeiling(plan, used, waiter),
  );
  const sum = (direction: FlowDirection): number =>
    waiting.reduce<number>((total, waiter) => total + waiter[direction], used[direction]);
  return targetOf(plan, larger(used), Math.max(sum("up"), sum("down")) - larger(used));
}

/** What the network has, whichever of the unanswered requests it carries out. */
const sureOf = ({ size, unanswered }: SizingState): BitsPerSecond => Math.min(size, ...unanswered) as BitsPerSecond;

const isGrowing = ({ asked, size }: SizingState): boolean => asked !== undefined && asked.rate > size;
const isQuiet = ({ quietUntil }: SizingState, at: Timestamp): boolean => quietUntil !== undefined && at < quietUntil;
const later = (at: Timestamp, span: number): Timestamp => (at + span) as Timestamp;
const without = ({ waiters }: SizingState, session: SessionId): readonly Waiter[] =>
  waiters.filter((waiter) => waiter.session !== session);

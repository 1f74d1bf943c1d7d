/**
 * Whether one session still lives, told from what its flows carry, from the refreshes that pass (RFC 4028) and from time. Pure.
 *
 * ```
 *  media open ── a complete report, and nothing moved for idleTimeout ──▶ idle
 *  media held or not counted ── the session timer ran out ──▶ expired
 *  direct, and media held ── a complete report after the timer ran out, and nothing moved ──▶ expired
 *  media open or held ── the timer ran out, and something moves ──▶ prolonged by its interval
 *  media open ── the timer ran out, no reports ──▶ waits for one; a routed dialog one more interval, then expired
 *  any ── maxDuration after the answer, without one after the first offer ──▶ expired
 * ```
 */
import type { Millis, Timestamp } from "../../model/units.js";
import type { Counter, FlowCounters } from "../../model/usage.js";

export interface LifeRules {
  /** Longest time without a packet while the gates are open; absent: for ever. */
  readonly idleTimeout?: Millis | undefined;
  /** From the answer on, and for as long unanswered; absent: for ever. */
  readonly maxDuration?: Millis | undefined;
}

/**
 * `held`: a party put the session on hold, so that silence says nothing. `none`: nothing of it is counted, as for best effort.
 */
export type MediaState = "open" | "held" | "none";

/** What the session is like, as far as its life is concerned. */
export interface LifeFacts {
  /** Its answer; while there is none, its beginning. */
  readonly since: Timestamp;
  readonly media: MediaState;
  /** Flows that are installed, by the router's numbers. */
  readonly instances: readonly number[];
  /** Refreshes go from user to user: the proxy left the dialog's path. */
  readonly direct: boolean;
}

export interface FlowLife {
  readonly counters: FlowCounters;
  /** When a report last had more of it. */
  readonly moved: Timestamp;
}

/** RFC 4028 §8.2: from the 2xx that said it, or the last one that confirmed it. */
export interface SessionTimer {
  readonly interval: Millis;
  readonly due: Timestamp;
}

export interface SessionLife extends LifeFacts {
  /** Since when a packet is expected: the flows are as they are, and open. */
  readonly opened: Timestamp;
  /** When media was last seen to move; undefined before the first packet. */
  readonly moved: Timestamp | undefined;
  readonly flows: ReadonlyMap<number, FlowLife>;
  readonly timer: SessionTimer | undefined;
}

export type LifeEvent =
  /** The session is, or became, like this. */
  | { readonly type: "facts"; readonly facts: LifeFacts }
  /** A 2xx to INVITE or UPDATE passed. No interval: the session does not expire (RFC 4028 §7.2). */
  | { readonly type: "refreshed"; readonly interval: Millis | undefined }
  /** Counters of its flows since their beginning; others may be among them. */
  | { readonly type: "counted"; readonly counters: ReadonlyMap<number, FlowCounters> }
  /** The router has told of all flows that moved since its report before. */
  | { readonly type: "complete" }
  | { readonly type: "tick" };

export interface LifeStep {
  readonly life: SessionLife;
  readonly end?: "idle" | "expired";
}

/** A session that is watched from now on: begun just now, or known again after a restart. */
export const newLife = (facts: LifeFacts, now: Timestamp): SessionLife => ({
  ...facts,
  opened: now,
  moved: undefined,
  flows: new Map(),
  timer: undefined,
});

export function stepLife(rules: LifeRules, life: SessionLife, event: LifeEvent, now: Timestamp): LifeStep {
  switch (event.type) {
    case "facts":
      return { life: withFacts(life, event.facts, now) };
    case "refreshed":
      return { life: { ...life, timer: timerFrom(event.interval, now) } };
    case "counted":
      return { life: withCounters(life, event.counters, now) };
    case "complete":
      return onComplete(rules, life, now);
    case "tick":
      return onTick(rules, life, now);
  }
}

const after = (from: Timestamp, span: number): Timestamp => (from + span) as Timestamp;

const timerFrom = (interval: Millis | undefined, now: Timestamp): SessionTimer | undefined =>
  interval === undefined ? undefined : { interval, due: after(now, interval) };

function withFacts(life: SessionLife, facts: LifeFacts, now: Timestamp): SessionLife {
  const known = new Set(life.instances);
  const isUnchanged = facts.instances.length === known.size && facts.instances.every((each) => known.has(each));
  // Other flows, or a gate that was opened again: their first packet may take its time.
  const opened = isUnchanged && facts.media === life.media ? life.opened : now;
  const wanted = new Set(facts.instances);
  const flows = isUnchanged ? life.flows : new Map([...life.flows].filter(([instance]) => wanted.has(instance)));
  return { ...life, ...facts, opened, flows };
}

function withCounters(life: SessionLife, counters: ReadonlyMap<number, FlowCounters>, now: Timestamp): SessionLife {
  const flows = new Map(life.flows);
  let moved = life.moved;
  for (const instance of life.instances) {
    const counted = counters.get(instance);
    const before = flows.get(instance);
    // Told again as it was, after a reconnection: that is no packet.
    if (counted === undefined || (before !== undefined && isEqual(before.counters, counted))) continue;
    flows.set(instance, { counters: counted, moved: now });
    moved = now;
  }
  return { ...life, flows, moved };
}

const isSame = (one: Counter, other: Counter): boolean => one.packets === other.packets && one.octets === other.octets;

const isEqual = (one: FlowCounters, other: FlowCounters): boolean =>
  isSame(one.inProfile, other.inProfile) && isSame(one.outOfProfile, other.outOfProfile);

/** How long nothing has been seen that should have been. */
const quiet = ({ opened, moved = opened }: SessionLife, now: Timestamp): number => now - Math.max(opened, moved);

/** Only a report says that nothing moved: a router that is away says nothing at all. */
function onComplete({ idleTimeout }: LifeRules, life: SessionLife, now: Timestamp): LifeStep {
  const { media, timer, direct } = life;
  // No refresh of a direct dialog is ever seen: on hold, too, only what moves (RTCP) speaks for it.
  if (media === "none" || (media === "held" && !direct)) return { life };
  const limit = idleTimeout ?? timer?.interval;
  if (limit === undefined) return { life };
  const isQuiet = quiet(life, now) >= limit;
  if (isQuiet && idleTimeout !== undefined && media === "open") return { life, end: "idle" };
  if (timer === undefined || now < timer.due) return { life };
  // Nobody refreshed it where we would see that, but it is in use.
  return isQuiet ? { life, end: "expired" } : { life: { ...life, timer: timerFrom(timer.interval, now) } };
}

function onTick({ idleTimeout, maxDuration }: LifeRules, life: SessionLife, now: Timestamp): LifeStep {
  if (maxDuration !== undefined && now - life.since >= maxDuration) return { life, end: "expired" };
  const { timer, media, direct, moved } = life;
  // Of a direct dialog no refresh is ever seen: without packets to go by there is nothing to conclude.
  if (timer === undefined || direct) return { life };
  if (now < timer.due) return { life };
  // RTCP goes on during a hold, and a refresh may go by unseen: an UPDATE without an offer shows itself to no policy server.
  const isMoving = moved !== undefined && now - moved < (idleTimeout ?? timer.interval);
  if (isMoving) return { life: { ...life, timer: timerFrom(timer.interval, now) } };
  const due = media === "open" ? after(timer.due, timer.interval) : timer.due;
  return now < due ? { life } : { life, end: "expired" };
}

/** Watches over sessions: what the router counts and which refreshes pass, until one of them is over. */
import type { Clock, Timer } from "../../model/clock.js";
import type { FlowDirection } from "../../model/flow.js";
import type { Logger } from "../../model/log.js";
import type { SessionId } from "../../model/session.js";
import { type Millis, seconds, type Timestamp } from "../../model/units.js";
import { addFlowCounters, type FlowCounters, ZERO_FLOW_COUNTERS } from "../../model/usage.js";
import type { SessionRecord } from "../session-record.js";
import { lifeFacts } from "./life-facts.js";
import { type LifeEvent, type LifeRules, newLife, type SessionLife, stepLife } from "./session-life.js";
import type { Refresh } from "./session-timer.js";

/** Why a session is ended by the server that watches it. */
export type LifeEnd = "idle" | "expired";

/** What a session has carried so far; octets at layer 3. */
export interface LiveUsage {
  readonly session: SessionId;
  readonly up: FlowCounters;
  readonly down: FlowCounters;
  /** When its media was last seen to move; undefined: not since this server began to watch it. */
  readonly moved: Timestamp | undefined;
  /** When it ends if nobody refreshes it (RFC 4028). */
  readonly expires: Timestamp | undefined;
}

export interface LivenessOptions {
  readonly rules: LifeRules;
  readonly clock: Clock;
  readonly log: Logger;
  readonly sessions: () => Iterable<SessionRecord>;
  /** Has it ended at the router and at the proxy. */
  readonly end: (session: SessionId, cause: LifeEnd) => Promise<void>;
}

/** How late the end of a timer may be noticed. */
const SWEEP: Millis = seconds(1);

interface Watched {
  /** As it was when `life` was made up to date. */
  readonly record: SessionRecord;
  readonly life: SessionLife;
}

export class Liveness {
  readonly #options: LivenessOptions;
  readonly #watched = new Map<SessionId, Watched>();
  /** Whose flow the router knows by which number. */
  readonly #owners = new Map<number, SessionId>();
  /** Those that `end` was called for, while they are still there. */
  readonly #ending = new Set<SessionId>();
  #timer: Timer | undefined;

  constructor(options: LivenessOptions) {
    this.#options = options;
  }

  /** Sessions that are there already are watched from now on. */
  start(): void {
    this.#look();
    this.#timer = this.#options.clock.after(SWEEP, () => {
      this.start();
      this.#tellAll({ type: "tick" });
    });
  }

  close(): void {
    this.#timer?.cancel();
  }

  /** A 2xx passed that sets the session's timer, or takes it away. */
  refreshed(session: SessionId, { interval }: Refresh): void {
    if (!this.#watched.has(session)) this.#look();
    this.#tell(session, { type: "refreshed", interval });
  }

  /** A proxy that came back says again what once passed: that is no refresh, but tells a server that was restarted. */
  restated(session: SessionId, refresh: Refresh): void {
    this.#look();
    if (this.#watched.get(session)?.life.timer === undefined) this.refreshed(session, refresh);
  }

  /** What the router tells of flows; of some it may know more than this server. */
  counted(counters: ReadonlyMap<number, FlowCounters>): void {
    if ([...counters.keys()].some((instance) => !this.#owners.has(instance))) this.#look();
    const sessions = new Set([...counters.keys()].map((instance) => this.#owners.get(instance)));
    for (const session of sessions) if (session !== undefined) this.#tell(session, { type: "counted", counters });
  }

  /** The router has told of everything that moved since it last did. */
  complete(): void {
    this.#look();
    this.#tellAll({ type: "complete" });
  }

  usage(): readonly LiveUsage[] {
    return [...this.#watched.keys()].flatMap((session) => this.usageOf(session) ?? []);
  }

  /** Undefined for a session that is not answered yet, or over. */
  usageOf(session: SessionId): LiveUsage | undefined {
    const watched = this.#watched.get(session);
    if (watched?.record.answered === undefined) return undefined;
    const { moved, timer } = watched.life;
    const [up, down] = [carried(watched, "up"), carried(watched, "down")];
    return { session, up, down, moved, expires: timer?.due };
  }

  /** Takes note of sessions that came, went, or changed. */
  #look(): void {
    const { sessions, clock } = this.#options;
    const seen = new Set<SessionId>();
    for (const record of sessions()) {
      seen.add(record.id);
      this.#note(record, clock.now());
    }
    for (const id of this.#watched.keys()) if (!seen.has(id)) this.#forget(id);
    for (const id of this.#ending) if (!seen.has(id)) this.#ending.delete(id);
  }

  #note(record: SessionRecord, now: Timestamp): void {
    const { id } = record;
    const watched = this.#watched.get(id);
    if (watched?.record === record) return;
    const facts = lifeFacts(record);
    if (facts === undefined) {
      this.#forget(id);
      return;
    }
    const life =
      watched === undefined
        ? newLife(facts, now)
        : stepLife(this.#options.rules, watched.life, { type: "facts", facts }, now).life;
    for (const instance of watched?.life.instances ?? []) this.#owners.delete(instance);
    for (const instance of facts.instances) this.#owners.set(instance, id);
    this.#watched.set(id, { record, life });
  }

  #forget(id: SessionId): void {
    for (const instance of this.#watched.get(id)?.life.instances ?? []) this.#owners.delete(instance);
    this.#watched.delete(id);
  }

  #tellAll(event: LifeEvent): void {
    for (const session of [...this.#watched.keys()]) this.#tell(session, event);
  }

  #tell(session: SessionId, event: LifeEvent): void {
    const watched = this.#watched.get(session);
    if (watched === undefined) return;
    const { rules, clock } = this.#options;
    const { life, end } = stepLife(rules, watched.life, event, clock.now());
    if (life !== watched.life) this.#watched.set(session, { ...watched, life });
    if (end !== undefined) this.#end(session, end);
  }

  #end(session: SessionId, cause: LifeEnd): void {
    if (this.#ending.has(session)) return;
    const { end, log } = this.#options;
    this.#ending.add(session);
    log.warn("session.not-alive", { session, cause });
    end(session, cause).catch((error: unknown) => {
      // Tried again when it is found dead again.
      this.#ending.delete(session);
      log.error("pdp.end-failed", { session, error });
    });
  }
}

function carried({ record, life }: Watched, way: FlowDirection): FlowCounters {
  const live = record.flows
    .filter(({ flow }) => flow.direction === way)
    .map(({ instance, final }) => final ?? life.flows.get(instance)?.counters ?? ZERO_FLOW_COUNTERS);
  const past = record.past.filter(({ flow }) => flow.direction === way).map(({ final }) => final ?? ZERO_FLOW_COUNTERS);
  return [...live, ...past].reduce(addFlowCounters, ZERO_FLOW_COUNTERS);
}

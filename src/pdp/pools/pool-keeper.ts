/**
 * Keeps pools as large as their sessions need: joins the ledger, the sizing of each pool and the network that
 * reserves. A session that finds a pool too small waits here for a larger one.
 */
import type { FlowDirection } from "../../model/flow.js";
import type { SessionId } from "../../model/session.js";
import { type BitsPerSecond, bitsPerSecond, type Timestamp } from "../../model/units.js";
import { answerTo, type DirectionRates, type LedgerAnswer, type PoolNeed, type Shortage } from "../ledger.js";
import { type KeptPoolView, PoolSizings, type PoolSizingsOptions, type SizingHandlers } from "./pool-sizings.js";
import type { ReservationEvents } from "./reservation-port.js";
import type { Room, SessionPools } from "./session-pools.js";
import { chooseVictims } from "./shedding.js";
import type { WaiterRefusal } from "./sizing.js";

/** The ledger has the kept pools, and others that stay as they are, such as links. */
export interface PoolKeeperOptions extends PoolSizingsOptions {
  /** How important a session is, and since when it is: for who lets go first. */
  readonly rank: (session: SessionId) => { readonly priority: number; readonly since: Timestamp };
  /** The network took what this session holds of the pool: it has to be released. */
  readonly shed: (session: SessionId, pool: string) => void;
}

/** What a resize does to sessions. */
export interface PoolResize {
  /** What sessions hold now, each direction, and what they may hold together afterwards. Layer 2. */
  readonly held: DirectionRates;
  readonly room: BitsPerSecond;
  /** Who has to let go, the least important first. */
  readonly shed: readonly SessionId[];
}

interface Waiting {
  readonly session: SessionId;
  readonly needs: readonly PoolNeed[];
  readonly until: Timestamp;
  /** Pools that know of it. */
  readonly at: Set<string>;
  readonly settle: (answer: LedgerAnswer) => void;
}

/** Sessions that may wait at a time: those beyond are refused at once. */
const WAITING_MAX = 1000;

export class PoolKeeper implements SessionPools, ReservationEvents {
  readonly #options: PoolKeeperOptions;
  readonly #sizings: PoolSizings;
  readonly #waiting = new Map<SessionId, Waiting>();
  /** Sessions that were told to let go, and have not yet. */
  readonly #leaving = new Set<SessionId>();

  constructor(options: PoolKeeperOptions) {
    this.#options = options;
    const handlers: SizingHandlers = {
      admit: (pool, session) => this.#admit(pool, session),
      refuse: (session, why) => this.#refuse(session, why),
      shed: (pool, over) => this.#shed(pool, over),
    };
    this.#sizings = new PoolSizings(options, handlers);
  }

  /** Asks for the first reservations: call it when sessions of an earlier run hold again what they held. */
  start(): void {
    this.#sizings.start();
  }

  /** Refuses all who wait; asks for nothing any more. */
  close(): void {
    this.#sizings.close();
    for (const waiting of [...this.#waiting.values()])
      this.#settle(waiting, this.#refusal(waiting, "this server ends"));
  }

  has(pool: string): boolean {
    return this.#options.ledger.has(pool);
  }

  fits(session: SessionId, needs: readonly PoolNeed[]): LedgerAnswer {
    const shortages = this.#options.ledger.shortages(session, needs);
    return this.#mayServe(session, needs, shortages) ? { admitted: true } : answerTo(shortages);
  }

  look(session: SessionId, needs: readonly PoolNeed[]): Room {
    const shortages = this.#options.ledger.shortages(session, needs);
    if (shortages.length === 0) return "now";
    return this.#mayServe(session, needs, shortages) ? "later" : "none";
  }

  reserve(session: SessionId, needs: readonly PoolNeed[]): LedgerAnswer | Promise<LedgerAnswer> {
    const answer = this.#reserveNow(session, needs);
    if (answer.admitted) return answer;
    const shortages = this.#options.ledger.shortages(session, needs);
    const mayWait = this.#waiting.size < WAITING_MAX && !this.#waiting.has(session);
    if (!mayWait || !this.#mayServe(session, needs, shortages)) return answer;
    const patience = Math.min(...shortages.map(({ pool }) => this.#sizings.patience(pool) ?? 0));
    const until = (this.#options.clock.now() + patience) as Timestamp;
    return new Promise((settle) => {
      const waiting: Waiting = { session, needs, until, at: new Set(), settle };
      this.#waiting.set(session, waiting);
      this.#queue(waiting, shortages);
    });
  }

  restore(session: SessionId, needs: readonly PoolNeed[]): void {
    const touched = this.#touched(session, needs);
    this.#options.ledger.restore(session, needs);
    this.#sizings.demand(touched);
  }

  release(session: SessionId): void {
    const touched = this.#touched(session, []);
    this.#options.ledger.release(session);
    this.#leaving.delete(session);
    const waiting = this.#waiting.get(session);
    if (waiting !== undefined) this.#settle(waiting, this.#refusal(waiting, "the session ended"));
    this.#sizings.demand(touched);
  }

  /** What `resize` would do; undefined for a pool whose size is not decided here. */
  planResize(pool: string, rate: BitsPerSecond): PoolResize | undefined {
    if (!this.#sizings.has(pool)) return undefined;
    const held = this.#options.ledger.used(pool);
    const room = this.#sizings.roomAt(pool, rate);
    const over = (direction: FlowDirection): BitsPerSecond => bitsPerSecond(Math.max(0, held[direction] - room));
    return { held, room, shed: this.#victims(pool, { up: over("up"), down: over("down") }) };
  }

  /** Gives a pool another rate until this server starts again. Sessions beyond it are shed. */
  resize(pool: string, rate: BitsPerSecond): PoolResize | undefined {
    const plan = this.planResize(pool, rate);
    if (plan === undefined) return undefined;
    this.#options.log.warn("pdp.pool-resized", { pool, rate, sheds: plan.shed.length });
    this.#sizings.resize(pool, rate);
    return plan;
  }

  confirmed(pool: string, rate: BitsPerSecond): void {
    this.#sizings.tell(pool, { kind: "confirmed", rate });
  }

  refused(pool: string, rate: BitsPerSecond, kept: BitsPerSecond): void {
    this.#options.log.warn("pdp.pool-refused", { pool, rate, kept });
    this.#sizings.tell(pool, { kind: "refused", rate, kept });
  }

  takenBack(pool: string, left: BitsPerSecond): void {
    this.#options.log.warn("pdp.pool-taken-back", { pool, left });
    this.#sizings.tell(pool, { kind: "takenBack", left });
  }

  view(): readonly KeptPoolView[] {
    return this.#sizings.view();
  }

  #reserveNow(session: SessionId, needs: readonly PoolNeed[]): LedgerAnswer {
    const touched = this.#touched(session, needs);
    const answer = this.#options.ledger.reserve(session, needs);
    if (answer.admitted) this.#sizings.demand(touched);
    return answer;
  }

  /** Whether the network could give what is short. */
  #mayServe(session: SessionId, needs: readonly PoolNeed[], shortages: readonly Shortage[]): boolean {
    return shortages.every(({ pool }) => this.#sizings.mayGrow(pool, this.#more(session, needs, pool)));
  }

  /** What the session needs of a pool beyond what it holds. */
  #more(session: SessionId, needs: readonly PoolNeed[], pool: string): DirectionRates {
    const of = (list: readonly PoolNeed[]): PoolNeed | undefined => list.find((need) => need.pool === pool);
    const [need, held] = [of(needs), of(this.#options.ledger.held(session))];
    const more = (direction: FlowDirection): BitsPerSecond =>
      bitsPerSecond(Math.max(0, (need?.[direction] ?? 0) - (held?.[direction] ?? 0)));
    return { up: more("up"), down: more("down") };
  }

  /** Lets each pool that is short know of a session that waits. */
  #queue({ session, needs, until, at }: Waiting, shortages: readonly Shortage[]): void {
    const news = shortages.filter(({ pool }) => !at.has(pool));
    for (const { pool } of news) at.add(pool);
    for (const { pool } of news) {
      const waiter = { session, until, ...this.#more(session, needs, pool) };
      this.#sizings.tell(pool, { kind: "wait", waiter });
    }
  }

  /** One pool has room now: are the others ready as well? */
  #admit(pool: string, session: SessionId): void {
    const waiting = this.#waiting.get(session);
    waiting?.at.delete(pool);
    const answer = waiting === undefined ? undefined : this.#reserveNow(session, waiting.needs);
    // The sizing has counted it as served already.
    if (answer?.admitted !== true) this.#sizings.demand([pool]);
    if (waiting === undefined || answer === undefined) return;
    const shortages = answer.admitted ? [] : this.#options.ledger.shortages(session, waiting.needs);
    if (answer.admitted || !this.#mayServe(session, waiting.needs, shortages)) this.#settle(waiting, answer);
    else this.#queue(waiting, shortages);
  }

  #refuse(session: SessionId, why: WaiterRefusal): void {
    const waiting = this.#waiting.get(session);
    if (waiting === undefined) return;
    const answer = this.#reserveNow(session, waiting.needs);
    this.#settle(waiting, answer.admitted ? answer : this.#refusal(waiting, WHY[why]));
  }

  #refusal({ session, needs }: Waiting, why: string): LedgerAnswer {
    const answer = answerTo(this.#options.ledger.shortages(session, needs));
    if (!answer.admitted) return { ...answer, text: `${answer.text}; ${why}` };
    return { admitted: false, reason: "noRoom", text: `no longer waiting for a larger pool: ${why}` };
  }

  #settle({ session, at, settle }: Waiting, answer: LedgerAnswer): void {
    this.#waiting.delete(session);
    for (const pool of at) this.#sizings.tell(pool, { kind: "leave", session });
    settle(answer);
  }

  #shed(pool: string, over: DirectionRates): void {
    const { shed, log } = this.#options;
    const victims = this.#victims(pool, over);
    if (victims.length > 0) log.warn("pdp.pool-sheds", { pool, sessions: victims.length });
    for (const session of victims) this.#leaving.add(session);
    for (const session of victims) shed(session, pool);
  }

  /** Those who are told to go already count as gone. */
  #victims(pool: string, over: DirectionRates): readonly SessionId[] {
    const { ledger, rank } = this.#options;
    const holders = [...ledger.holders(pool)].map(([session, held]) => ({ session, held, ...rank(session) }));
    const going = holders.filter(({ session }) => this.#leaving.has(session));
    const left = (direction: FlowDirection): BitsPerSecond =>
      bitsPerSecond(going.reduce((rest, { held }) => Math.max(0, rest - held[direction]), over[direction] as number));
    const staying = holders.filter(({ session }) => !this.#leaving.has(session));
    return chooseVictims(staying, { up: left("up"), down: left("down") });
  }

  /** The pools that a session takes from, or will. */
  #touched(session: SessionId, needs: readonly PoolNeed[]): readonly string[] {
    return [...new Set([...this.#options.ledger.held(session), ...needs].map(({ pool }) => pool))];
  }
}

const WHY: Readonly<Record<WaiterRefusal, string>> = {
  timeout: "the network did not give more in time",
  ceiling: "the pool may not become larger",
  network: "the network gives no more",
};

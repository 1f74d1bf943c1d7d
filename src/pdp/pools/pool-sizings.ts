/** The sizing of every pool, with clock and network: events go in one at a time, actions come out. Thin. */
import type { Clock, Timer } from "../../model/clock.js";
import type { Logger } from "../../model/log.js";
import type { SessionId } from "../../model/session.js";
import { type BitsPerSecond, bitsPerSecond, type Millis, millis, type Timestamp } from "../../model/units.js";
import type { AdmissionLedger, DirectionRates } from "../ledger.js";
import type { ReservationPort } from "./reservation-port.js";
import { type ScheduledTime, scheduledRate, untilNextMinute, wallClock } from "./schedule.js";
import {
  dueAt,
  mayGrow,
  newSizing,
  roomOf,
  type SizingAction,
  type SizingNews,
  type SizingState,
  stepSizing,
  type WaiterRefusal,
} from "./sizing.js";
import { planOf, type SizedPool } from "./sizing-plan.js";

/** A pool whose reservation is kept. */
export interface KeptPool extends SizedPool {
  readonly name: string;
  readonly schedule: readonly ScheduledTime[];
}

/** What is done about sessions. */
export interface SizingHandlers {
  admit(pool: string, session: SessionId): void;
  refuse(session: SessionId, why: WaiterRefusal): void;
  shed(pool: string, over: DirectionRates): void;
}

export interface PoolSizingsOptions {
  readonly ledger: AdmissionLedger;
  readonly pools: readonly KeptPool[];
  /** IANA name of the zone that schedules are in. */
  readonly timeZone: string;
  readonly port: ReservationPort;
  /** What sessions may use of a pool has changed: its queue should follow. Layer 2, each direction. */
  readonly onRoom?: ((pool: string, room: BitsPerSecond) => void) | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Rates of one reservation. */
export interface KeptPoolView {
  readonly name: string;
  readonly reserved: BitsPerSecond;
  /** Not answered yet. */
  readonly asked: BitsPerSecond | undefined;
  readonly waiting: number;
}

interface Kept {
  pool: KeptPool;
  state: SizingState;
  due: { readonly at: Timestamp; readonly timer: Timer } | undefined;
}

export class PoolSizings {
  readonly #options: PoolSizingsOptions;
  readonly #handlers: SizingHandlers;
  readonly #wallTime: ReturnType<typeof wallClock>;
  readonly #kept: ReadonlyMap<string, Kept>;
  /** News that came while others were acted on. */
  readonly #news: (readonly [Kept, SizingNews])[] = [];
  #minute: Timer | undefined;
  #running = false;
  #acting = false;

  constructor(options: PoolSizingsOptions, handlers: SizingHandlers) {
    this.#options = options;
    this.#handlers = handlers;
    this.#wallTime = wallClock(options.timeZone);
    this.#kept = new Map(options.pools.map((pool) => [pool.name, this.#begin(pool)]));
  }

  start(): void {
    this.#running = true;
    this.demand([...this.#kept.keys()]);
    if (this.#options.pools.some(({ schedule }) => schedule.length > 0)) this.#everyMinute();
  }

  close(): void {
    this.#running = false;
    this.#minute?.cancel();
    for (const { due } of this.#kept.values()) due?.timer.cancel();
  }

  /** Sessions hold another part of these pools. */
  demand(pools: readonly string[]): void {
    for (const pool of pools) {
      if (this.#kept.has(pool)) this.tell(pool, { kind: "demand", used: this.#options.ledger.used(pool) });
    }
  }

  /** Whether a session that needs this much more of the pool may get it, now or after a wait. */
  mayGrow(pool: string, more: DirectionRates): boolean {
    const kept = this.#kept.get(pool);
    return kept !== undefined && mayGrow(kept.state, more, this.#options.clock.now());
  }

  /** How long sessions wait for the pool; undefined for one that stays as it is. */
  patience(pool: string): Millis | undefined {
    return this.#kept.get(pool)?.state.plan.growTimeout;
  }

  /** Every event goes through here: one at a time, also those that acting on another brings about. */
  tell(pool: string, news: SizingNews): void {
    const told = this.#kept.get(pool);
    if (told === undefined || !this.#running) return;
    this.#news.push([told, news]);
    if (this.#acting) return;
    this.#acting = true;
    try {
      for (let next = this.#news.shift(); next !== undefined; next = this.#news.shift()) this.#step(...next);
    } finally {
      this.#acting = false;
    }
  }

  /** Whether the pool's size is decided here. */
  has(pool: string): boolean {
    return this.#kept.has(pool);
  }

  /** What sessions could use together, each direction, of a pool of that rate. */
  roomAt(pool: string, rate: BitsPerSecond): BitsPerSecond {
    return bitsPerSecond(Math.max(0, rate - (this.#kept.get(pool)?.pool.overhead ?? 0)));
  }

  /**
   * Gives a pool another rate for as long as this lives, in place of its schedule: the most that it may grow to, where
   * it follows its sessions. What is reserved beyond it is given up at once, and sessions with it.
   */
  resize(pool: string, rate: BitsPerSecond): void {
    const kept = this.#kept.get(pool);
    if (kept === undefined) return;
    kept.pool = resized(kept.pool, rate);
    const isSmaller = kept.state.size > rate;
    // Before the plan: with the plan alone, what is held would stay covered.
    if (isSmaller) this.tell(pool, { kind: "takenBack", left: rate });
    this.tell(pool, { kind: "plan", plan: this.#planNow(kept.pool) });
    const { asked, size } = kept.state;
    // A pool that waits before it asks the network again need not wait for its operator.
    const isOverdue = kept.pool.sizing === "fixed" && size !== rate && asked === undefined;
    // Of a smaller one the sizing believes that the network has taken it already; that has to hear of it.
    if (isSmaller || isOverdue) this.#act(pool, { kind: "request", rate });
  }

  view(): readonly KeptPoolView[] {
    return [...this.#kept].map(([name, { state }]) => ({
      name,
      reserved: state.size,
      asked: state.asked?.rate,
      waiting: state.waiters.length,
    }));
  }

  #begin(pool: KeptPool): Kept {
    const state = newSizing(this.#planNow(pool));
    // Nothing is confirmed yet, so nothing may be given away.
    this.#options.ledger.resize(pool.name, roomOf(state));
    return { pool, state, due: undefined };
  }

  #planNow(pool: KeptPool): SizingState["plan"] {
    if (pool.schedule.length === 0) return planOf(pool);
    return planOf(pool, scheduledRate(pool.schedule, this.#wallTime(this.#options.clock.now())));
  }

  #everyMinute(): void {
    const { clock } = this.#options;
    this.#minute = clock.after(millis(untilNextMinute(clock.now())), () => {
      this.#everyMinute();
      for (const { pool, state } of this.#kept.values()) {
        const plan = this.#planNow(pool);
        const isOther = plan.floor !== state.plan.floor || plan.ceiling !== state.plan.ceiling;
        if (isOther) this.tell(pool.name, { kind: "plan", plan });
      }
    });
  }

  #step(kept: Kept, news: SizingNews): void {
    const { ledger, clock, onRoom } = this.#options;
    const { name } = kept.pool;
    const before = roomOf(kept.state);
    const { state, actions } = stepSizing(kept.state, { ...news, at: clock.now() });
    kept.state = state;
    const room = roomOf(state);
    ledger.resize(name, room);
    if (room !== before) onRoom?.(name, room);
    for (const action of actions) this.#act(name, action);
    this.#arm(kept);
  }

  #act(pool: string, action: SizingAction): void {
    switch (action.kind) {
      case "request":
        this.#options.log.info("pdp.pool-request", { pool, rate: action.rate });
        this.#options.port.request(pool, action.rate);
        break;
      case "admit":
        this.#handlers.admit(pool, action.session);
        break;
      case "refuse":
        this.#handlers.refuse(action.session, action.why);
        break;
      case "shed":
        this.#handlers.shed(pool, action.over);
        break;
    }
  }

  #arm(kept: Kept): void {
    const at = dueAt(kept.state);
    if (at === kept.due?.at) return;
    kept.due?.timer.cancel();
    kept.due = undefined;
    if (at === undefined) return;
    const { clock } = this.#options;
    const timer = clock.after(millis(Math.max(0, at - clock.now())), () => {
      kept.due = undefined;
      this.tell(kept.pool.name, { kind: "timer" });
    });
    kept.due = { at, timer };
  }
}

/** Without its schedule, which said otherwise. */
function resized(pool: KeptPool, rate: BitsPerSecond): KeptPool {
  const { sizing } = pool;
  if (sizing === "fixed") return { ...pool, rate, schedule: [] };
  const floor = bitsPerSecond(Math.min(sizing.floor, rate));
  return { ...pool, rate, schedule: [], sizing: { ...sizing, floor, ceiling: rate } };
}

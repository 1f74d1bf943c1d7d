import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SessionId } from "../../../src/model/session.js";
import { bitsPerSecond, millis, type Timestamp, timestamp } from "../../../src/model/units.js";
import {
  dueAt,
  mayGrow,
  newSizing,
  roomOf,
  type SizingAction,
  type SizingNews,
  type SizingState,
  stepSizing,
} from "../../../src/pdp/pools/sizing.js";
import type { SizingPlan } from "../../../src/pdp/pools/sizing-plan.js";

const PLAN: SizingPlan = {
  floor: bitsPerSecond(200),
  ceiling: bitsPerSecond(1000),
  step: bitsPerSecond(100),
  headRoom: bitsPerSecond(0),
  overhead: bitsPerSecond(20),
  hold: millis(60_000),
  growTimeout: millis(500),
  retry: millis(5000),
};
const rates = (up: number, down = up) => ({ up: bitsPerSecond(up), down: bitsPerSecond(down) });
const id = (n: number) => n.toString(16).padStart(16, "0") as SessionId;

/** A pool whose events are told one by one. */
class Pool {
  state: SizingState;
  time = 1000;

  constructor(plan = PLAN) {
    this.state = newSizing(plan);
  }

  tell(news: SizingNews, after = 0): readonly SizingAction[] {
    this.time += after;
    const { state, actions } = stepSizing(this.state, { ...news, at: timestamp(this.time) });
    this.state = state;
    return actions;
  }

  wait(n: number, up: number, patience = 500): readonly SizingAction[] {
    const until = timestamp(this.time + patience);
    return this.tell({ kind: "wait", waiter: { session: id(n), ...rates(up), until } });
  }

  demand(used: number, after = 0): readonly SizingAction[] {
    return this.tell({ kind: "demand", used: rates(used) }, after);
  }

  confirmed(size: number, after = 0): readonly SizingAction[] {
    return this.tell({ kind: "confirmed", rate: bitsPerSecond(size) }, after);
  }
}

/** One with its floor confirmed. */
function begun(plan = PLAN): Pool {
  const pool = new Pool(plan);
  expect(pool.demand(0)).toEqual([{ kind: "request", rate: plan.floor }]);
  expect(pool.confirmed(plan.floor)).toEqual([]);
  return pool;
}

describe("sizing", () => {
  it("gives nothing away before the first confirmation", () => {
    const pool = new Pool();
    pool.demand(0);
    expect(roomOf(pool.state)).toBe(0);
    pool.confirmed(200);
    expect(roomOf(pool.state)).toBe(180);
  });

  it("asks for the next step for one who waits, and admits when it is confirmed", () => {
    const pool = begun();
    pool.demand(160);
    expect(pool.wait(1, 80)).toEqual([{ kind: "request", rate: 300 }]);
    expect(roomOf(pool.state)).toBe(180);
    expect(pool.confirmed(300, 100)).toEqual([{ kind: "admit", session: id(1) }]);
    expect(pool.state.waiters).toEqual([]);
  });

  it("asks once for all who come while it waits, and again for those who come later", () => {
    const pool = begun();
    pool.demand(160);
    pool.wait(1, 80);
    expect(pool.wait(2, 80)).toEqual([]);
    expect(pool.confirmed(300)).toEqual([
      { kind: "admit", session: id(1) },
      { kind: "request", rate: 400 },
    ]);
    pool.demand(240);
    expect(pool.confirmed(400)).toEqual([{ kind: "admit", session: id(2) }]);
  });

  it("refuses those who waited too long; a late confirmation is kept for others", () => {
    const pool = begun();
    pool.demand(160);
    pool.wait(1, 80);
    expect(dueAt(pool.state)).toBe(pool.time + 500);
    expect(pool.tell({ kind: "timer" }, 500)).toEqual([{ kind: "refuse", session: id(1), why: "timeout" }]);
    expect(pool.confirmed(300)).toEqual([]);
    expect(roomOf(pool.state)).toBe(280);
  });

  it("refuses at once when the network does, keeps what it had, and is quiet for a while", () => {
    const pool = begun();
    pool.demand(160);
    pool.wait(1, 80);
    const refused = { kind: "refused", rate: bitsPerSecond(300), kept: bitsPerSecond(200) } as const;
    expect(pool.tell(refused)).toEqual([{ kind: "refuse", session: id(1), why: "network" }]);
    expect(roomOf(pool.state)).toBe(180);
    expect(mayGrow(pool.state, rates(80), timestamp(pool.time + 4999))).toBe(false);
    expect(mayGrow(pool.state, rates(80), timestamp(pool.time + 5000))).toBe(true);
    expect(pool.wait(2, 80)).toEqual([{ kind: "refuse", session: id(2), why: "network" }]);
  });

  it("is quiet no longer when a request that was given up is carried out after all", () => {
    const pool = new Pool();
    pool.demand(0);
    pool.tell({ kind: "timer" }, 500);
    expect(mayGrow(pool.state, rates(400), timestamp(pool.time))).toBe(false);
    pool.confirmed(200, 10);
    expect(pool.wait(1, 400)).toEqual([{ kind: "request", rate: 500 }]);
    expect(pool.confirmed(500)).toEqual([{ kind: "admit", session: id(1) }]);
  });

  it("takes what the network has when that is less than was asked for", () => {
    const pool = begun();
    pool.demand(160);
    pool.wait(1, 80);
    pool.wait(2, 40);
    const partly = { kind: "refused", rate: bitsPerSecond(300), kept: bitsPerSecond(220) } as const;
    expect(pool.tell(partly)).toEqual([
      { kind: "admit", session: id(2) },
      { kind: "refuse", session: id(1), why: "network" },
    ]);
  });

  it("does not let anybody wait for what is above the ceiling", () => {
    const pool = begun();
    pool.demand(160);
    expect(mayGrow(pool.state, rates(820), timestamp(pool.time))).toBe(true);
    expect(mayGrow(pool.state, rates(821), timestamp(pool.time))).toBe(false);
    expect(mayGrow(pool.state, rates(1, 821), timestamp(pool.time))).toBe(false);
    expect(pool.wait(1, 821)).toEqual([{ kind: "refuse", session: id(1), why: "ceiling" }]);
  });

  it("grows ahead of its head-room", () => {
    const pool = begun({ ...PLAN, headRoom: bitsPerSecond(100) });
    expect(pool.demand(90)).toEqual([{ kind: "request", rate: 300 }]);
  });

  it("becomes smaller when less has been enough for the hold time, and gives nothing away meanwhile", () => {
    const pool = begun();
    pool.demand(160);
    pool.wait(1, 300);
    pool.confirmed(500);
    pool.demand(460);
    pool.demand(160, 1000);
    const since = pool.time;
    expect(dueAt(pool.state)).toBe(since + 60_000);
    expect(pool.demand(200, 59_999)).toEqual([]);
    expect(pool.tell({ kind: "timer" }, 1)).toEqual([{ kind: "request", rate: 300 }]);
    expect(roomOf(pool.state)).toBe(280);
    expect(pool.confirmed(300)).toEqual([]);
    expect(roomOf(pool.state)).toBe(280);
  });

  it("starts the hold time anew when more is needed in between", () => {
    const pool = begun();
    pool.demand(160);
    pool.wait(1, 300);
    pool.confirmed(500);
    pool.demand(100);
    pool.demand(460, 50_000);
    pool.demand(100, 1000);
    expect(pool.tell({ kind: "timer" }, 59_999)).toEqual([]);
    expect(pool.tell({ kind: "timer" }, 1)).toEqual([{ kind: "request", rate: 200 }]);
  });

  it("says a request for less again, for it may have been carried out unheard", () => {
    const pool = begun();
    pool.demand(160);
    pool.wait(1, 80);
    pool.confirmed(300);
    pool.demand(100);
    pool.tell({ kind: "timer" }, 60_000);
    expect(pool.tell({ kind: "timer" }, 500)).toEqual([{ kind: "request", rate: 200 }]);
    expect(roomOf(pool.state)).toBe(180);
  });

  it("holds a confirmation of an earlier request beside the smaller one that is on its way", () => {
    const pool = begun();
    pool.demand(160);
    pool.wait(1, 80);
    pool.tell({ kind: "timer" }, 500);
    pool.demand(0);
    pool.tell({ kind: "plan", plan: { ...PLAN, floor: bitsPerSecond(100), hold: millis(0) } });
    expect(pool.state.asked?.rate).toBe(100);
    pool.confirmed(300);
    expect(roomOf(pool.state)).toBe(80);
    pool.tell({ kind: "refused", rate: bitsPerSecond(300), kept: bitsPerSecond(200) });
    expect(roomOf(pool.state)).toBe(80);
    pool.confirmed(100);
    expect([roomOf(pool.state), pool.state.asked]).toEqual([80, undefined]);
  });

  it("sheds what is above what the network left, in each direction", () => {
    const pool = begun();
    pool.tell({ kind: "demand", used: rates(180, 100) });
    expect(pool.tell({ kind: "takenBack", left: bitsPerSecond(150) })).toEqual([{ kind: "shed", over: rates(50, 0) }]);
    expect(pool.demand(120)).toEqual([]);
    expect(pool.tell({ kind: "takenBack", left: bitsPerSecond(0) })).toEqual([{ kind: "shed", over: rates(120) }]);
    pool.demand(0);
    expect(pool.tell({ kind: "timer" }, 5000)).toEqual([{ kind: "request", rate: 200 }]);
  });

  it("follows its schedule: up at once, down as sessions end", () => {
    const fixed = {
      ...PLAN,
      floor: bitsPerSecond(500),
      ceiling: bitsPerSecond(500),
      hold: millis(0),
      overhead: bitsPerSecond(0),
    };
    const pool = begun(fixed);
    pool.demand(300);
    const night = { ...fixed, floor: bitsPerSecond(100), ceiling: bitsPerSecond(100) };
    expect(pool.tell({ kind: "plan", plan: night })).toEqual([{ kind: "request", rate: 300 }]);
    pool.confirmed(300);
    expect(pool.demand(200)).toEqual([{ kind: "request", rate: 200 }]);
    expect(pool.confirmed(200)).toEqual([]);
    expect(pool.tell({ kind: "plan", plan: fixed })).toEqual([{ kind: "request", rate: 500 }]);
  });

  it("lets a session leave that does not wait any longer", () => {
    const pool = begun();
    pool.demand(160);
    pool.wait(1, 80);
    pool.tell({ kind: "leave", session: id(1) });
    expect(pool.confirmed(300)).toEqual([]);
  });
});

/** Times so short that all of them pass within a run. */
const BRISK: SizingPlan = { ...PLAN, hold: millis(200), retry: millis(600) };
/** Longer than all of them together. */
const REST = 1500;

interface Request {
  readonly number: number;
  readonly rate: number;
}

interface Answer {
  readonly news: SizingNews;
  /** Of the request that it answers; none that is taken back unasked. */
  readonly to?: number;
  /** What is there by it. */
  readonly left: number;
}

/**
 * A network that answers requests late, with less, or never, and takes back; sessions that come and go. What the network
 * holds is what it decided last, not what it said last. As the port has it, an answer is one to the last request: of an
 * earlier one that was carried out it is only heard if there is less now (RsvpReservations.report).
 */
class Simulation {
  readonly pool = new Pool(BRISK);
  readonly held = new Map<SessionId, number>();
  readonly answers: Answer[] = [];
  readonly requests: Request[] = [];
  readonly waiting = new Map<SessionId, number>();
  network = 0;
  /** Number of the last request. */
  asked = 0;

  used(): number {
    return [...this.held.values()].reduce((sum, rate) => sum + rate, 0);
  }

  /**
   * Sessions never take more than has been confirmed, without the overhead; nor more than the network holds, unless it
   * took something back that was not heard of yet.
   */
  check(): void {
    expect(this.used()).toBeLessThanOrEqual(Math.max(0, this.pool.state.size - BRISK.overhead));
    if (this.answers.some(({ news }) => news.kind === "takenBack")) return;
    expect(this.used()).toBeLessThanOrEqual(Math.max(0, this.network - BRISK.overhead));
  }

  tell(news: SizingNews, after = 0): void {
    const actions = this.pool.tell(news, after);
    for (const action of actions) this.act(action);
    const { waiters, asked, plan } = this.pool.state;
    expect(waiters.length).toBe(this.waiting.size);
    for (const { session, until } of waiters) {
      expect(this.waiting.has(session)).toBe(true);
      expect(until).toBeGreaterThan(this.pool.time);
    }
    // Who waits has something to wait for.
    if (waiters.length > 0) expect(asked).toBeDefined();
    if (asked !== undefined) expect(this.pool.time).toBeLessThan(asked.at + plan.growTimeout);
  }

  act(action: SizingAction): void {
    switch (action.kind) {
      case "request":
        this.asked += 1;
        this.requests.push({ number: this.asked, rate: action.rate });
        break;
      case "admit":
        this.held.set(action.session, (this.held.get(action.session) ?? 0) + (this.waiting.get(action.session) ?? 0));
        this.waiting.delete(action.session);
        expect(this.used()).toBeLessThanOrEqual(roomOf(this.pool.state));
        break;
      case "refuse":
        this.waiting.delete(action.session);
        break;
      case "shed":
        for (const [session, rate] of this.held) {
          if (this.used() <= roomOf(this.pool.state)) break;
          if (rate > 0) this.held.delete(session);
        }
        expect(this.used()).toBeLessThanOrEqual(roomOf(this.pool.state));
        break;
    }
  }

  demand(): void {
    this.tell({ kind: "demand", used: rates(this.used()) });
  }

  /** The network decides on the oldest request. */
  decide(share: number): void {
    const request = this.requests.shift();
    if (request === undefined) return;
    const { number: to, rate } = request;
    const before = this.network;
    // It may give a part, or nothing.
    const given = share < 0.3 ? 0 : share > 0.5 ? 1 : share;
    this.network = rate <= before ? rate : Math.floor(before + (rate - before) * given);
    const left = this.network;
    const kept = bitsPerSecond(left);
    const news: SizingNews =
      left === rate ? { kind: "confirmed", rate: kept } : { kind: "refused", rate: bitsPerSecond(rate), kept };
    this.answers.push({ news, to, left });
  }

  hear(): void {
    const answer = this.answers.shift();
    if (answer === undefined) return;
    const { news, to = this.asked, left } = answer;
    if (to === this.asked) this.tell(news);
    else if (left < this.pool.state.size) this.tell({ kind: "takenBack", left: bitsPerSecond(left) });
    this.demand();
  }
}

const one = <Kind extends string>(kind: Kind, weight: number, rate: fc.Arbitrary<number> = fc.constant(0)) => ({
  weight,
  arbitrary: fc.record({ kind: fc.constant(kind), session: fc.nat(9), rate }),
});
const command = fc.oneof(
  one("call", 6, fc.integer({ min: 20, max: 250 })),
  one("end", 5),
  one("pass", 4, fc.integer({ min: 1, max: 700 })),
  one("decide", 5, fc.nat(100)),
  one("hear", 4),
  one("lose", 1),
  one("takeBack", 1, fc.nat(100)),
  one("plan", 1, fc.integer({ min: 0, max: 800 })),
);
type Command = typeof command extends fc.Arbitrary<infer One> ? One : never;

const COMMANDS: Readonly<Record<Command["kind"], (simulation: Simulation, session: SessionId, rate: number) => void>> =
  {
    call(simulation, session, rate) {
      const { pool, held, waiting } = simulation;
      if (held.has(session) || waiting.has(session)) return;
      if (simulation.used() + rate <= roomOf(pool.state)) held.set(session, rate);
      else if (mayGrow(pool.state, rates(rate), pool.time as Timestamp)) {
        waiting.set(session, rate);
        const until = timestamp(pool.time + BRISK.growTimeout);
        simulation.tell({ kind: "wait", waiter: { session, ...rates(rate), until } });
      }
      simulation.demand();
    },
    end(simulation, session) {
      if (simulation.waiting.delete(session)) simulation.tell({ kind: "leave", session });
      simulation.held.delete(session);
      simulation.demand();
    },
    pass(simulation, _session, time) {
      const { pool } = simulation;
      const end = pool.time + time;
      for (let due = dueAt(pool.state); due !== undefined && due <= end; due = dueAt(pool.state)) {
        pool.time = Math.max(pool.time, due);
        simulation.tell({ kind: "timer" });
        simulation.demand();
      }
      pool.time = end;
    },
    decide(simulation, _session, percent) {
      simulation.decide(percent / 100);
    },
    lose(simulation) {
      // The last one of all is kept by the router link until a router has it.
      if (simulation.requests.length > 1) simulation.requests.shift();
    },
    hear(simulation) {
      simulation.hear();
    },
    takeBack(simulation, _session, percent) {
      simulation.network = Math.floor((simulation.network * percent) / 100);
      const left = bitsPerSecond(simulation.network);
      simulation.answers.push({ news: { kind: "takenBack", left }, left });
    },
    plan(simulation, _session, floor) {
      simulation.tell({ kind: "plan", plan: { ...BRISK, floor: bitsPerSecond(floor) } });
    },
  };

const run = (simulation: Simulation, { kind, session, rate }: Command): void =>
  COMMANDS[kind](simulation, id(session), rate);

describe("sizing, over any sequence of calls, resizes and failures", () => {
  it("never gives away more than was confirmed without the overhead, lets nobody wait for ever, and leaks nothing", () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 120, size: "max" }), (commands) => {
        const simulation = new Simulation();
        simulation.demand();
        for (const each of commands) {
          run(simulation, each);
          simulation.check();
        }
        for (let n = 0; n <= 9; n++) run(simulation, { kind: "end", session: n, rate: 0 });
        // The network answers everything from here: the pool comes to rest at its floor.
        for (let round = 0; round < 12; round++) {
          while (simulation.requests.length > 0) simulation.decide(1);
          while (simulation.answers.length > 0) simulation.hear();
          run(simulation, { kind: "pass", session: 0, rate: REST });
          simulation.check();
        }
        const { state } = simulation.pool;
        expect(state).toMatchObject({ size: state.plan.floor, asked: undefined, waiters: [], used: rates(0) });
        expect(simulation.network).toBe(state.plan.floor);
        expect(dueAt(state)).toBeUndefined();
      }),
      { numRuns: 400 },
    );
  });

  it("serves everybody under the ceiling when the network gives what is asked for", () => {
    const call = fc.record({ session: fc.nat(9), rate: fc.integer({ min: 1, max: 98 }) });
    fc.assert(
      fc.property(fc.array(call, { maxLength: 40 }), (calls) => {
        const simulation = new Simulation();
        simulation.demand();
        for (const { session, rate } of calls) {
          run(simulation, { kind: "call", session, rate });
          for (let round = 0; round < 3; round++) {
            simulation.decide(1);
            simulation.hear();
          }
          expect(simulation.held.has(id(session))).toBe(true);
        }
      }),
    );
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { millis, octets, seconds, timestamp } from "../../../src/model/units.js";
import type { FlowCounters } from "../../../src/model/usage.js";
import { ZERO_COUNTER } from "../../../src/model/usage.js";
import {
  type LifeEvent,
  type LifeFacts,
  type LifeRules,
  newLife,
  type SessionLife,
  stepLife,
} from "../../../src/pdp/liveness/session-life.js";

const RULES: LifeRules = { idleTimeout: seconds(60), maxDuration: undefined };
const INTERVAL = 15_000;
const START = 1_000_000;

const counters = (packets: number): FlowCounters => ({
  inProfile: { packets, octets: octets(packets * 200) },
  outOfProfile: ZERO_COUNTER,
});
const facts = (change: Partial<LifeFacts> = {}): LifeFacts => ({
  since: timestamp(START),
  media: "open",
  instances: [1, 2],
  direct: false,
  ...change,
});

/** A session and the time that passes over it. */
class Watch {
  time = START;
  life: SessionLife;
  end: string | undefined;
  readonly rules: LifeRules;

  constructor(rules = RULES, first = facts()) {
    this.rules = rules;
    this.life = newLife(first, timestamp(START));
  }

  tell(event: LifeEvent): this {
    if (this.end !== undefined) return this;
    const { life, end } = stepLife(this.rules, this.life, event, timestamp(this.time));
    this.life = life;
    this.end = end;
    return this;
  }

  /** One interval of a router that has counted so much of each flow. */
  report(counted: ReadonlyMap<number, FlowCounters> = new Map(), after = INTERVAL): this {
    this.time += after;
    if (counted.size > 0) this.tell({ type: "counted", counters: counted });
    return this.tell({ type: "complete" });
  }

  tick(after = 0): this {
    this.time += after;
    return this.tell({ type: "tick" });
  }

  refresh(interval: number | undefined): this {
    return this.tell({ type: "refreshed", interval: interval === undefined ? undefined : millis(interval) });
  }
}

describe("the life of a session", () => {
  it("ends at the first report after idleTimeout without a packet", () => {
    const watch = new Watch().report(new Map([[1, counters(10)]]));
    for (let n = 0; n < 3; n += 1) expect(watch.report().end).toBeUndefined();
    expect(watch.report().end).toBe("idle");
    expect(watch.life.moved).toBe(START + INTERVAL);
  });

  it("goes on while one of its flows moves, and knows each", () => {
    const watch = new Watch();
    for (let n = 1; n <= 20; n += 1) watch.report(new Map([[2, counters(n)]]));
    expect(watch.end).toBeUndefined();
    expect([...watch.life.flows.keys()]).toEqual([2]);
    expect(watch.life.flows.get(2)).toEqual({ counters: counters(20), moved: START + 20 * INTERVAL });
  });

  it("takes what is told again after a reconnection for no packet", () => {
    const watch = new Watch().report(new Map([[1, counters(10)]]));
    for (let n = 0; n < 4; n += 1) watch.report(new Map([[1, counters(10)]]));
    expect(watch.end).toBe("idle");
  });

  it("is never idle for want of reports, however long the router is away, nor for those of others' flows", () => {
    const watch = new Watch();
    for (let n = 0; n < 100; n += 1)
      watch.tick(60_000).tell({ type: "counted", counters: new Map([[9, counters(n)]]) });
    expect(watch.end).toBeUndefined();
  });

  it("is not idle on hold, and has its full time again when it is taken up", () => {
    const watch = new Watch().report(new Map([[1, counters(10)]]));
    watch.tell({ type: "facts", facts: facts({ media: "held", instances: [1] }) });
    for (let n = 0; n < 100; n += 1) watch.report();
    watch.tell({ type: "facts", facts: facts({ instances: [1, 3] }) });
    for (let n = 0; n < 3; n += 1) expect(watch.report().end).toBeUndefined();
    expect(watch.report().end).toBe("idle");
  });

  it("is not given more time by a refresh that changes nothing", () => {
    const watch = new Watch().refresh(1_800_000);
    for (let n = 0; n < 4; n += 1) watch.tell({ type: "facts", facts: facts() }).refresh(1_800_000).report();
    expect(watch.end).toBe("idle");
  });

  it("expires on hold when nobody refreshes it, and not a moment sooner", () => {
    const watch = new Watch(RULES, facts({ media: "held", instances: [] })).refresh(90_000);
    expect(watch.tick(89_999).end).toBeUndefined();
    watch.refresh(90_000);
    expect(watch.tick(89_999).end).toBeUndefined();
    expect(watch.tick(1).end).toBe("expired");
  });

  it("does not expire on hold while RTCP goes on, and does when that stops", () => {
    const watch = new Watch(RULES, facts({ media: "held", instances: [2] })).refresh(90_000);
    for (let n = 1; n <= 40; n += 1) watch.report(new Map([[2, counters(n)]])).tick();
    expect(watch.end).toBeUndefined();
    for (let n = 1; n <= 10; n += 1) watch.report().tick();
    expect(watch.end).toBe("expired");
  });

  it("expires on hold in a direct dialog when a report says that nothing moves, RTCP neither", () => {
    for (const rules of [RULES, {}]) {
      const held = facts({ media: "held", instances: [2], direct: true });
      const watch = new Watch(rules, held).refresh(90_000);
      for (let n = 1; n <= 40; n += 1) watch.report(new Map([[2, counters(n)]])).tick();
      expect(watch.end).toBeUndefined();
      // A router that is away says nothing.
      expect(watch.tick(600_000).end).toBeUndefined();
      for (let n = 0; n < 8; n += 1) watch.report().tick();
      expect(watch.end).toBe("expired");
      const silent = new Watch(rules, held).refresh(90_000);
      for (let n = 1; n <= 5; n += 1) expect(silent.report().tick().end).toBeUndefined();
      expect(silent.report().end).toBe("expired");
      expect(new Watch(rules, held).report(new Map(), 10_000_000).end, "without a timer").toBeUndefined();
    }
  });

  it("has no timer after a 2xx without one (RFC 4028 §7.2)", () => {
    const watch = new Watch(RULES, facts({ media: "held", instances: [] })).refresh(90_000).refresh(undefined);
    expect(watch.tick(10_000_000).end).toBeUndefined();
  });

  it("is prolonged by media that moves past its timer, direct or not", () => {
    for (const direct of [true, false]) {
      const watch = new Watch(RULES, facts({ direct })).refresh(90_000);
      for (let n = 1; n <= 100; n += 1) watch.report(new Map([[1, counters(n)]])).tick();
      expect(watch.end).toBeUndefined();
      expect(watch.life.timer?.due).toBeGreaterThan(watch.time);
    }
  });

  it("expires by its timer where nothing is ever reported: one interval later, for media may have moved", () => {
    const watch = new Watch().refresh(90_000);
    expect(watch.tick(179_999).end).toBeUndefined();
    expect(watch.tick(1).end).toBe("expired");
    expect(new Watch(RULES, facts({ direct: true })).refresh(90_000).tick(10_000_000).end).toBeUndefined();
  });

  it("expires by reports alone where silence ends nothing", () => {
    const watch = new Watch({}).refresh(90_000).report(new Map([[1, counters(1)]]));
    for (let n = 0; n < 10; n += 1) expect(watch.report().end).toBeUndefined();
    expect(watch.report().end).toBe("expired");
  });

  it("lasts no longer than maxDuration, whatever moves", () => {
    const watch = new Watch({ ...RULES, maxDuration: seconds(100) });
    for (let n = 1; n <= 6; n += 1) expect(watch.report(new Map([[1, counters(n)]])).tick().end).toBeUndefined();
    expect(watch.tick(10_000).end).toBe("expired");
  });
});

/** What happens between two reports. */
const happening = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ kind: "report" as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: "hold" as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: "resume" as const }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("refresh" as const), interval: fc.integer({ min: 90, max: 200 }) }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "restart" as const }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("away" as const), time: fc.integer({ min: 1, max: 300 }) }) },
  { weight: 1, arbitrary: fc.constant({ kind: "again" as const }) },
);
type Happening = typeof happening extends fc.Arbitrary<infer T> ? T : never;

/** Media of two flows in a session whose router reports, and is away now and then. `packets` in seconds. */
function live(happenings: readonly Happening[], packets: readonly number[], rules: LifeRules) {
  const watch = new Watch(rules);
  const counted = () => packets.filter((at) => START + at * 1000 <= watch.time).length;
  const told = () => new Map(counted() === 0 ? [] : [[1 + (counted() % 2), counters(counted())]]);
  let media: LifeFacts["media"] = "open";
  const become = (next: LifeFacts["media"]): void => {
    media = next;
    watch.tell({ type: "facts", facts: facts({ media }) });
  };
  for (const each of happenings) {
    if (watch.end !== undefined) break;
    if (each.kind === "report") {
      watch.time += INTERVAL;
      watch.report(told(), 0).tick();
    } else if (each.kind === "hold") become("held");
    else if (each.kind === "resume") become("open");
    else if (each.kind === "refresh") watch.refresh(each.interval * 1000);
    else if (each.kind === "restart") watch.life = newLife(facts({ media }), timestamp(watch.time));
    else if (each.kind === "away") watch.tick(each.time * 1000);
    else watch.tell({ type: "counted", counters: told() });
  }
  return { watch, counted, media: () => media };
}

describe("any session, whatever happens to it", () => {
  it("is never ended while its media moves within the idle time, as long as the router reports now and then", () => {
    // Away no longer than the timer leaves for it: beyond, the signalling alone decides.
    const brief = happening.filter((each) => each.kind !== "away");
    const gaps = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 60, maxLength: 60 });
    fc.assert(
      fc.property(fc.array(brief, { maxLength: 80 }), gaps, (happenings, steps) => {
        let at = 0;
        const packets = steps.map((step) => (at += step));
        const { watch } = live(happenings, packets, RULES);
        const last = START + (packets.at(-1) ?? 0) * 1000;
        if (watch.end !== undefined) expect(watch.time).toBeGreaterThanOrEqual(last + 60_000);
      }),
      { numRuns: 500 },
    );
  });

  it("is ended within idleTimeout and two intervals after its media stopped, once it is open and reported on", () => {
    fc.assert(
      fc.property(
        fc.array(happening, { maxLength: 60 }),
        fc.array(fc.nat(900), { maxLength: 40 }),
        (happenings, packets) => {
          const { watch, counted } = live(
            happenings,
            packets.toSorted((one, other) => one - other),
            RULES,
          );
          if (watch.end !== undefined) return;
          watch.tell({ type: "facts", facts: facts() });
          const stopped = watch.time;
          const all = counted();
          const final = new Map(all === 0 ? [] : [[1, counters(all)]]);
          while (watch.end === undefined && watch.time - stopped < 600_000) watch.report(final);
          expect(watch.end).toBe("idle");
          expect(watch.time - stopped).toBeLessThanOrEqual(60_000 + 2 * INTERVAL);
        },
      ),
      { numRuns: 500 },
    );
  });
});

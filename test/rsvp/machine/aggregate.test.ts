/** Both ends of an aggregate over three nodes: RFC 3175, RFC 4860, RFC 4495. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { BytesPerSecond } from "../../../src/model/units.js";
import type { Flowspec, TokenBucket } from "../../../src/rsvp/codec/objects.js";
import {
  aggregateSession,
  aggregatesNeeded,
  genericAggregateSession,
  DEFAULT_AGGREGATE_RULES as RULES,
} from "../../../src/rsvp/machine/aggregate.js";
import {
  AGGREGATOR_INITIAL,
  type AggregatorAction,
  type AggregatorEvent,
  type AggregatorState,
  aggregatorStep,
} from "../../../src/rsvp/machine/aggregator.js";
import {
  DEAGGREGATOR_INITIAL,
  type DeaggregatorAction,
  type DeaggregatorEvent,
  type DeaggregatorState,
  deaggregatorStep,
} from "../../../src/rsvp/machine/deaggregator.js";
import type { Notice } from "../../../src/rsvp/machine/events.js";
import { A, B, EF, load, type Network, SESSION, threeNodes, tspec } from "./network.js";

const CEILING = 50_000 as BytesPerSecond;

/** The two ends, driven by what their nodes notice. */
class Ends {
  readonly network: Network;
  a: AggregatorState = AGGREGATOR_INITIAL;
  b: DeaggregatorState = DEAGGREGATOR_INITIAL;
  readonly said: (AggregatorAction | DeaggregatorAction)[] = [];
  readonly #seen = { A: 0, B: 0 };
  readonly #timers = { A: Number.POSITIVE_INFINITY, B: Number.POSITIVE_INFINITY };

  constructor(rooms: { a?: number; t?: number } = {}) {
    this.network = threeNodes();
    this.network.host("A").room.set("T", rooms.a ?? 1e9);
    this.network.host("T").room.set("B", rooms.t ?? 1e9);
  }

  want(rate?: number): void {
    this.aggregator(rate === undefined ? { type: "want" } : { type: "want", tspec: tspec(rate) });
    this.run(100);
  }

  run(milliseconds: number): void {
    const end = this.network.now + milliseconds;
    while (this.network.now < end) {
      this.network.run(1);
      this.#drain();
      for (const name of ["A", "B"] as const) {
        if (this.#timers[name] > this.network.now) continue;
        this.#timers[name] = Number.POSITIVE_INFINITY;
        if (name === "A") this.aggregator({ type: "timeout" });
        else this.deaggregator({ type: "timeout" });
      }
    }
  }

  #drain(): void {
    for (const name of ["A", "B"] as const) {
      const { notices } = this.network.host(name);
      while (this.#seen[name] < notices.length) {
        const notice = notices[this.#seen[name]++]!.notice;
        if (name === "A") this.aggregator({ type: "notice", notice });
        else this.deaggregator({ type: "notice", notice });
      }
    }
  }

  aggregator(event: AggregatorEvent): void {
    const { state, actions } = aggregatorStep(RULES, this.a, event);
    this.a = state;
    for (const action of actions) {
      const sender = { address: A };
      if (action.do === "open") {
        this.network.event("A", { type: "open", session: SESSION, sender: { template: sender, tspec: action.tspec } });
      } else if (action.do === "close") this.network.event("A", { type: "close", session: SESSION, template: sender });
      else this.#common("A", action);
    }
  }

  deaggregator(event: DeaggregatorEvent): void {
    const { state, actions } = deaggregatorStep(RULES, CEILING, this.b, event);
    this.b = state;
    for (const action of actions) {
      if (action.do === "reserve") {
        const flows = { style: "FF", flows: [{ filter: { address: A }, flowspec: action.flowspec }] } as const;
        const confirm = action.confirm ? { confirm: B } : {};
        this.network.event("B", { type: "reserve", session: SESSION, flows, ...confirm });
      } else if (action.do === "release") this.network.event("B", { type: "release", session: SESSION });
      else if (action.do === "complain") {
        this.network.event("B", { type: "complain", session: SESSION, template: { address: A }, error: action.error });
      } else this.#common("B", action);
    }
  }

  #common(name: "A" | "B", action: AggregatorAction | DeaggregatorAction): void {
    if (action.do === "arm") this.#timers[name] = this.network.now + action.delay;
    else if (action.do === "cancel") this.#timers[name] = Number.POSITIVE_INFINITY;
    else if (action.do !== "ignore") this.said.push(action);
  }

  get admitted(): number[] {
    return [this.network.admitted("A", "T"), this.network.admitted("T", "B")];
  }
}

describe("an aggregate between two edges", () => {
  it("is confirmed at both ends with the size that was wanted", () => {
    const ends = new Ends();
    ends.want(10_000);
    expect([ends.a.phase, ends.b.phase]).toEqual(["confirmed", "confirmed"]);
    expect(ends.said).toEqual([
      { do: "confirmed", size: 10_000 },
      { do: "confirmed", size: 10_000 },
    ]);
    expect(ends.admitted).toEqual([10_000, 10_000]);
  });

  it("grows and shrinks in place", () => {
    const ends = new Ends();
    for (const rate of [10_000, 20_000, 5000]) {
      ends.want(rate);
      expect(ends.a).toMatchObject({ phase: "confirmed", held: { size: rate } });
      expect(ends.admitted).toEqual([rate, rate]);
    }
    expect(ends.network.sent.some(({ action }) => action.message.kind.endsWith("Tear"))).toBe(false);
  });

  it.each([{ a: 12_000 }, { t: 12_000 }])("keeps what it had when it cannot grow (%o)", (rooms) => {
    const ends = new Ends(rooms);
    ends.want(10_000);
    const asked = ends.network.now;
    ends.want(20_000);
    const error = { node: rooms.a === undefined ? "10.0.2.254" : A, flags: 1, code: 1, value: 2 };
    expect(ends.a).toEqual({
      phase: "failed",
      failure: { kind: "error", error },
      kept: { tspec: tspec(10_000), size: 10_000 },
    });
    // Nobody waits for a time-out, and the Path says again what there is.
    const kinds = ends.network.sent
      .filter(({ at }) => at >= asked)
      .map(({ from, action }) => [from, action.message.kind]);
    expect(kinds).toContainEqual(["B", "PathErr"]);
    expect(kinds).toContainEqual(["T", "PathErr"]);
    expect(ends.b).toMatchObject({ phase: "confirmed", kept: load(10_000) });
    expect(ends.admitted).toEqual([10_000, 10_000]);
    ends.want(12_000);
    expect(ends.a).toMatchObject({ phase: "confirmed", held: { size: 12_000 } });
  });

  it("gets the same size when it asks for it again and there is room now", () => {
    const ends = new Ends({ t: 12_000 });
    ends.want(10_000);
    ends.want(20_000);
    ends.run(4000);
    ends.network.host("T").room.set("B", 90_000);
    ends.want(20_000);
    expect(ends.a).toMatchObject({ phase: "confirmed", held: { size: 20_000 } });
    expect(ends.admitted).toEqual([20_000, 20_000]);
  });

  it("that finds no room is refused, and found later when it is asked for again", () => {
    const ends = new Ends({ t: 5000 });
    ends.want(10_000);
    expect(ends.a).toMatchObject({ phase: "failed", failure: { kind: "error", error: { code: 1, value: 2 } } });
    expect(ends.b.phase).toBe("none");
    expect(ends.said).toContainEqual(expect.objectContaining({ do: "refused", kept: 0 }));
    ends.want(4000);
    expect(ends.a.phase).toBe("confirmed");
  });

  it("finds out by its time-out when the refusal is lost", () => {
    const ends = new Ends({ t: 12_000 });
    ends.want(10_000);
    ends.network.fate = (message) => ({ delays: message.kind === "PathErr" ? [] : [1] });
    ends.want(20_000);
    expect([ends.a.phase, ends.b.phase]).toEqual(["resizing", "failed"]);
    ends.run(4000);
    expect(ends.a).toMatchObject({ phase: "failed", failure: { kind: "timeout" }, kept: { size: 10_000 } });
    expect(ends.admitted).toEqual([10_000, 10_000]);
  });

  it("does not take a refusal that comes late for one of what is wanted now", () => {
    const ends = new Ends({ t: 12_000 });
    ends.want(10_000);
    ends.network.fate = (message) => ({ delays: [message.kind === "PathErr" ? 50 : 1] });
    ends.aggregator({ type: "want", tspec: tspec(20_000) });
    ends.run(20);
    ends.want(11_000);
    ends.run(200);
    expect(ends.a).toMatchObject({ phase: "confirmed", held: { size: 11_000 } });
    expect(ends.said.some((action) => action.do === "refused" && action.kept === 0)).toBe(false);
  });

  it("does not take the refusal of an earlier question for one of the last, at the other end", () => {
    const ends = new Ends({ t: 12_000 });
    ends.want(10_000);
    ends.network.fate = (message) => ({ delays: [message.kind === "ResvErr" ? 50 : 1] });
    ends.aggregator({ type: "want", tspec: tspec(20_000) });
    ends.run(20);
    ends.want(11_000);
    ends.run(200);
    expect([ends.a, ends.b]).toMatchObject([
      { phase: "confirmed", held: { size: 11_000 } },
      { phase: "confirmed", kept: load(11_000) },
    ]);
    expect(ends.admitted).toEqual([11_000, 11_000]);
  });

  it("answers a reduction with a Resv that is not larger (RFC 4495 §5.4)", () => {
    const ends = new Ends();
    ends.want(10_000);
    ends.network.resize("T", "B", 4000);
    ends.run(200);
    expect(ends.said.filter((action) => action.do === "takenBack")).toEqual([
      { do: "takenBack", size: 4000 },
      { do: "takenBack", size: 4000 },
    ]);
    expect(ends.admitted).toEqual([4000, 4000]);
    ends.network.resize("T", "B", 100_000);
    ends.want(10_000);
    expect(ends.admitted).toEqual([10_000, 10_000]);
  });

  it("is taken down by its aggregator without a trace", () => {
    const ends = new Ends();
    ends.want(10_000);
    ends.want();
    expect([ends.a.phase, ends.b.phase]).toEqual(["none", "none"]);
    for (const host of ends.network.hosts.values()) expect([...host.node.sessions()]).toEqual([]);
    expect(ends.admitted).toEqual([0, 0]);
  });

  it("is never larger than the deaggregator's ceiling", () => {
    const ends = new Ends();
    ends.want(80_000);
    expect(ends.admitted).toEqual([CEILING, CEILING]);
    expect(ends.a).toMatchObject({ phase: "confirmed", held: { size: CEILING } });
    ends.want(20_000);
    ends.want(80_000);
    expect(ends.a).toMatchObject({ phase: "confirmed", held: { size: CEILING } });
  });

  it("asks again when a confirmation is lost", () => {
    const ends = new Ends();
    let lost = 0;
    ends.network.fate = (message) => ({ delays: message.kind === "ResvConf" && lost++ < 2 ? [] : [1] });
    ends.want(10_000);
    expect([ends.a.phase, ends.b.phase]).toEqual(["confirmed", "asked"]);
    ends.run(7000);
    expect(ends.b.phase).toBe("confirmed");
  });
});

describe("aggregate sessions", () => {
  const error = { node: B, flags: 0, code: 26, value: 0 };
  const sender = { template: { address: "192.0.2.1", port: 5 } };

  it("are asked for by NEW-AGGREGATE-NEEDED with DCLASS (RFC 3175 §2.4)", () => {
    expect(aggregatesNeeded({ what: "pathError", error, sender, dclass: [EF] })).toEqual([aggregateSession(B, EF)]);
  });

  it("are asked for by SESSION-OF-INTEREST (RFC 4860 §4)", () => {
    const session = genericAggregateSession(B, A, 0xb800, 3);
    expect(aggregatesNeeded({ what: "pathError", error, sender, sessionOfInterest: session })).toEqual([session]);
  });

  it("are not asked for by other errors", () => {
    expect(aggregatesNeeded({ what: "pathError", error: { ...error, code: 2 }, sender, dclass: [EF] })).toEqual([]);
  });
});

describe("any sequence of events", () => {
  const flowspec: fc.Arbitrary<Flowspec> = fc.integer({ min: 1, max: 90_000 }).map(load);
  const descriptors = flowspec.map((each) => ({
    style: "FF" as const,
    flows: [{ filter: { address: A }, flowspec: each }],
  }));
  const error = fc.record({
    node: fc.constant(A),
    flags: fc.constantFrom(0, 1),
    code: fc.constantFrom(1, 2, 3, 12, 26),
    value: fc.constant(2),
  });
  const sender = { template: { address: A } };
  const notice: fc.Arbitrary<Notice> = fc.oneof(
    flowspec.map((each): Notice => ({ what: "pathArrived", sender: { ...sender, tspec: each.tspec }, policy: [] })),
    fc.constant<Notice>({ what: "pathLost", template: sender.template }),
    descriptors.map((flows): Notice => ({ what: "reserved", flows })),
    fc.constant<Notice>({ what: "unreserved", flows: { style: "FF", filters: [sender.template] } }),
    descriptors.map((flows): Notice => ({ what: "confirmed", flows })),
    error.map((each): Notice => ({ what: "refused", error: each, flows: { style: "FF", filters: [sender.template] } })),
    fc
      .tuple(error, flowspec)
      .map(([each, granted]): Notice => ({ what: "preempted", error: each, granted, filters: [] })),
    error.map((each): Notice => ({ what: "pathError", error: each, sender })),
    fc
      .tuple(error, flowspec)
      .map(
        ([each, { tspec: about }]): Notice => ({ what: "pathError", error: each, sender: { ...sender, tspec: about } }),
      ),
  );
  const common = fc.oneof(
    notice.map((each) => ({ type: "notice" as const, notice: each })),
    fc.constant({ type: "timeout" as const }),
  );
  const wanting: fc.Arbitrary<AggregatorEvent> = fc.oneof(
    common,
    flowspec.map(({ tspec: wanted }) => ({ type: "want" as const, tspec: wanted })),
    fc.constant({ type: "want" as const }),
  );

  it("an aggregator waits with a timer armed, and says every change of what it may use", () => {
    fc.assert(
      fc.property(fc.array(wanting, { maxLength: 40 }), (events) => {
        let state: AggregatorState = AGGREGATOR_INITIAL;
        let armed = false;
        let usable = 0;
        let path: TokenBucket | undefined;
        for (const event of events) {
          if (event.type === "timeout" && !armed) continue;
          if (event.type === "timeout") armed = false;
          const step = aggregatorStep(RULES, state, event);
          state = step.state;
          for (const action of step.actions) {
            if (action.do === "arm") armed = true;
            if (action.do === "cancel") armed = false;
            if (action.do === "open") path = action.tspec;
            if (action.do === "close") path = undefined;
            if (action.do === "confirmed" || action.do === "takenBack") usable = action.size;
            if (action.do === "refused") usable = action.kept;
          }
          if (state.phase === "resizing") expect(armed).toBe(true);
          if (state.phase === "pathSent") expect(armed).toBe(true);
          if (state.phase === "confirmed") expect(usable).toBe(state.held.size);
          if (state.phase === "failed") expect(usable).toBe(state.kept?.size ?? 0);
          // What failed is said no more: the Path is what is reserved.
          if (state.phase === "failed" && state.kept !== undefined) expect(path).toEqual(state.kept.tspec);
          if (state.phase === "failed" && state.kept === undefined) expect(path).toBeUndefined();
        }
      }),
      { numRuns: 500 },
    );
  });

  it("a deaggregator that wants more than it has asks again some time", () => {
    fc.assert(
      fc.property(fc.array(common, { maxLength: 40 }), (events) => {
        let state: DeaggregatorState = DEAGGREGATOR_INITIAL;
        let armed = false;
        let reserved = 0;
        for (const event of events) {
          if (event.type === "timeout" && !armed) continue;
          if (event.type === "timeout") armed = false;
          const before: string = state.phase;
          const step = deaggregatorStep(RULES, CEILING, state, event);
          state = step.state;
          for (const action of step.actions) {
            if (action.do === "arm") armed = true;
            if (action.do === "cancel") armed = false;
            if (action.do === "reserve") reserved = action.flowspec.tspec.rate;
            if (action.do === "release") reserved = 0;
          }
          expect(reserved).toBeLessThanOrEqual(CEILING);
          if (state.phase === "asked") expect(armed).toBe(true);
          if (state.phase === "failed" && state.kept === undefined) expect([armed, reserved]).toEqual([true, 0]);
          // The aggregator hears of every refusal, and of nothing else.
          const said = (what: DeaggregatorAction["do"]) => step.actions.filter((action) => action.do === what).length;
          const isNews = before !== "failed" && state.phase === "failed";
          expect(said("complain")).toBe(isNews ? 1 : 0);
        }
      }),
      { numRuns: 500 },
    );
  });
});

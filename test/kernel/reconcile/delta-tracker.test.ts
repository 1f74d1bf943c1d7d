import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DeltaTracker, type Reading, type Sent } from "../../../src/kernel/reconcile/delta-tracker.js";

type Value = string;
const IDS = [1, 2, 3, 4, 5];

interface Flight {
  readonly sent: Sent<number, Value>;
  landed: boolean;
}

interface OpenReading {
  readonly reading: Reading<number>;
  readonly begun: number;
  readonly contents: Map<number, Value>;
}

/** A kernel that others change too, transactions that land some time before their answer, and dumps that take time. */
class World {
  readonly tracker = new DeltaTracker<number, Value>((left, right) => left === right);
  readonly desired = new Map<number, Value>();
  readonly kernel = new Map<number, Value>();
  /** When somebody else changed it, until a reading or a transaction of ours overrules that. */
  readonly foreign = new Map<number, number>();
  readonly flights: Flight[] = [];
  readonly readings: OpenReading[] = [];
  #time = 0;

  set(id: number, value: Value | undefined): void {
    if (value === undefined) this.tracker.delete(id);
    else this.tracker.set(id, value);
    put(this.desired, id, value);
  }

  send(ids: readonly number[]): void {
    this.flights.push({ sent: this.tracker.send(ids), landed: false });
  }

  /** The kernel carries out the oldest that it has not carried out yet. */
  land(): void {
    const flight = this.flights.find(({ landed }) => !landed);
    if (flight !== undefined) this.#land(flight);
  }

  answer(kind: "ok" | "failed" | "lost"): void {
    const flight = this.flights.shift();
    if (flight === undefined) return;
    if (kind === "ok" && !flight.landed) this.#land(flight);
    if (kind !== "lost" && flight.landed) this.tracker.applied(flight.sent);
    else this.tracker.failed(flight.sent, kind === "lost");
  }

  somebodyElse(id: number, value: Value | undefined): void {
    put(this.kernel, id, value);
    this.foreign.set(id, ++this.#time);
  }

  begin(): void {
    this.readings.push({ reading: this.tracker.begin(), begun: ++this.#time, contents: new Map(this.kernel) });
  }

  /** The dump comes to these only now. */
  dump(ids: readonly number[]): void {
    for (const { contents } of this.readings) for (const id of ids) put(contents, id, this.kernel.get(id));
  }

  end(): void {
    const open = this.readings.shift();
    if (open === undefined) return;
    const { reading, begun, contents } = open;
    for (const [id, at] of this.foreign) {
      if (at < begun && this.tracker.tells(reading, id)) this.foreign.delete(id);
    }
    this.tracker.end(reading, contents, (value) => value);
  }

  abandon(): void {
    const open = this.readings.shift();
    if (open !== undefined) this.tracker.abandon(open.reading);
  }

  check(): void {
    const { tracker } = this;
    expect(new Map(tracker.desired)).toEqual(this.desired);
    const flying = new Set(this.flights.flatMap(({ sent }) => [...sent.outcome.keys()]));
    const known = IDS.filter((id) => !flying.has(id) && !tracker.uncertain.has(id) && !this.foreign.has(id));
    expect(known.filter((id) => tracker.held.get(id) !== this.kernel.get(id))).toEqual([]);
    const isRight = (id: number): boolean => {
      const [wanted, held] = [this.desired.get(id), tracker.held.get(id)];
      const [update, deletion] = wanted === held ? [undefined, undefined] : [wanted, held];
      return (
        tracker.pendingUpdates.get(id) === update &&
        tracker.pendingDeletions.get(id) === deletion &&
        tracker.isPending(id) === (wanted !== held)
      );
    };
    expect(IDS.filter((id) => !isRight(id))).toEqual([]);
    expect(tracker.pending).toBe(IDS.filter((id) => tracker.isPending(id)).length);
  }

  #land(flight: Flight): void {
    flight.landed = true;
    for (const [id, value] of flight.sent.outcome) {
      put(this.kernel, id, value);
      this.foreign.delete(id);
    }
  }
}

function put(map: Map<number, Value>, id: number, value: Value | undefined): void {
  if (value === undefined) map.delete(id);
  else map.set(id, value);
}

const id = fc.constantFrom(...IDS);
const ids = fc.uniqueArray(id, { minLength: 1 });
const value = fc.option(fc.constantFrom("a", "b"), { nil: undefined });
const step: fc.Arbitrary<(world: World) => void> = fc.oneof(
  fc.tuple(id, value).map(
    ([one, wanted]) =>
      (world: World) =>
        world.set(one, wanted),
  ),
  ids.map((some) => (world: World) => world.send(some)),
  fc.constant((world: World) => world.land()),
  fc
    .constantFrom("ok" as const, "failed" as const, "lost" as const)
    .map((kind) => (world: World) => world.answer(kind)),
  fc.constant((world: World) => world.begin()),
  ids.map((some) => (world: World) => world.dump(some)),
  fc.constant((world: World) => world.end()),
  fc.constant((world: World) => world.abandon()),
  fc.tuple(id, value).map(
    ([one, made]) =>
      (world: World) =>
        world.somebodyElse(one, made),
  ),
);

describe("delta tracker", () => {
  it("believes nothing that is not so, whatever happens in whatever order", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40, size: "max" }), (steps) => {
        const world = new World();
        for (const each of steps) {
          each(world);
          world.check();
        }
      }),
      { numRuns: 700 },
    );
  });

  it("knows the whole difference after a quiet reading, and has none when that is applied", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40, size: "max" }), (steps) => {
        const world = new World();
        for (const each of steps) each(world);
        while (world.flights.length > 0) world.answer("ok");
        while (world.readings.length > 0) world.end();
        world.begin();
        world.end();
        expect([world.tracker.uncertain.size, world.foreign.size]).toEqual([0, 0]);
        expect(new Map(world.tracker.held)).toEqual(world.kernel);
        world.send([...world.tracker.pendingUpdates.keys(), ...world.tracker.pendingDeletions.keys()]);
        world.answer("ok");
        expect(world.kernel).toEqual(world.desired);
        expect(world.tracker.pending).toBe(0);
      }),
      { numRuns: 500 },
    );
  });

  it("says nothing about what is in one of two transactions still", () => {
    const world = new World();
    world.set(1, "a");
    world.send([1]);
    world.set(1, "b");
    world.send([1]);
    world.answer("ok");
    world.begin();
    world.land();
    world.end();
    expect(world.tracker.held.get(1)).toBe("a");
    world.answer("ok");
    world.check();
    expect(world.tracker.pending).toBe(0);
  });

  it("takes what it finds as what is wanted", () => {
    const world = new World();
    world.set(1, "a");
    world.somebodyElse(2, "b");
    world.begin();
    world.end();
    world.tracker.adopt();
    expect([...world.tracker.desired]).toEqual([[2, "b"]]);
    expect(world.tracker.pending).toBe(0);
  });

  it("looks at what a change is about, and at nothing else", () => {
    let compared = 0;
    const tracker = new DeltaTracker<number, Value>((left, right) => {
      compared += 1;
      return left === right;
    });
    const many = new Map(Array.from({ length: 10_000 }, (_, at) => [at, "a"] as const));
    tracker.end(tracker.begin(), many, (found) => found);
    tracker.adopt();
    compared = 0;
    tracker.set(5, "b");
    tracker.applied(tracker.send([5]));
    tracker.delete(6);
    tracker.applied(tracker.send([6]));
    tracker.failed(tracker.send([7]), true);
    expect(compared).toBeLessThan(10);
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Netplay, WINDOW } from "../../../../src/portal/web/game/netplay.js";
import { INPUTS_MAX } from "../../../../src/portal/web/game/packet.js";
import { digestOf, initialState, step } from "../../../../src/portal/web/game/simulation.js";

/** What the network does with each packet: how many steps it takes, or nothing at all; twice where two are named. */
type Fate = readonly number[];

interface World {
  readonly left: Netplay;
  readonly right: Netplay;
  readonly moves: { left: number[]; right: number[] };
}

type Sent = { readonly at: number; readonly to: Netplay; readonly packet: Packet };
type Packet = {
  firstFrame: number;
  inputs: readonly number[];
  nextFrame: number;
  digest: { frame: number; value: number };
};

const packetOf = (from: Netplay): Packet => ({
  ...from.outgoing(INPUTS_MAX),
  nextFrame: from.otherNext,
  digest: from.digest,
});

function deliver(to: Netplay, { firstFrame, inputs, nextFrame, digest }: Packet): void {
  to.receive(firstFrame, inputs, nextFrame);
  to.check(digest.frame, digest.value);
}

/** Plays by a schedule of inputs and fates, then lets everything that was said last arrive. */
function play(seed: number, schedule: readonly { left: number; right: number; fates: readonly [Fate, Fate] }[]): World {
  const [left, right] = [new Netplay("left", seed), new Netplay("right", seed)];
  const moves: World["moves"] = { left: [], right: [] };
  let flying: Sent[] = [];
  schedule.forEach((turn, now) => {
    if (left.advance(turn.left)) moves.left.push(turn.left);
    if (right.advance(turn.right)) moves.right.push(turn.right);
    flying.push(...turn.fates[0].map((delay) => ({ at: now + delay, to: right, packet: packetOf(left) })));
    flying.push(...turn.fates[1].map((delay) => ({ at: now + delay, to: left, packet: packetOf(right) })));
    for (const { to, packet } of flying.filter(({ at }) => at <= now)) deliver(to, packet);
    flying = flying.filter(({ at }) => at > now);
  });
  for (let round = 0; round < 3; round += 1) {
    deliver(right, packetOf(left));
    deliver(left, packetOf(right));
  }
  return { left, right, moves };
}

const input = fc.integer({ min: 0, max: 7 });
/** Lost, late, out of order or twice. */
const fate: fc.Arbitrary<Fate> = fc.oneof(
  { weight: 3, arbitrary: fc.constant([]) },
  { weight: 5, arbitrary: fc.integer({ min: 0, max: 12 }).map((delay) => [delay]) },
  { weight: 1, arbitrary: fc.tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 40 })) },
);
const turns = fc.array(fc.record({ left: input, right: input, fates: fc.tuple(fate, fate) }), {
  minLength: 1,
  maxLength: 200,
});

describe("two sides of a duel", () => {
  it("hold the same sure state whatever the network loses, delays, repeats and turns round", () => {
    fc.assert(
      fc.property(fc.nat(), turns, (seed, schedule) => {
        const { left, right, moves } = play(seed, schedule);
        expect(left.counters.diverged || right.counters.diverged).toBe(false);
        const sure = Math.min(moves.left.length, moves.right.length);
        for (const side of [left, right]) {
          expect(side.sureState.frame).toBe(sure);
          // And it is what the true inputs give, without any network.
          let truth = initialState(seed);
          for (let frame = 0; frame < sure; frame += 1) truth = step(truth, moves.left[frame]!, moves.right[frame]!);
          expect(side.digest.value).toBe(digestOf(truth));
        }
      }),
      { numRuns: 60 },
    );
  });

  it("stand still when one hears nothing, and go on when it does", () => {
    const deaf = { left: 1, right: 2, fates: [[], []] as const };
    const { left, right } = play(
      1,
      Array.from({ length: 100 }, () => deaf),
    );
    expect(left.frame).toBe(WINDOW);
    expect(left.counters.stalls).toBe(100 - WINDOW);
    // What was said last has arrived by now.
    expect(left.advance(0) && right.advance(0)).toBe(true);
  });

  it("count what had to be done again", () => {
    const late = Array.from({ length: 60 }, (_, at) => ({
      left: at % 7 < 3 ? 1 : 2,
      right: 0,
      fates: [[5], [5]] as const,
    }));
    const { left, right } = play(1, late);
    expect(right.counters.corrections).toBeGreaterThan(5);
    expect(left.counters.corrections).toBe(0);
  });

  it("take nothing that lies beyond the window, and find out a side that cheats", () => {
    const side = new Netplay("left", 1);
    side.receive(1_000_000, [1, 2, 3], 4_000_000_000);
    expect(side.otherNext).toBe(0);
    for (let frame = 0; frame < 5; frame += 1) side.advance(0);
    side.receive(0, [0, 0, 0], 3);
    expect(side.digest.frame).toBe(3);
    side.check(3, side.digest.value);
    expect(side.counters.diverged).toBe(false);
    side.check(3, side.digest.value ^ 1);
    expect(side.counters.diverged).toBe(true);
  });

  it("do not mind hostile packets", () => {
    const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
    const hostile = fc.array(fc.tuple(fc.oneof(u32, fc.nat(100)), fc.array(input, { maxLength: INPUTS_MAX }), u32));
    fc.assert(
      fc.property(hostile, (packets) => {
        const side = new Netplay("right", 1);
        for (const [firstFrame, inputs, nextFrame] of packets) {
          side.advance(1);
          side.receive(firstFrame, inputs, nextFrame);
          expect(side.outgoing(INPUTS_MAX).inputs.length).toBeLessThanOrEqual(INPUTS_MAX);
          expect(side.frame - side.sureState.frame).toBeLessThanOrEqual(WINDOW);
        }
      }),
    );
  });
});

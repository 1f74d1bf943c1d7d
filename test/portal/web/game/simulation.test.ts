import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  BALL_RADIUS,
  digestOf,
  FIELD,
  type GameState,
  initialState,
  PADDLE,
  POINTS_TO_WIN,
  seedOf,
  step,
} from "../../../../src/portal/web/game/simulation.js";

const inputs = fc.array(fc.tuple(fc.integer({ min: 0, max: 15 }), fc.integer({ min: 0, max: 15 })), { maxLength: 600 });
const seeds = fc.integer({ min: 0, max: 0xffff_ffff });
const run = (seed: number, moves: readonly (readonly [number, number])[]): GameState =>
  moves.reduce((state, [left, right]) => step(state, left, right), initialState(seed));

describe("the duel", () => {
  it("gives the same for the same, in whole numbers within the field", () => {
    fc.assert(
      fc.property(seeds, inputs, (seed, moves) => {
        let state = initialState(seed);
        for (const [left, right] of moves) {
          state = step(state, left, right);
          const { ball } = state;
          expect([state.left, state.right, ball.x, ball.y, ball.dx, ball.dy].every(Number.isInteger)).toBe(true);
          expect(ball.y).toBeGreaterThanOrEqual(0);
          expect(ball.y).toBeLessThanOrEqual(FIELD.height);
          for (const paddle of [state.left, state.right]) {
            expect(paddle).toBeGreaterThanOrEqual(PADDLE.height / 2);
            expect(paddle).toBeLessThanOrEqual(FIELD.height - PADDLE.height / 2);
          }
        }
        expect(digestOf(run(seed, moves))).toBe(digestOf(state));
      }),
      { numRuns: 30 },
    );
  });

  it("is won at seven points and begins again", () => {
    let state = initialState(1);
    let most = 0;
    for (let frame = 0; frame < 60 * 120; frame += 1) {
      state = step(state, 1, 1);
      most = Math.max(most, state.scoreLeft, state.scoreRight);
    }
    expect(most).toBe(POINTS_TO_WIN);
    expect(Math.max(state.scoreLeft, state.scoreRight)).toBeLessThanOrEqual(POINTS_TO_WIN);
  });

  it("returns the ball from a paddle, faster than it came", () => {
    const face = PADDLE.inset + PADDLE.width + BALL_RADIUS;
    const coming = { ...initialState(1), wait: 0, ball: { x: face + 100, y: FIELD.height / 2, dx: -1024, dy: 0 } };
    const { ball } = step(coming, 0, 0);
    expect(ball.x).toBe(face);
    expect(ball.dx).toBeGreaterThan(1024);
    const missed = { ...coming, left: PADDLE.height / 2 };
    expect(step(missed, 0, 0).ball.dx).toBe(-1024);
  });

  it("has a digest that tells states apart, and a seed of a Call-ID", () => {
    const state = initialState(5);
    expect(digestOf({ ...state, left: state.left + 1 })).not.toBe(digestOf(state));
    expect(digestOf({ ...state, ball: { ...state.ball, dx: -1 } })).not.toBe(digestOf(state));
    expect(seedOf("a@b")).toBe(seedOf("a@b"));
    expect(seedOf("a@b")).not.toBe(seedOf("a@c"));
    expect(initialState(0).random).toBe(1);
  });
});

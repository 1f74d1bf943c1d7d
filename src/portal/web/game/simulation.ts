/**
 * The duel: two paddles and a ball, in whole numbers only, so that the same inputs give the same state on every machine.
 * Lengths are 1/256 of a point of a field of 640 by 360 points; one step is 1/60 s.
 */

const UNIT = 256;
export const FIELD = { width: 640 * UNIT, height: 360 * UNIT } as const;
export const PADDLE = { width: 10 * UNIT, height: 64 * UNIT, inset: 20 * UNIT } as const;
export const BALL_RADIUS = 6 * UNIT;
export const STEPS_PER_SECOND = 60;
export const POINTS_TO_WIN = 7;

/** Bits of a step's input. */
export const INPUT_NONE = 0;
export const INPUT_UP = 1;
export const INPUT_DOWN = 2;
export const INPUT_DASH = 4;

const PADDLE_SPEED = 5 * UNIT;
const DASH_SPEED = 9 * UNIT;
const SERVE_SPEED = 4 * UNIT;
const SPEED_MAX = 11 * UNIT;
const SERVE_WAIT = 45;
const ROUND_WAIT = 180;

export interface Ball {
  readonly x: number;
  readonly y: number;
  readonly dx: number;
  readonly dy: number;
}

export interface GameState {
  readonly frame: number;
  /** Centres of the paddles. */
  readonly left: number;
  readonly right: number;
  readonly ball: Ball;
  readonly scoreLeft: number;
  readonly scoreRight: number;
  /** Steps until the ball is served. */
  readonly wait: number;
  /** State of the generator of numbers; never 0. */
  readonly random: number;
}

const MIDDLE = { x: FIELD.width / 2, y: FIELD.height / 2 } as const;

/** Both sides begin from the same seed. */
export function initialState(seed: number): GameState {
  return {
    frame: 0,
    left: MIDDLE.y,
    right: MIDDLE.y,
    ball: { ...MIDDLE, dx: 0, dy: 0 },
    scoreLeft: 0,
    scoreRight: 0,
    wait: SERVE_WAIT,
    random: seed >>> 0 || 1,
  };
}

/** One step of both players' inputs. */
export function step(state: GameState, left: number, right: number): GameState {
  const moved = { ...state, frame: state.frame + 1, left: move(state.left, left), right: move(state.right, right) };
  if (state.wait > 1) return { ...moved, wait: state.wait - 1 };
  if (state.wait === 1) return serve(moved);
  return fly(moved);
}

function move(centre: number, input: number): number {
  const speed = (input & INPUT_DASH) === 0 ? PADDLE_SPEED : DASH_SPEED;
  const way = ((input & INPUT_DOWN) === 0 ? 0 : 1) - ((input & INPUT_UP) === 0 ? 0 : 1);
  return clamp(centre + way * speed, PADDLE.height / 2, FIELD.height - PADDLE.height / 2);
}

const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value));

function serve(state: GameState): GameState {
  const isOver = state.scoreLeft >= POINTS_TO_WIN || state.scoreRight >= POINTS_TO_WIN;
  const random = nextRandom(state.random);
  const dx = (random & 1) === 0 ? SERVE_SPEED : -SERVE_SPEED;
  const dy = ((random >>> 1) % (4 * UNIT)) - 2 * UNIT;
  return {
    ...state,
    ...(isOver ? { scoreLeft: 0, scoreRight: 0 } : {}),
    ball: { ...MIDDLE, dx, dy },
    wait: 0,
    random,
  };
}

/** Marsaglia's xorshift of 32 bits. */
function nextRandom(value: number): number {
  let next = value;
  next ^= next << 13;
  next ^= next >>> 17;
  next ^= next << 5;
  return next >>> 0;
}

function fly(state: GameState): GameState {
  const ball = returned(bounced(state.ball), state);
  if (ball.x < -BALL_RADIUS) return scored(state, 0, 1);
  if (ball.x > FIELD.width + BALL_RADIUS) return scored(state, 1, 0);
  return { ...state, ball };
}

function scored(state: GameState, left: number, right: number): GameState {
  const scoreLeft = state.scoreLeft + left;
  const scoreRight = state.scoreRight + right;
  const isOver = scoreLeft >= POINTS_TO_WIN || scoreRight >= POINTS_TO_WIN;
  return { ...state, scoreLeft, scoreRight, ball: { ...MIDDLE, dx: 0, dy: 0 }, wait: isOver ? ROUND_WAIT : SERVE_WAIT };
}

/** Off the walls. */
function bounced({ x, y, dx, dy }: Ball): Ball {
  const next = { x: x + dx, y: y + dy, dx, dy };
  if (next.y < BALL_RADIUS) return { ...next, y: 2 * BALL_RADIUS - next.y, dy: -dy };
  const low = FIELD.height - BALL_RADIUS;
  return next.y > low ? { ...next, y: 2 * low - next.y, dy: -dy } : next;
}

/** Off a paddle: the farther from its middle, the steeper; each return is a little faster. */
function returned(ball: Ball, { left, right }: GameState): Ball {
  const isLeft = ball.dx < 0;
  const face = PADDLE.inset + PADDLE.width + BALL_RADIUS;
  const depth = isLeft ? face - ball.x : ball.x - (FIELD.width - face);
  const offset = ball.y - (isLeft ? left : right);
  const isHit = depth >= 0 && depth <= SPEED_MAX + PADDLE.width && Math.abs(offset) <= PADDLE.height / 2 + BALL_RADIUS;
  if (ball.dx === 0 || !isHit) return ball;
  const speed = Math.min(SPEED_MAX, Math.abs(ball.dx) + UNIT / 4);
  const dy = Math.trunc((offset * 5 * UNIT) / (PADDLE.height / 2));
  return { x: isLeft ? face : FIELD.width - face, y: ball.y, dx: isLeft ? speed : -speed, dy };
}

/** 32 bits (FNV-1a) over every number of a state: equal states, equal digests. */
export function digestOf(state: GameState): number {
  const { frame, left, right, ball, scoreLeft, scoreRight, wait, random } = state;
  const numbers = [frame, left, right, ball.x, ball.y, ball.dx, ball.dy, scoreLeft, scoreRight, wait, random];
  return numbers.reduce((digest, number) => Math.imul(digest ^ (number | 0), 16777619) >>> 0, 2166136261);
}

/** A seed that both sides derive from what both know. */
export function seedOf(text: string): number {
  let seed = 2166136261;
  for (let index = 0; index < text.length; index += 1) seed = Math.imul(seed ^ text.charCodeAt(index), 16777619) >>> 0;
  return seed;
}

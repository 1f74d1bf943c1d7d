/**
 * Two simulations kept equal by exchanging inputs: each side plays on with a guess of the other's input (its last one), and does
 * the steps again when the real one comes. So delay is felt as corrections, and past the window as standing still.
 */
import { digestOf, type GameState, INPUT_NONE, initialState, step } from "./simulation.js";

/** Steps that a side may be ahead of the other's last known input: half a second. */
export const WINDOW = 30;
/** Past inputs that are kept to be sent again: twice what can be on its way. */
const KEPT = 3 * WINDOW;

export type Side = "left" | "right";

export class Netplay {
  readonly #side: Side;
  /** States before each frame from the last that is sure; the first is the sure one. */
  #states: GameState[];
  readonly #own = new Map<number, number>();
  readonly #other = new Map<number, number>();
  /** What was taken for the other's input in each step that is not sure. */
  readonly #taken = new Map<number, number>();
  /** The frame that comes next here. */
  #frame = 0;
  /** The next of the other's frames that is not known, and of ours that the other lacks. */
  #otherNext = 0;
  #ownAcknowledged = 0;
  #corrections = 0;
  #correctedFrames = 0;
  #stalls = 0;
  readonly #digests = new Map<number, number>();
  #diverged = false;

  constructor(side: Side, seed: number) {
    this.#side = side;
    this.#states = [initialState(seed)];
  }

  get side(): Side {
    return this.#side;
  }

  /** As it is shown, guesses included. */
  get state(): GameState {
    return last(this.#states);
  }

  /** After the last step of which both inputs are known. */
  get sureState(): GameState {
    return first(this.#states);
  }

  get frame(): number {
    return this.#frame;
  }

  /** The next of the other's frames that is wanted. */
  get otherNext(): number {
    return this.#otherNext;
  }

  get counters(): { corrections: number; correctedFrames: number; stalls: number; diverged: boolean } {
    return {
      corrections: this.#corrections,
      correctedFrames: this.#correctedFrames,
      stalls: this.#stalls,
      diverged: this.#diverged,
    };
  }

  /** Plays one step; false where the other side is too far behind, and nothing is played. */
  advance(input: number): boolean {
    if (this.#frame - this.#otherNext >= WINDOW) {
      this.#stalls += 1;
      return false;
    }
    this.#own.set(this.#frame, input & 15);
    this.#own.delete(this.#frame - KEPT);
    this.#states.push(this.#step(this.state, this.#frame));
    this.#frame += 1;
    this.#settle();
    return true;
  }

  /** Our inputs that the other has not acknowledged, the oldest first. */
  outgoing(limit: number): { firstFrame: number; inputs: readonly number[] } {
    const firstFrame = Math.max(this.#ownAcknowledged, this.#frame - KEPT + 1, 0);
    const count = Math.min(limit, this.#frame - firstFrame);
    return {
      firstFrame,
      inputs: Array.from({ length: count }, (_, index) => this.#own.get(firstFrame + index) ?? INPUT_NONE),
    };
  }

  /** What a packet brought: inputs may come twice, late or not at all. What lies beyond the window is not taken. */
  receive(firstFrame: number, inputs: readonly number[], nextFrame: number): void {
    if (nextFrame <= this.#frame) this.#ownAcknowledged = Math.max(this.#ownAcknowledged, nextFrame);
    let wrong: number | undefined;
    inputs.forEach((input, index) => {
      const frame = firstFrame + index;
      if (frame < this.#otherNext || frame >= this.#frame + 2 * WINDOW || this.#other.has(frame)) return;
      if (frame < this.#frame && input !== this.#taken.get(frame)) wrong = Math.min(wrong ?? frame, frame);
      this.#other.set(frame, input & 15);
    });
    while (this.#other.has(this.#otherNext)) this.#otherNext += 1;
    if (wrong !== undefined) this.#replay(wrong);
    this.#settle();
  }

  /** Compares the other's digest of a frame with ours, where ours is still known. */
  check(frame: number, digest: number): void {
    const own = this.#digests.get(frame);
    if (own !== undefined && own !== digest) this.#diverged = true;
  }

  /** Of the sure state. */
  get digest(): { frame: number; value: number } {
    return { frame: this.sureState.frame, value: digestOf(this.sureState) };
  }

  #replay(from: number): void {
    const base = this.sureState.frame;
    const start = Math.max(0, from - base);
    this.#corrections += 1;
    this.#correctedFrames += this.#frame - Math.max(from, base);
    const states = this.#states.slice(0, start + 1);
    for (let frame = base + start; frame < this.#frame; frame += 1) states.push(this.#step(last(states), frame));
    this.#states = states;
  }

  #step(state: GameState, frame: number): GameState {
    const own = this.#own.get(frame) ?? INPUT_NONE;
    const other = this.#other.get(frame) ?? this.#other.get(Math.min(frame, this.#otherNext) - 1) ?? INPUT_NONE;
    this.#taken.set(frame, other);
    return this.#side === "left" ? step(state, own, other) : step(state, other, own);
  }

  /** Drops states before the last that is sure. */
  #settle(): void {
    const sure = Math.min(this.#otherNext, this.#frame);
    while (this.sureState.frame < sure) {
      this.#other.delete(this.sureState.frame - 2);
      this.#taken.delete(this.sureState.frame);
      this.#states.shift();
      this.#digests.set(this.sureState.frame, digestOf(this.sureState));
      this.#digests.delete(this.sureState.frame - KEPT);
    }
  }
}

function first(states: readonly GameState[]): GameState {
  const [state] = states;
  if (state === undefined) throw new Error("no state is left");
  return state;
}

const last = (states: readonly GameState[]): GameState => states.at(-1) ?? first(states);

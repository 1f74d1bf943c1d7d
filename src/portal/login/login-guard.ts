/** Takes or refuses tries to log in, by source and by name. */
import type { Clock } from "../../model/clock.js";
import { type Millis, seconds } from "../../model/units.js";
import { type AttemptLimits, type Attempts, stepAttempts, takenBack } from "./attempts.js";

/** A source is a stranger's to spoil: it waits long. */
const SOURCE: AttemptLimits = {
  free: 10,
  firstWait: seconds(1),
  longestWait: seconds(900),
  forget: seconds(3600),
};
/** A name is its owner's: who guesses at it must not lock the owner out for long. */
const NAME: AttemptLimits = { free: 5, firstWait: seconds(1), longestWait: seconds(60), forget: seconds(3600) };
/** Beyond this, the oldest is forgotten. */
const KEYS_MAX = 65_536;

export class LoginGuard {
  readonly #clock: Clock;
  readonly #sources = new Map<string, Attempts>();
  readonly #names = new Map<string, Attempts>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts a try before it is made. @returns the time to wait, 0 if it may be made */
  begin(source: string, name: string): Millis {
    const at = this.#clock.now();
    const [bySource, byName] = [this.#sources.get(source), this.#names.get(name)];
    const [first, second] = [
      stepAttempts(bySource, { kind: "tried", at }, SOURCE),
      stepAttempts(byName, { kind: "tried", at }, NAME),
    ];
    const wait = Math.max(first.wait, second.wait) as Millis;
    // What one of them refuses was not tried, and is not counted by the other.
    if (wait > 0) return wait;
    keep(this.#sources, source, first.state);
    keep(this.#names, name, second.state);
    return wait;
  }

  /** It was right: the name starts afresh; the source has one failure less, so that an own account clears no record. */
  succeeded(source: string, name: string): void {
    this.#names.delete(name);
    withdraw(this.#sources, source);
  }

  /** It was not looked at: nobody's failure. */
  dropped(source: string, name: string): void {
    withdraw(this.#sources, source);
    withdraw(this.#names, name);
  }
}

function withdraw(table: Map<string, Attempts>, key: string): void {
  const state = table.get(key);
  if (state !== undefined) keep(table, key, takenBack(state));
}

function keep(table: Map<string, Attempts>, key: string, state: Attempts | undefined): void {
  table.delete(key);
  if (state === undefined) return;
  if (table.size >= KEYS_MAX) {
    const [oldest] = table.keys();
    if (oldest !== undefined) table.delete(oldest);
  }
  table.set(key, state);
}

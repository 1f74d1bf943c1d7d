/**
 * `window.__sluice`: lets a script play and read what was measured. It changes nothing else, and is there only while a game is.
 *
 * - `measurements()`: the latest figures of both connections, counters, the last sure frame and its digest
 * - `play(script)`: presses keys, such as `[{ press: ["up"], for: 500 }, { press: [], for: 200 }]`; resolves when it is done
 */
import type { BestEffort } from "./best-effort.js";
import type { Duel } from "./duel.js";
import type { Figures } from "./figures.js";
import type { Keys, ScriptStep } from "./keys.js";

export interface Measurements extends Figures {
  readonly side: string;
  readonly packetRate: number;
  readonly counters: Duel["counters"];
  readonly bestEffortTotals: { readonly sent: number; readonly received: number } | null;
  /** The state after all inputs up to a frame: equal on both sides. */
  readonly sure: Duel["sure"];
  readonly score: { readonly left: number; readonly right: number };
}

export interface PageHook {
  readonly measurements: () => Measurements;
  readonly play: (script: readonly ScriptStep[]) => Promise<void>;
}

declare global {
  interface Window {
    __sluice?: PageHook;
  }
}

export interface HookParts {
  readonly duel: Duel;
  readonly keys: Keys;
  readonly best: BestEffort;
  readonly latest: () => Figures;
}

/** In the place of the former game's, if there was one. */
export function publishHook({ duel, keys, best, latest }: HookParts): void {
  window.__sluice = Object.freeze({
    measurements: () => ({
      ...latest(),
      side: duel.side,
      packetRate: duel.packetRate,
      counters: duel.counters,
      bestEffortTotals: best.totals ?? null,
      sure: duel.sure,
      score: { left: duel.state.scoreLeft, right: duel.state.scoreRight },
    }),
    play: (script: readonly ScriptStep[]) => keys.play(script),
  });
}

/** The game is over. */
export function withdrawHook(): void {
  delete window.__sluice;
}

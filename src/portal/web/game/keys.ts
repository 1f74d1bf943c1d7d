/** What the player presses, as the bits of an input; a script may press instead. */
import { INPUT_DASH, INPUT_DOWN, INPUT_NONE, INPUT_UP } from "./simulation.js";

const BITS: Readonly<Record<string, number>> = {
  ArrowUp: INPUT_UP,
  KeyW: INPUT_UP,
  ArrowDown: INPUT_DOWN,
  KeyS: INPUT_DOWN,
  ShiftLeft: INPUT_DASH,
  ShiftRight: INPUT_DASH,
};

/** One entry of a script: what is pressed, and for how many ms. */
export interface ScriptStep {
  readonly press: readonly ("up" | "down" | "dash")[];
  readonly for: number;
}

const PRESSES = { up: INPUT_UP, down: INPUT_DOWN, dash: INPUT_DASH } as const;

export class Keys {
  #pressed = INPUT_NONE;
  #scripted: number | undefined;

  /** Listens while `surface` has the focus, so that the rest of the page keeps its keys. */
  attach(surface: HTMLElement): void {
    surface.addEventListener("keydown", (event) => this.#change(event, (bits, bit) => bits | bit));
    surface.addEventListener("keyup", (event) => this.#change(event, (bits, bit) => bits & ~bit));
    surface.addEventListener("blur", () => {
      this.#pressed = INPUT_NONE;
    });
  }

  /** The buttons on the screen. */
  hold(press: "up" | "down", isDown: boolean): void {
    this.#pressed = isDown ? this.#pressed | PRESSES[press] : this.#pressed & ~PRESSES[press];
  }

  get input(): number {
    return this.#scripted ?? this.#pressed;
  }

  /** Presses what the script says, one entry after the other. */
  async play(script: readonly ScriptStep[]): Promise<void> {
    try {
      for (const entry of script) {
        this.#scripted = entry.press.reduce<number>((bits, press) => bits | PRESSES[press], INPUT_NONE);
        await new Promise((resolve) => window.setTimeout(resolve, Math.min(60_000, Math.max(0, entry.for))));
      }
    } finally {
      this.#scripted = undefined;
    }
  }

  #change(event: KeyboardEvent, change: (bits: number, bit: number) => number): void {
    const bit = BITS[event.code];
    if (bit === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    this.#pressed = change(this.#pressed, bit);
    event.preventDefault();
  }
}

/** What is said of this machine's clock in test packets: whether it follows UTC, and how far it may be off. */
import { millis } from "../../model/units.js";
import type { ErrorEstimate } from "../codec/error-estimate.js";
import type { LibcGate, Pinned } from "./libc.js";

/** `auto`: as the kernel says; else as configured. */
export type ClockKind = "auto" | "synchronised" | "free";

/** linux/timex.h, `struct timex` of 64-bit Linux. */
const TIMEX_LENGTH = 208;
const AT = { estimatedError: 32, status: 40 } as const;
const UNSYNCHRONISED = 0x40;
/** What adjtimex(2) gives while the clock is not synchronised. */
const TIME_ERROR = 5;

/** A clock that may be off by more says nothing of a path. */
const USEFUL_ERROR = millis(10);

/** What one end adds by reading its clock in user space. */
const KERNEL_ERROR = millis(0.05);
const PROCESS_ERROR = millis(1);

export class ClockState {
  readonly #kind: ClockKind;
  readonly #gate: LibcGate | undefined;
  readonly #request: Pinned | undefined;

  /** @param gate - absent: the kernel cannot be asked, and `auto` is not synchronised */
  constructor(kind: ClockKind, gate?: LibcGate) {
    this.#kind = kind;
    this.#gate = gate;
    this.#request = gate?.pinned(TIMEX_LENGTH);
  }

  /** As it is now. */
  read(): ErrorEstimate {
    const own = this.#gate === undefined ? PROCESS_ERROR : KERNEL_ERROR;
    const asked = this.#kind === "auto" ? this.#ask() : { synchronised: this.#kind === "synchronised", error: 0 };
    return { synchronised: asked.synchronised, format: "ntp", error: millis(own + asked.error) };
  }

  #ask(): { readonly synchronised: boolean; readonly error: number } {
    const [gate, request] = [this.#gate, this.#request];
    if (gate === undefined || request === undefined) return { synchronised: false, error: 0 };
    // No modes: nothing is set.
    request.octets.fill(0);
    const state = gate.libc.adjustClock(request.address);
    const status = request.octets.readInt32LE(AT.status);
    const error = Number(request.octets.readBigInt64LE(AT.estimatedError)) / 1000;
    const follows = state >= 0 && state !== TIME_ERROR && (status & UNSYNCHRONISED) === 0;
    const synchronised = follows && error <= USEFUL_ERROR;
    return { synchronised, error: synchronised ? error : 0 };
  }
}

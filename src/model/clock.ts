/** Time as a dependency, so that machines and endpoints can be tested without waiting. */
import type { Millis, Timestamp } from "./units.js";

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Wall clock with sub-millisecond fractions. */
  now(): Timestamp;
  /** Calls back once after `delay`. Must not keep the process alive by itself. */
  after(delay: Millis, callback: () => void): Timer;
}

export const SYSTEM_CLOCK: Clock = {
  now: () => (performance.timeOrigin + performance.now()) as Timestamp,
  after: (delay, callback) => {
    const handle = setTimeout(callback, delay);
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
};

/** The last sequence numbers of one sender and key, RFC 2747 §4.2: what was accepted once is not accepted again. Pure. */
import { isLater } from "./sequence.js";

export interface ReplayWindow {
  readonly size: number;
  /** Accepted, ascending; the last `size` of them. */
  readonly accepted: readonly bigint[];
}

export const replayWindow = (size: number, first: bigint): ReplayWindow => ({ size, accepted: [first] });

/** The window with `sequence` in it; undefined if that is to be refused. */
export function accept(window: ReplayWindow, sequence: bigint): ReplayWindow | undefined {
  const { size, accepted } = window;
  let index = accepted.length;
  for (let below = accepted[index - 1]; below !== undefined; below = accepted[index - 1]) {
    if (below === sequence) return undefined;
    if (isLater(sequence, below)) break;
    index -= 1;
  }
  // Below the lower end nobody knows any more what was accepted.
  if (index === 0) return undefined;
  const next = [...accepted.slice(0, index), sequence, ...accepted.slice(index)];
  return { size, accepted: next.length > size ? next.slice(next.length - size) : next };
}

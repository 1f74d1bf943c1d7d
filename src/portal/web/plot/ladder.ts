/** Where the parts of a sequence diagram stand: hosts side by side, messages one below the other. Pure. */
import type { LadderMessage } from "../api/types.js";

export interface LadderLayout {
  readonly width: number;
  readonly height: number;
  readonly hosts: readonly { readonly name: string; readonly x: number }[];
  readonly arrows: readonly {
    readonly y: number;
    readonly from: number;
    readonly to: number;
    readonly text: string;
    /** ms after the first message. */
    readonly after: number;
  }[];
}

const COLUMN = 150;
const ROW = 28;
const MARGIN = 80;
const HEAD = 48;
/** A diagram of more is not read by anybody. */
const MESSAGES_MAX = 300;

/** Hosts stand in the order in which they first take part. */
export function layoutLadder(messages: readonly LadderMessage[]): LadderLayout {
  const shown = messages.slice(0, MESSAGES_MAX);
  const names = [...new Set(shown.flatMap(({ from, to }) => [from, to]))];
  const x = (name: string): number => MARGIN + names.indexOf(name) * COLUMN;
  const start = shown[0]?.at ?? 0;
  return {
    width: 2 * MARGIN + Math.max(0, names.length - 1) * COLUMN,
    height: HEAD + ROW * (shown.length + 1),
    hosts: names.map((name) => ({ name, x: x(name) })),
    arrows: shown.map(({ from, to, message, at }, index) => ({
      y: HEAD + ROW * (index + 1),
      from: x(from),
      to: x(to),
      text: message,
      after: at - start,
    })),
  };
}

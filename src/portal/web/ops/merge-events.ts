/** One ladder out of what several roles wrote down: a message that two of them saw is one message. Pure. */
import type { EventsView, LadderMessage } from "../api/types.js";

export interface SeenEvents {
  readonly host: string;
  readonly events: EventsView["events"];
}

type Event = EventsView["events"][number];

/** Sender and receiver write the same message down within this time, ms, by clocks that agree as well. */
const SAME_WITHIN = 1000;

/** Ends are called by the role that was seen to send from an address or receive at it; by the address where none was. */
export function mergeEvents(seen: readonly SeenEvents[]): readonly LadderMessage[] {
  const names = new Map<string, string>();
  for (const { host, events } of seen) {
    for (const { action, from, to } of events) names.set(action === "sent" ? from : to, host);
  }
  const all = seen.flatMap(({ events }) => events).toSorted((left, right) => left.at - right.at);
  const open: Event[] = [];
  const kept: Event[] = [];
  for (const event of all) {
    const twin = open.findIndex((other) => isSame(other, event));
    if (twin >= 0) {
      open.splice(twin, 1);
      continue;
    }
    open.push(event);
    if (open.length > 64) open.shift();
    kept.push(event);
  }
  return kept.map(({ at, from, to, protocol, message }) => ({
    at,
    from: names.get(from) ?? from,
    to: names.get(to) ?? to,
    message: `${protocol} ${message}`,
  }));
}

const isSame = (left: Event, right: Event): boolean =>
  left.action !== right.action &&
  left.message === right.message &&
  left.from === right.from &&
  left.to === right.to &&
  Math.abs(left.at - right.at) <= SAME_WITHIN;

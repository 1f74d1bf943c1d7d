/** Joins the event logs of several roles into one list of messages, in an order that no clock can spoil. */
import type { LadderProtocol, MessageEvent } from "../model/event.js";
import type { HostLookup, RoleEvents } from "./ladder-hosts.js";

/** What passed between which hosts. */
export interface PassedMessage {
  readonly from: string;
  readonly to: string;
  readonly protocol: LadderProtocol;
  readonly message: string;
}

export interface JoinedMessage extends PassedMessage {
  /** By the clock of the host that told it. */
  readonly at: number;
}

export const kindOf = (message: PassedMessage): string =>
  [message.from, message.to, message.protocol, message.message].join("\0");

interface Entry {
  readonly message: JoinedMessage;
  readonly kind: string;
  readonly isSent: boolean;
  /** Where it was received: the same message in its sender's log. */
  cause: Entry | undefined;
  isTold: boolean;
}

/**
 * Each message once, as its sender saw it, else as its receiver did. A role's log is in the order of what it did, and nothing
 * is received before it was sent; between messages that neither settles, the time does. Clocks of two hosts never agree
 * to the tenth of a millisecond that an answer takes.
 */
export function joinEnds(roles: readonly RoleEvents[], hostOf: HostLookup): readonly JoinedMessage[] {
  const logs = roles.map(({ host, events }) => events.map((event) => entryOf(event, host, hostOf)));
  matchEnds(logs.flat());
  const joined: JoinedMessage[] = [];
  const heads = logs.map(() => 0);
  for (let at = nextLog(logs, heads); at !== undefined; at = nextLog(logs, heads)) {
    const entry = logs[at]?.[heads[at] ?? 0];
    heads[at] = (heads[at] ?? 0) + 1;
    if (entry === undefined) continue;
    entry.isTold = true;
    if (entry.cause === undefined) joined.push(entry.message);
  }
  return joined;
}

/** The log whose next entry comes next; undefined when all are told. */
function nextLog(logs: readonly (readonly Entry[])[], heads: readonly number[]): number | undefined {
  const waiting = logs.flatMap((log, index) => {
    const entry = log[heads[index] ?? 0];
    return entry === undefined ? [] : [{ index, entry }];
  });
  const ready = waiting.filter(({ entry }) => entry.cause === undefined || entry.cause.isTold);
  // Logs that lost a part may have been matched wrongly: then only the time is left.
  const candidates = ready.length > 0 ? ready : waiting;
  const earliest = Math.min(...candidates.map(({ entry }) => entry.message.at));
  return candidates.find(({ entry }) => entry.message.at === earliest)?.index;
}

/** The k-th message of a kind that was received is the k-th one that was sent. */
function matchEnds(entries: readonly Entry[]): void {
  const sent = new Map<string, Entry[]>();
  for (const entry of entries) {
    if (!entry.isSent) continue;
    const same = sent.get(entry.kind);
    if (same === undefined) sent.set(entry.kind, [entry]);
    else same.push(entry);
  }
  const matched = new Map<string, number>();
  for (const entry of entries) {
    if (entry.isSent) continue;
    const count = matched.get(entry.kind) ?? 0;
    matched.set(entry.kind, count + 1);
    entry.cause = sent.get(entry.kind)?.[count];
  }
}

function entryOf(event: MessageEvent, host: string, hostOf: HostLookup): Entry {
  const { at, protocol, action } = event;
  const from = action === "sent" ? host : hostOf(event.from);
  const to = action === "received" ? host : hostOf(event.to);
  const message = { at, from, to, protocol, message: event.message };
  return { message, kind: kindOf(message), isSent: action === "sent", cause: undefined, isTold: false };
}

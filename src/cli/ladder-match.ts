/** Joins the events of several roles into one list, and numbers it by the session ladder. */
import type { LadderProtocol, MessageEvent } from "../model/event.js";
import { type LadderHost, type LadderStep, SETUP_LADDER, TEARDOWN_LADDER } from "../model/ladder.js";
import type { HostLookup, RoleEvents } from "./ladder-hosts.js";

export type LadderPhase = "setup" | "teardown";

/** One message of the session, seen by one or both of its ends. */
export interface TraceLine {
  readonly phase: LadderPhase;
  /** The ladder's number; undefined for messages beside it, such as 100 or a retransmission. */
  readonly n: number | undefined;
  /** Since the session's first message. */
  readonly ms: number;
  readonly from: string;
  readonly to: string;
  readonly protocol: LadderProtocol;
  readonly message: string;
}

interface Message {
  at: number;
  readonly from: string;
  readonly to: string;
  readonly protocol: LadderProtocol;
  readonly message: string;
}

const kindOf = (message: Omit<Message, "at">): string =>
  [message.from, message.to, message.protocol, message.message].join("\0");

/** The session's messages in the order of time, numbered. */
export function traceOf(roles: readonly RoleEvents[], hostOf: HostLookup): readonly TraceLine[] {
  const messages = joinEnds(roles, hostOf);
  const start = messages.find(({ message }) => message === "INVITE")?.at ?? messages[0]?.at ?? 0;
  const byeAt = messages.findIndex(({ protocol, message }) => protocol === "SIP" && message === "BYE");
  const setup = byeAt < 0 ? messages : messages.slice(0, byeAt);
  const teardown = byeAt < 0 ? [] : messages.slice(byeAt);
  return [
    ...numbered("setup", setup, SETUP_LADDER, start),
    ...numbered("teardown", teardown, teardownLadder(teardown[0]), start),
  ];
}

/**
 * A message between two roles is in both logs. The k-th one of a kind that was received is the k-th one
 * that was sent: this holds also when the clocks of the two hosts do not agree.
 */
function joinEnds(roles: readonly RoleEvents[], hostOf: HostLookup): readonly Message[] {
  const sent = new Map<string, Message[]>();
  const received = new Map<string, Message[]>();
  for (const { host, events } of roles) {
    for (const event of events) {
      const message = messageOf(event, host, hostOf);
      const side = event.action === "sent" ? sent : received;
      const kind = kindOf(message);
      side.set(kind, [...(side.get(kind) ?? []), message]);
    }
  }
  const all = [...sent.values()].flat();
  for (const [kind, messages] of received) all.push(...messages.slice(sent.get(kind)?.length ?? 0));
  return all.sort((a, b) => a.at - b.at);
}

function messageOf(event: MessageEvent, host: string, hostOf: HostLookup): Message {
  const { at, protocol, message, action } = event;
  const from = action === "sent" ? host : hostOf(event.from);
  const to = action === "received" ? host : hostOf(event.to);
  return { at, from, to, protocol, message };
}

function numbered(
  phase: LadderPhase,
  messages: readonly Message[],
  ladder: readonly LadderStep[],
  start: number,
): readonly TraceLine[] {
  const open = new Map<string, number[]>();
  for (const step of ladder) open.set(kindOf(step), [...(open.get(kindOf(step)) ?? []), step.n]);
  return messages.map(({ at, ...message }) => ({
    phase,
    n: open.get(kindOf(message))?.shift(),
    ms: Math.round((at - start) * 1000) / 1000,
    ...message,
  }));
}

const MIRROR: Readonly<Record<LadderHost, LadderHost>> = {
  UAC: "UAS",
  SIP1: "SIP2",
  POL1: "POL2",
  R1: "R2",
  CH: "CH",
  R2: "R1",
  POL2: "POL1",
  SIP2: "SIP1",
  UAS: "UAC",
};

/** The ladder is written for a caller who hangs up; when the callee does, the sides change places. */
function teardownLadder(bye: Message | undefined): readonly LadderStep[] {
  if (bye?.from !== "UAS") return TEARDOWN_LADDER;
  return TEARDOWN_LADDER.map((step) => ({ ...step, from: MIRROR[step.from], to: MIRROR[step.to] }));
}

/** Steps of the ladder that no role saw. Media is no message of any role. */
export function missingSteps(lines: readonly TraceLine[], phase: LadderPhase): readonly number[] {
  const ladder = phase === "setup" ? SETUP_LADDER : TEARDOWN_LADDER;
  const seen = new Set(lines.filter((line) => line.phase === phase).map(({ n }) => n));
  return ladder.filter((step) => step.protocol !== "RTP" && !seen.has(step.n)).map((step) => step.n);
}

/** Numbers the messages of a session by the session ladder. */
import { type LadderHost, type LadderStep, SETUP_LADDER, TEARDOWN_LADDER } from "../model/ladder.js";
import type { HostLookup, RoleEvents } from "./ladder-hosts.js";
import { type JoinedMessage, joinEnds, kindOf, type PassedMessage } from "./ladder-join.js";

export type LadderPhase = "setup" | "teardown";

/** One message of the session, seen by one or both of its ends. */
export interface TraceLine extends PassedMessage {
  readonly phase: LadderPhase;
  /** The ladder's number; undefined for messages beside it, such as 100 or a retransmission. */
  readonly n: number | undefined;
  /** Since the session's first message. */
  readonly ms: number;
}

/** The session's messages in the order in which they happened, numbered. */
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

function numbered(
  phase: LadderPhase,
  messages: readonly JoinedMessage[],
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
function teardownLadder(bye: JoinedMessage | undefined): readonly LadderStep[] {
  if (bye?.from !== "UAS") return TEARDOWN_LADDER;
  return TEARDOWN_LADDER.map((step) => ({ ...step, from: MIRROR[step.from], to: MIRROR[step.to] }));
}

/** Steps of the ladder that no role saw. Media is no message of any role. */
export function missingSteps(lines: readonly TraceLine[], phase: LadderPhase): readonly number[] {
  const ladder = phase === "setup" ? SETUP_LADDER : TEARDOWN_LADDER;
  const seen = new Set(lines.filter((line) => line.phase === phase).map(({ n }) => n));
  return ladder.filter((step) => step.protocol !== "RTP" && !seen.has(step.n)).map((step) => step.n);
}

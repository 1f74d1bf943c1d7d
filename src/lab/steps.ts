/** Finds the ladder's steps among the messages that were captured. Pure. */
import { type LadderStep, SETUP_LADDER, TEARDOWN_LADDER } from "../model/ladder.js";
import type { WireMessage } from "./wire-message.js";

/** A step that was seen, with its time after the ladder's first message. */
export interface TimedStep extends LadderStep {
  readonly ms: number;
}

export interface MatchedLadder {
  readonly steps: readonly TimedStep[];
  /** Steps that no message answers to. */
  readonly missing: readonly LadderStep[];
  /** Steps that were seen, but before a step that comes before them. */
  readonly outOfOrder: readonly LadderStep[];
}

export interface SessionSteps {
  readonly setup: MatchedLadder;
  readonly teardown: MatchedLadder;
}

/**
 * Takes for each step the first message of that name that came after the step before; failing that, an
 * earlier unused one, which is then out of order. Messages that are no step (100 Trying, keep-alives,
 * accounting reports, other sessions) are passed over.
 */
export function matchLadder(ladder: readonly LadderStep[], messages: readonly WireMessage[]): MatchedLadder {
  const used = new Set<number>();
  const steps: TimedStep[] = [];
  const missing: LadderStep[] = [];
  const outOfOrder: LadderStep[] = [];
  let last = -1;
  let start: number | undefined;
  for (const step of ladder) {
    const candidates = messages.flatMap((message, index) => (!used.has(index) && isStep(step, message) ? [index] : []));
    const index = candidates.find((candidate) => candidate > last) ?? candidates[0];
    const message = index === undefined ? undefined : messages[index];
    if (index === undefined || message === undefined) {
      missing.push(step);
      continue;
    }
    used.add(index);
    if (index < last) outOfOrder.push(step);
    last = Math.max(last, index);
    start ??= message.at;
    steps.push({ ...step, ms: Math.round((message.at - start) * 1000) / 1000 });
  }
  return { steps, missing, outOfOrder };
}

const isStep = (step: LadderStep, message: WireMessage): boolean =>
  step.from === message.from &&
  step.to === message.to &&
  step.protocol === message.protocol &&
  step.message === message.message;

/**
 * Both ladders of one call.
 * @param messages - in order of time, of all protocols; SIP messages of other calls are left out by `callId`
 */
export function sessionSteps(messages: readonly WireMessage[], callId: string): SessionSteps {
  const ours = messages.filter((message) => message.callId === undefined || message.callId === callId);
  const bye = ours.findIndex(({ message, protocol }) => protocol === "SIP" && message === "BYE");
  const border = bye === -1 ? ours.length : bye;
  return {
    setup: matchLadder(SETUP_LADDER, ours.slice(0, border)),
    teardown: matchLadder(TEARDOWN_LADDER, ours.slice(border)),
  };
}

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
  /** Steps that were seen, but at another place than the ladder gives them. */
  readonly outOfOrder: readonly LadderStep[];
}

export interface SessionSteps {
  readonly setup: MatchedLadder;
  readonly teardown: MatchedLadder;
}

/**
 * As many steps as can be found in the ladder's order; of the others, those that were seen at another time are
 * out of order and the rest is missing. Messages that are no step (100 Trying, keep-alives, accounting
 * reports, other sessions) are passed over.
 */
export function matchLadder(ladder: readonly LadderStep[], messages: readonly WireMessage[]): MatchedLadder {
  const seen = longestInOrder(ladder, messages);
  const missing: LadderStep[] = [];
  const outOfOrder: LadderStep[] = [];
  const used = new Set(seen.values());
  for (const step of ladder) {
    if (seen.has(step)) continue;
    const message = messages.find((candidate) => !used.has(candidate) && isStep(step, candidate));
    if (message === undefined) {
      missing.push(step);
      continue;
    }
    used.add(message);
    seen.set(step, message);
    outOfOrder.push(step);
  }
  const found = ladder.flatMap((step) => {
    const message = seen.get(step);
    return message === undefined ? [] : [{ step, at: message.at }];
  });
  const start = found[0]?.at ?? 0;
  const steps = found.map(({ step, at }) => ({ ...step, ms: Math.round((at - start) * 1000) / 1000 }));
  return { steps, missing, outOfOrder };
}

/** The longest common subsequence, with the earliest messages where there is a choice. */
function longestInOrder(ladder: readonly LadderStep[], messages: readonly WireMessage[]): Map<LadderStep, WireMessage> {
  const width = messages.length + 1;
  // Cell (i, j): how many steps from i on can be found in the messages from j on.
  const longest = new Uint16Array((ladder.length + 1) * width);
  const at = (i: number, j: number): number => longest[i * width + j] ?? 0;
  const matches = (i: number, j: number): boolean => {
    const [step, message] = [ladder[i], messages[j]];
    return step !== undefined && message !== undefined && isStep(step, message);
  };
  for (let i = ladder.length - 1; i >= 0; i -= 1) {
    for (let j = messages.length - 1; j >= 0; j -= 1) {
      longest[i * width + j] = matches(i, j) ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const found = new Map<LadderStep, WireMessage>();
  let [i, j] = [0, 0];
  for (;;) {
    const [step, message] = [ladder[i], messages[j]];
    if (step === undefined || message === undefined) return found;
    if (isStep(step, message)) {
      found.set(step, message);
      [i, j] = [i + 1, j + 1];
    } else if (at(i + 1, j) === at(i, j)) {
      i += 1;
    } else {
      j += 1;
    }
  }
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
